#include "actors/manager/records/history.hpp"

#include <algorithm>
#include <tuple>

namespace zedops::manager {

using namespace msg;
using store::direction;
using store::table;

result<uint64_t> walk_back(const store::reader& r, uint64_t head, const std::function<bool(log_entry&&)>& visit) {
  for (size_t n = 0; head != 0 && n < chain_entries_max; ++n) {
    auto value = r.get(table::log, log_key(head));
    if (!value) return fail(value.error());
    if (!*value) return head;
    auto e = unpack<log_entry>(**value);
    if (!e) return fail(e.error());
    head = e->prev;
    if (!visit(std::move(*e))) return 0;
  }
  return head;  // beyond chain_entries_max nothing is known, just as if it were trimmed
}

event event_of(uint64_t epoch, const log_entry& entry, size_t index) {
  const auto& f = entry.facts[index];
  return {std::to_string(epoch), entry.first_seq + index, f.subject, f.subject_seq, entry.time, entry.why, f.what};
}

uint64_t history::oldest_seq() const {
  uint64_t oldest = 0;
  auto r = store_.begin_read();
  if (!r) return 0;
  (void)(*r)->scan(
      table::log, {}, direction::forward,
      [&](std::string_view key, std::string_view) {
        oldest = log_number(key);
        return false;
      },
      [&](const store::corrupt_record& bad) {
        if (oldest == 0) oldest = log_number(bad.key);
      });
  return oldest;
}

result<event_page> history::replay(uint64_t since, uint64_t last_seq, const replay_events& filter) const {
  constexpr size_t entries_max = 20'000;  // per page, so that a narrow filter cannot hold the reader for long
  const size_t limit = std::clamp<size_t>(filter.limit, 1, 10'000);
  event_page page;
  auto r = store_.begin_read();
  if (!r) return fail(r.error());
  // The entry that holds `since + 1` may begin before it.
  std::string from;
  auto back = (*r)->scan(
      table::log, log_key(since + 1), direction::backward,
      [&](std::string_view key, std::string_view) {
        from = std::string(key);
        return false;
      },
      [](const store::corrupt_record&) {});
  if (!back) return fail(back.error());
  uint64_t reached = since;
  size_t entries = 0;
  size_t bytes = 0;
  bool first = true;
  auto gap = [&](uint64_t upto) {  // events reached+1 .. upto are gone
    if (page.gap_from == 0) page.gap_from = reached + 1;
    page.gap_to = upto;
    reached = upto;
  };
  auto forward = (*r)->scan(
      table::log, from, direction::forward,
      [&](std::string_view, std::string_view value) {
        if (!page.events.empty() && bytes + value.size() > page_bytes_max) return false;
        bytes += value.size();
        auto e = unpack<log_entry>(value);
        if (!e) return true;
        if (first && e->first_seq > since + 1) gap(e->first_seq - 1);
        else if (e->first_seq > reached + 1 && last_fact_of(*e) > since) gap(e->first_seq - 1);
        first = false;
        for (size_t i = 0; i < e->facts.size(); ++i) {
          const uint64_t seq = e->first_seq + i;
          if (seq <= reached) continue;
          if (page.events.size() >= limit) return false;
          reached = seq;
          const auto& f = e->facts[i];
          if (!std::string_view(f.subject).starts_with(filter.subject) || !type_of(f.what).starts_with(filter.type))
            continue;
          page.events.push_back(event_of(epoch_, *e, i));
        }
        return ++entries < entries_max;
      },
      [](const store::corrupt_record&) {});
  if (!forward) return fail(forward.error());
  // Nothing stored after the cursor although more has happened: all of it was trimmed.
  if (entries < entries_max && page.events.size() < limit && reached < last_seq && first) gap(last_seq);
  page.cursor = to_text({epoch_, reached});
  page.end = reached >= last_seq;
  return page;
}

result<event_page> history::of_entity(uint64_t head, uint64_t before, size_t limit) const {
  constexpr size_t entries_max = 10'000;
  event_page page;
  auto r = store_.begin_read();
  if (!r) return fail(r.error());
  limit = std::clamp<size_t>(limit, 1, 5'000);
  size_t bytes = 0;
  const auto entry_at = [&](uint64_t number) -> result<std::optional<log_entry>> {
    auto value = (*r)->get(table::log, log_key(number));
    if (!value) return fail(value.error());
    if (!*value) return std::optional<log_entry>{};  // trimmed
    bytes += (*value)->size();
    auto e = unpack<log_entry>(**value);
    if (!e) return fail(e.error());
    return std::optional(std::move(*e));
  };
  uint64_t at = head;
  // A further page begins where the one before it ended, not at the head again.
  if (head != 0 && before != 0 && before < head) {
    auto newest = entry_at(head), last = entry_at(before);
    if (newest && last && *newest && *last && (*newest)->entity == (*last)->entity) at = (*last)->prev;
  }
  for (size_t n = 0; at != 0 && n < entries_max && page.events.size() < limit && bytes < page_bytes_max; ++n) {
    auto e = entry_at(at);
    if (!e) return fail(e.error());
    if (!*e) {
      page.gap_from = 1;
      page.gap_to = at;
      at = 0;
      break;
    }
    if (before == 0 || (*e)->first_seq < before)
      for (size_t i = (*e)->facts.size(); i-- > 0;) page.events.push_back(event_of(epoch_, **e, i));
    at = (*e)->prev;
  }
  page.end = at == 0;
  page.cursor = to_text({epoch_, page.events.empty() ? 0 : page.events.front().seq});
  return page;
}

result<std::optional<operation>> history::operation(const operation_id& id) const {
  auto r = store_.begin_read();
  if (!r) return fail(r.error());
  if (id.value.empty()) return std::optional<msg::operation>{};
  auto value = (*r)->get(table::operations, id.value);
  if (!value) return fail(value.error());
  if (!*value) return std::optional<msg::operation>{};
  auto op = unpack<msg::operation>(**value);
  if (!op) return fail(op.error());
  return std::optional<msg::operation>(std::move(*op));
}

result<std::vector<operation>> history::operations(size_t limit, const std::string& target, const std::string& status,
                                                   const std::optional<place>& after) const {
  const auto newer = [](const msg::operation& a, const msg::operation& b) {
    return std::tie(a.started_at, a.id) > std::tie(b.started_at, b.id);
  };
  std::vector<msg::operation> newest;  // a heap whose front is the oldest kept
  auto r = store_.begin_read();
  if (!r) return fail(r.error());
  auto ok = (*r)->scan(
      table::operations, {}, direction::forward,
      [&](std::string_view, std::string_view value) {
        auto op = unpack<msg::operation>(value);
        if (!op || (!target.empty() && op->target.value != target) ||
            (!status.empty() && name_of(op->status) != status) ||
            (after && std::tie(op->started_at, op->id.value) >= std::tie(after->started_at, after->id)))
          return true;
        newest.push_back(std::move(*op));
        std::push_heap(newest.begin(), newest.end(), newer);
        if (newest.size() > limit) {
          std::pop_heap(newest.begin(), newest.end(), newer);
          newest.pop_back();
        }
        return true;
      },
      [](const store::corrupt_record&) {});
  if (!ok) return fail(ok.error());
  std::sort_heap(newest.begin(), newest.end(), newer);
  return newest;
}

}  // namespace zedops::manager
