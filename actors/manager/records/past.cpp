#include "actors/manager/records/past.hpp"

#include <algorithm>

#include "actors/core/agent/agent_machine.hpp"
#include "actors/core/explain/explain.hpp"
#include "actors/manager/doors/answers.hpp"

namespace zedops::manager {

using namespace msg;
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

namespace {

// A record folded from the beginning of its chain up to `at`.
template <class Record>
struct folded {
  Record record;
  time_point first{};    // the oldest entry that is kept
  uint64_t missing = 0;  // the chain is cut before it
  bool began = false;    // some entry was not later than `at`
};

template <class Record>
result<folded<Record>> fold(const store::reader& r, uint64_t head, time_point at) {
  folded<Record> out;
  std::vector<uint64_t> numbers;  // of the entries up to `at`, newest first
  auto missing = walk_back(r, head, [&](log_entry&& e) {
    if (e.time <= at) numbers.push_back(e.first_seq);
    out.first = e.time;
    return true;
  });
  if (!missing) return fail(missing.error());
  out.missing = *missing;
  out.began = !numbers.empty();
  if (out.missing != 0) return out;
  for (auto n = numbers.rbegin(); n != numbers.rend(); ++n) {
    auto value = r.get(table::log, log_key(*n));
    if (!value) return fail(value.error());
    auto e = *value ? unpack<log_entry>(**value) : result<log_entry>(fail(ec::internal, "the log changed meanwhile"));
    if (!e) return fail(e.error());
    core::apply(out.record, *e);
  }
  return out;
}

// What the agent's record said then; nothing when that is not known any more.
std::optional<agent> agent_at(const shared& world, const store::reader& r, const agent_id& id, time_point at) {
  auto now = world.records.agent_ever(id);
  if (!now) return std::nullopt;
  auto then = fold<agent>(r, now->log_head, at);
  if (then && then->missing == 0 && then->began) return std::move(then->record);
  agent known = *now;
  known.status = agent_status::pending;
  return known;
}

}  // namespace

result<explanation> explained(const shared& world, const rt::server_ptr& s) {
  auto r = world.store.begin_read();
  if (!r) return fail(r.error());
  std::vector<log_entry> entries;
  auto missing = walk_back(**r, s->log_head, [&](log_entry&& e) {
    entries.push_back(std::move(e));
    return entries.size() < core::explain_entries_max;
  });
  if (!missing) return fail(missing.error());
  std::reverse(entries.begin(), entries.end());
  const auto a = world.records.agent(s->agent);
  const auto touched = world.records.touched(s->agent);
  auto out =
      core::explain({*s, entries, a.get(), std::max(a ? a->last_seen : never, touched.last_seen), world.clock.now()});
  out.server = view_in(world, s);
  out.trimmed_before = *missing;
  return out;
}

result<server_view> state_at(const shared& world, const rt::server_ptr& s, time_point at) {
  if (core::damaged(*s))
    return fail(ec::internal, s->last_error->message + "; so its history cannot be found", s->last_error->hint);
  if (at > world.clock.now())
    return fail(ec::bad_request, to_rfc3339(at) + " has not come yet", "give a time in the past");
  auto r = world.store.begin_read();
  if (!r) return fail(r.error());
  auto then = fold<server>(**r, s->log_head, at);
  if (!then) return fail(then.error());
  if (then->missing != 0) {
    const auto since = then->first == never ? "nothing of it" : "only what happened since " + to_rfc3339(then->first);
    return fail(ec::not_found,
                "the history that is kept has " + since + ", not how " + s->name + " began, so its state at " +
                    to_rfc3339(at) + " is not known",
                "history_max of the manager sets how many events are kept");
  }
  if (!then->began)
    return fail(ec::not_found,
                s->name + " did not exist at " + to_rfc3339(at) + ": it was created at " + to_rfc3339(then->first),
                "give a later time");
  const auto a = agent_at(world, **r, then->record.agent, at);
  auto v = view_in(world, then->record, a ? &*a : nullptr, never);
  v.actions.clear();  // nothing can be done in the past
  return v;
}

}  // namespace zedops::manager
