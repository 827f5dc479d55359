#include "actors/manager/records/as_of.hpp"

#include <algorithm>

#include "actors/core/agent/agent_machine.hpp"
#include "actors/core/explain/explain.hpp"
#include "actors/manager/doors/answers.hpp"

namespace zedops::manager {

using namespace msg;
using store::table;

namespace {

// A record folded from the beginning of its chain up to `at`.
struct folded {
  rt::any_record record;
  time_point first{};    // the oldest entry that is kept
  uint64_t missing = 0;  // number of the entry at which the chain breaks off; zero: it is complete
  bool began = false;    // some entry was not later than `at`
};

result<folded> fold(const store::reader& r, const rt::any_record& now, time_point at) {
  folded out;
  std::vector<uint64_t> numbers;  // of the entries up to `at`, newest first
  auto missing = walk_back(r, now.log_head(), [&](log_entry&& e) {
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
    out.record = now.of().fold(out.record, *e);
  }
  return out;
}

// The agent as it was then; with its history trimmed, as it is now but `pending`; nothing: there is no such agent.
std::optional<agent> agent_at(const shared& world, const store::reader& r, const agent_id& id, time_point at) {
  auto now = world.records.agent_ever(id);
  if (!now) return std::nullopt;
  auto then = fold(r, now, at);
  if (then && then->missing == 0 && then->record) return *then->record.as<agent>();
  agent known = *now;
  known.status = agent_status::pending;
  return known;
}

}  // namespace

result<std::optional<operation>> operation_with(const shared& world, const operation_id& id) {
  if (auto open = world.records.open_operation(id)) return open;
  return world.history.operation(id);
}

result<recent> recent_entries(const shared& world, const rt::any_record& now, size_t limit) {
  auto r = world.store.begin_read();
  if (!r) return fail(r.error());
  recent out;
  auto missing = walk_back(**r, now.log_head(), [&](log_entry&& e) {
    out.entries.push_back(std::move(e));
    return out.entries.size() < limit;
  });
  if (!missing) return fail(missing.error());
  std::reverse(out.entries.begin(), out.entries.end());
  out.trimmed_before = *missing;
  return out;
}

result<rt::any_record> record_at(const shared& world, const rt::any_record& now, const std::string& name,
                                 time_point at) {
  if (at > world.clock.now())
    return fail(ec::bad_request, to_rfc3339(at) + " is in the future", "give a time in the past");
  auto r = world.store.begin_read();
  if (!r) return fail(r.error());
  auto then = fold(**r, now, at);
  if (!then) return fail(then.error());
  if (then->missing != 0) {
    const auto since = then->first == never ? "nothing of it" : "only what happened since " + to_rfc3339(then->first);
    return fail(ec::not_found,
                "the stored history has " + since + ", not how " + name + " began, so its state at " + to_rfc3339(at) +
                    " is not known",
                "history_max of the manager sets how many events are kept");
  }
  if (!then->began)
    return fail(ec::not_found,
                name + " did not exist at " + to_rfc3339(at) + ": it was created at " + to_rfc3339(then->first),
                "give a later time");
  return std::move(then->record);
}

result<explanation> explained(const shared& world, const rt::server_ptr& s) {
  auto past = recent_entries(world, s, core::explain_entries_max);
  if (!past) return fail(past.error());
  const auto a = world.records.agent(s->agent);
  const auto touched = world.records.touched(s->agent);
  auto out = core::explain(
      {*s, past->entries, a.get(), std::max(a ? a->last_seen : never, touched.last_seen), world.clock.now()});
  out.server = view_in(world, s);
  out.trimmed_before = past->trimmed_before;
  return out;
}

result<server_view> state_at(const shared& world, const rt::server_ptr& s, time_point at) {
  if (core::damaged(*s))
    return fail(ec::internal, s->last_error->message + ", so its history cannot be found", s->last_error->hint);
  auto found = record_at(world, s, s->name, at);
  if (!found) return fail(found.error());
  const auto then = found->as<server>();
  auto r = world.store.begin_read();
  if (!r) return fail(r.error());
  const auto a = agent_at(world, **r, then->agent, at);
  auto v = view_in(world, *then, a ? &*a : nullptr, never);
  v.actions.clear();  // nothing can be done in the past
  return v;
}

}  // namespace zedops::manager
