#include "actors/manager/audit/audit_chain.hpp"

#include <algorithm>

#include "actors/manager/records/records.hpp"
#include "messages/base/names.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::manager {

using namespace msg;
using store::direction;
using store::table;

namespace {

constexpr std::string_view meta_audit_base = "audit.base";  // "seq chain" of the newest record that was trimmed
constexpr size_t scanned_max = 100'000;                     // of one page, whatever its filter

std::string chain_of(audit_record r, const std::string& before) {
  r.chain.clear();
  return chained_hash(before, pack(r));
}

result<audit_head> base_of(const store::reader& r) {
  auto text = r.get(table::meta, meta_audit_base);
  if (!text) return fail(text.error());
  if (!*text) return audit_head{};
  const auto space = (*text)->find(' ');
  const auto seq = space == std::string::npos ? std::nullopt : parse_decimal((*text)->substr(0, space));
  if (!seq)
    return fail(ec::internal, "the beginning of the audit cannot be read", "check the store with zedctl store verify");
  return audit_head{*seq, (*text)->substr(space + 1)};
}

bool wanted(const audit_record& r, const list_audit& q) {
  return r.who.starts_with(q.who) && r.verb.starts_with(q.verb) &&
         (q.target.empty() || r.target == q.target || r.target_name == q.target) &&
         (q.result.empty() || r.result == q.result || (q.result == "refused" && r.result != "ok")) &&
         (q.since == never || r.time >= q.since) && (q.until == never || r.time < q.until);
}

}  // namespace

void link(audit_record& r, audit_head& head) {
  r.seq = head.seq + 1;
  r.chain = chain_of(r, head.chain);
  head = {r.seq, r.chain};
}

void complete(audit_record& r, const rt::any_record& before, const rt::any_record& after, const log_entry& entry) {
  r.time = entry.time;
  const auto& one = after ? after : before;
  if (one) r.target = one.id();
  r.before = before ? before.revision() : 0;
  r.after = after ? after.revision() : r.before;
  for (const auto& n : entry.facts) {
    if (const auto* x = std::get_if<operation_accepted>(&n.what)) r.operation = x->op->id.value;
    const auto* refused = std::get_if<operation_refused>(&n.what);
    if (!refused || !refused->op->failure) continue;
    r.result = name_of(refused->op->failure->code);
    r.problem = refused->op->failure->message;
    if (!refused->op->note.empty()) r.problem += "; " + refused->op->note;
  }
}

result<audit_head> read_audit_head(const store::reader& r) {
  auto head = base_of(r);
  if (!head) return head;
  auto ok = r.scan(
      table::audit, {}, direction::backward,
      [&](std::string_view key, std::string_view value) {
        auto newest = unpack<audit_record>(value);
        // A damaged one keeps its number: the chain shows as broken there.
        head = audit_head{log_number(key), newest ? newest->chain : std::string{}};
        return false;
      },
      [&](const store::corrupt_record& bad) { head->seq = std::max(head->seq, log_number(bad.key)); });
  if (!ok) return fail(ok.error());
  return head;
}

result<uint64_t> trim_audit(store::writer& w, uint64_t last, uint64_t keep, uint64_t batch) {
  auto base = base_of(w);
  if (!base) return fail(base.error());
  if (last <= keep || base->seq >= last - keep) return 0;
  const auto upto = std::min(last - keep, base->seq + batch);
  auto newest = w.get(table::audit, log_key(upto));
  if (!newest) return fail(newest.error());
  const auto r = *newest ? unpack<audit_record>(**newest) : result<audit_record>(audit_record{});
  const auto chain = r ? r->chain : std::string{};
  if (auto ok = w.put(table::meta, meta_audit_base, std::to_string(upto) + ' ' + chain); !ok) return fail(ok.error());
  if (auto ok = w.trim(table::audit, log_key(upto + 1), batch); !ok) return fail(ok.error());
  return upto - base->seq;
}

result<audit_page> audit_page_of(const store::store& s, const list_audit& q) {
  auto r = s.begin_read();
  if (!r) return fail(r.error());
  const size_t limit = std::clamp<size_t>(q.limit, 1, 1'000);
  audit_page page;
  size_t scanned = 0;
  const auto from = q.before == 0 ? std::string{} : log_key(q.before - 1);
  if (q.before == 1) return page;
  auto ok = (*r)->scan(
      table::audit, from, direction::backward,
      [&](std::string_view key, std::string_view value) {
        if (page.records.size() == limit || ++scanned > scanned_max) {
          page.next = log_number(key) + 1;
          return false;
        }
        auto one = unpack<audit_record>(value);
        if (one && wanted(*one, q)) page.records.push_back(std::move(*one));
        return !one || q.since == never || one->time >= q.since;
      },
      [](const store::corrupt_record&) {});
  if (!ok) return fail(ok.error());
  return page;
}

result<audit_verdict> verified(const store::store& s, const verify_audit& q) {
  auto r = s.begin_read();
  if (!r) return fail(r.error());
  auto base = base_of(**r);
  if (!base) return fail(base.error());
  if (!q.head.empty() && q.seq < base->seq)
    return fail(ec::not_found, "record " + std::to_string(q.seq) + " is no longer kept",
                "audit_max of the manager sets how many are kept; the oldest is " + std::to_string(base->seq + 1));
  audit_verdict out;
  audit_head at = *base;
  bool noted = q.head.empty() || (q.seq == at.seq && q.head == at.chain);
  const auto broken = [&](uint64_t seq, std::string why) {
    out.broken_at = seq;
    out.problem = std::move(why);
    return false;
  };
  bool damaged = false;
  auto ok = (*r)->scan(
      table::audit, {}, direction::forward,
      [&](std::string_view key, std::string_view value) {
        const auto seq = log_number(key);
        if (out.first == 0) out.first = seq;
        if (damaged) return false;
        if (seq != at.seq + 1) return broken(at.seq + 1, "records are missing");
        auto one = unpack<audit_record>(value);
        if (!one) return broken(seq, "it cannot be read");
        if (one->seq != seq || one->chain != chain_of(*one, at.chain))
          return broken(seq, "it, or the record before it, is not as this manager wrote it");
        at = {seq, one->chain};
        noted = noted || (q.seq == seq && q.head == one->chain);
        return true;
      },
      [&](const store::corrupt_record& bad) {
        damaged = true;
        (void)broken(log_number(bad.key), bad.reason);
      });
  if (!ok) return fail(ok.error());
  out.last = at.seq;
  out.head = at.chain;
  if (out.broken_at == 0 && !noted) (void)broken(q.seq, "its chain is not the one in the noted head");
  out.sound = out.broken_at == 0;
  return out;
}

}  // namespace zedops::manager
