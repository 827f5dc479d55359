#include "actors/manager/journal/entry_stage.hpp"

#include <algorithm>
#include <map>

#include "actors/core/operation_facts.hpp"
#include "actors/manager/records/records.hpp"
#include "messages/api/operations.hpp"
#include "messages/base/names.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::manager {

using namespace msg;
using store::table;

namespace {

// Operations that end in this entry, complete: the record that is kept once the entity no longer holds it.
std::vector<operation> ended_in(const rt::any_record& before, const log_entry& e) {
  std::map<std::string, std::optional<operation>> open;
  for (const auto* op : {before ? before.open() : nullptr, before ? before.waiting() : nullptr})
    if (op) open[op->id.value] = *op;
  std::vector<operation> out;
  for (const auto& n : e.facts) {
    if (const auto* r = std::get_if<operation_refused>(&n.what)) out.push_back(*r->op);
    const auto* id = core::operation_of(n.what);
    if (!id || !core::fold_operation(open[id->value], n.what)) continue;
    auto& ended = *open[id->value];
    ended.seq = n.subject_seq;
    out.push_back(std::move(ended));
    open.erase(id->value);
  }
  return out;
}

// Data that a purge left, and data that belongs to a server again.
void stage_orphan(const server& s, const log_entry& e, std::vector<record_write>& writes) {
  const auto key = orphan_key(s.agent, s.name);
  for (const auto& n : e.facts) {
    const auto* p = std::get_if<server_purged>(&n.what);
    if (p && !p->kept_path.empty()) {
      const orphan_data left{s.agent, s.name, p->kept_path, p->bytes, s.id, e.time};
      writes.push_back({table::orphans, key, pack(left), record_write::kind::put});
    } else if (std::holds_alternative<server_created>(n.what)) {
      writes.push_back({table::orphans, key, {}, record_write::kind::erase});
    }
  }
}

bool begins_operation(const log_entry& e) {
  return std::any_of(e.facts.begin(), e.facts.end(),
                     [](const auto& n) { return std::holds_alternative<operation_accepted>(n.what); });
}

// What the manager does on its own (recovery, purges after the retention time) is on record as well.
audit_record own_record(const log_entry& e) {
  audit_record r;
  r.who = "manager";
  r.from = "itself";
  for (const auto& n : e.facts)
    if (const auto* x = std::get_if<operation_accepted>(&n.what)) {
      r.verb = row_of(x->op->kind).verb;
      r.label = x->op->actor;
      r.target_name = x->op->target_name;
    }
  return r;
}

error too_large(const log_entry& e, size_t bytes) {
  return {ec::too_large,
          "the record of " + e.entity + " or its history entry would have " + format_bytes(bytes) + ", more than " +
              format_bytes(store::value_bytes_max),
          "use fewer or shorter environment values; put large ones into files in its data",
          {}};
}

}  // namespace

std::string orphan_key(const agent_id& agent, const std::string& server_name) {
  return agent.value + "/" + server_name;
}

result<std::string> orphan_path(const store::store& s, const agent_id& agent, const std::string& server_name) {
  auto read = s.begin_read();
  if (!read) return fail(read.error());
  auto value = (*read)->get(table::orphans, orphan_key(agent, server_name));
  if (!value) return fail(value.error());
  if (!*value) return std::string{};
  auto left = unpack<orphan_data>(**value);
  if (!left) return fail(left.error());
  return left->path;
}

result<staged_entry> entry_stage::add(const rt::commit& c, log_entry& e) {
  staged_entry out;
  const auto before = c.of ? staged(c) : rt::any_record{};
  if (c.of)
    if (auto ok = add_record(c, before, e, out); !ok) return fail(std::move(ok.error()));
  for (const auto& op : ended_in(before, e)) out.writes.push_back({table::operations, op.id.value, pack(op)});
  if (!e.facts.empty()) out.writes.push_back({table::log, log_key(e.first_seq), pack(e), record_write::kind::append});
  size_t bytes = 0;
  for (const auto& w : out.writes) {
    if (w.value.size() > store::value_bytes_max) return fail(too_large(e, w.value.size()));
    bytes += w.key.size() + w.value.size();
  }
  if (out.record) {
    if (auto ok = claim(out.record, before); !ok) return fail(std::move(ok.error()));
    entities_[c.id] = out.record;
  }
  if (c.asked || begins_operation(e)) {
    auto r = c.asked ? *c.asked : own_record(e);
    complete(r, before, out.record, e);
    link(r, audit_);
    out.writes.push_back({table::audit, log_key(r.seq), pack(r), record_write::kind::append});
    bytes += out.writes.back().value.size();
  }
  bytes_ += bytes;
  writes_ += out.writes.size();
  return out;
}

result<void> entry_stage::add_record(const rt::commit& c, const rt::any_record& before, log_entry& e,
                                     staged_entry& out) {
  const auto head = before ? before.log_head() : 0;
  if (head != c.base)
    return fail(ec::internal, "two actors decided for " + std::string(c.of->name) + " " + c.id,
                "this is a bug; please report it");
  e.prev = head;
  out.record = c.of->fold(before, e);
  if (!out.record) return {};  // a refused create leaves its audit record and no entity
  out.writes.push_back({kinds_.table_of(*c.of), c.id, c.of->pack(out.record.get())});
  if (const auto s = out.record.as<server>()) stage_orphan(*s, e, out.writes);
  return {};
}

// Names and ports of an entity that this entry creates, and those that an edit adds.
result<void> entry_stage::claim(const rt::any_record& now, const rt::any_record& before) {
  const auto& k = now.of();
  if (before && k.same_claims(before.get(), now.get())) return {};
  std::vector<std::string> held;
  if (before) k.each_claim(before.get(), [&](std::string_view one) { held.emplace_back(one); });
  std::vector<std::string> wanted;
  k.each_claim(now.get(), [&](std::string_view one) {
    if (std::find(held.begin(), held.end(), one) == held.end()) wanted.emplace_back(one);
  });
  for (const auto& key : wanted) {
    auto i = claims_.find(key);
    const auto owner = i != claims_.end() ? i->second : records_.claim_owner(key);
    if (owner && owner.id() != now.id() && !released(owner)) return fail(owner.of().taken(key, owner.get()));
  }
  for (const auto& key : wanted) claims_[key] = now;
  return {};
}

rt::any_record entry_stage::staged(const rt::commit& c) const {
  auto i = entities_.find(c.id);
  return i != entities_.end() ? i->second : records_.find(c.id);
}

bool entry_stage::released(const rt::any_record& owner) const {
  auto i = entities_.find(owner.id());
  return i != entities_.end() && i->second.gone();
}

}  // namespace zedops::manager
