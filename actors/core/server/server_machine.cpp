#include "actors/core/server/server_machine.hpp"

#include <algorithm>

#include "actors/core/overload.hpp"
#include "actors/core/server/decide_move.hpp"
#include "actors/core/server/decide_request.hpp"
#include "actors/core/server/observe.hpp"
#include "messages/records/condition.hpp"

namespace zedops::core {

using namespace msg;

send_command command_for(const server& s, const operation& op, const context& cx) {
  send_command c;
  c.op = op.id;
  c.attempt = op.attempt;
  c.container_id = s.container_id;
  c.demand = op.fresh || nothing_to_lose(s) ? data_demand::any : data_demand::present;
  c.time_max = cx.time_max[static_cast<size_t>(op.kind)];
  const bool embodied = !s.container_id.empty();
  switch (op.kind) {
    case op_kind::create: c.kind = command_kind::run; break;
    case op_kind::adopt:
      c.kind = command_kind::adopt;
      c.pull = pull_policy::if_missing;  // what ran is to run on, not something newer
      c.original = op.original;
      break;
    case op_kind::start:
    case op_kind::restore:
      c.kind = command_kind::run;
      c.pull = pull_policy::if_missing;  // what ran before can run again while the registry is away
      break;
    case op_kind::recreate:
      c.kind = embodied ? command_kind::replace : command_kind::run;
      c.pull = pull_policy::if_missing;
      break;
    case op_kind::rebuild:
      c.kind = embodied ? command_kind::replace : command_kind::run;
      c.pull = pull_policy::always;
      break;
    case op_kind::stop: c.kind = command_kind::stop; break;
    case op_kind::restart: c.kind = command_kind::restart; break;
    case op_kind::remove: c.kind = command_kind::remove; break;
    case op_kind::purge:
      c.kind = command_kind::purge;
      c.remove_data = op.remove_data;
      break;
    case op_kind::move:
      c.kind = detail::switched(s, op) ? command_kind::drop_source : command_kind::move;
      c.pull = pull_policy::if_missing;
      c.data_from = op.data_from;
      c.data_to = op.data_to;
      break;
    case op_kind::edit:  // ends in the decision that opens it
    case op_kind::create_project:
    case op_kind::edit_project:
    case op_kind::remove_project:
    case op_kind::create_service:
    case op_kind::edit_service:
    case op_kind::remove_service:
    case op_kind::deploy:
    case op_kind::start_service:
    case op_kind::stop_service:
    case op_kind::rollback: break;
  }
  return c;
}

namespace {

// The record as it will be once the facts so far are committed: later rules of the same decision look at it.
server preview(const server& s, const decision& d, time_point now) {
  server next = s;
  for (const auto& f : d.facts) evolve(next, f, now);
  return next;
}

bool wants_recovery(const server& s, const context& cx) {
  if (s.op || !cx.agent_online || cx.recovery_held || s.status != server_status::missing ||
      s.desired != desired_state::running || s.recovery != recovery_policy::automatic || s.stale ||
      (s.data != data_state::present && !nothing_to_lose(s)))
    return false;
  return cx.now >= retry_at(s);
}

// A removal that failed is tried again by the next sync, then at growing distance.
time_point removal_retry_at(const server& s) {
  const bool tried = s.last_error && s.last_error->code != ec::agent_unreachable;
  if (!tried || s.failed_at == never) return never;
  return s.failed_at + std::clamp(s.failed_at - s.deleted_at, duration{0}, recovery_retry);
}

// The record with the facts so far. A sync of very many servers mostly finds nothing new: nothing is copied then.
const server& foreseen(const server& s, const decision& d, time_point now, std::optional<server>& room) {
  return d.facts.empty() ? s : room.emplace(preview(s, d, now));
}

// What level-triggered reconciliation adds to whatever else was decided: deletions and recoveries still owed.
void reconcile(decision& d, const server& s, const context& cx, bool container_seen) {
  std::optional<server> changed;
  const server& next = foreseen(s, d, cx.now, changed);
  if (next.op) return;
  if (wants_recovery(next, cx)) {
    if (d.facts.empty()) d.why.kind = cause_kind::recovery;
    detail::open(d, next, detail::system_operation(next, op_kind::recreate, "system:recovery", cx), cx);
    return;
  }
  const bool gone = next.status == server_status::deleted || next.status == server_status::deleting;
  if (gone && next.desired != desired_state::purged && container_seen && cx.agent_online &&
      cx.now >= removal_retry_at(next)) {
    if (next.status != server_status::deleting)
      d.facts.emplace_back(status_changed{next.status, server_status::deleting, "a container of it was seen"});
    detail::open(d, preview(s, d, cx.now), detail::system_operation(next, op_kind::remove, "system:reconcile", cx), cx);
  }
}

}  // namespace

decision detail::decide_seen(const server& s, const seen& in, const context& cx) {
  decision d;
  d.why = {in.kind, in.hint, {}};
  if (s.id.empty() || s.status == server_status::purged || s.op) return d;
  std::string reason = in.hint.empty() ? "seen by sync" : "container " + in.hint;
  d.facts = facts_of(s, in.what, reason);
  std::optional<server> changed;
  const server& next = foreseen(s, d, cx.now, changed);
  // It fell over by itself: say how, beside the state.
  const bool fell = s.status == server_status::running && next.status == server_status::stopped &&
                    s.desired == desired_state::running && in.what.view.exit_code != 0;
  if (fell)
    d.facts.emplace_back(
        error_changed{error{ec::engine_error,
                            "its container ended with exit code " + std::to_string(in.what.view.exit_code),
                            "zedctl server logs " + s.name,
                            {}}});
  if (next.status == server_status::running && s.status != server_status::running && s.last_error)
    d.facts.emplace_back(error_changed{});
  if (s.status == server_status::deleting && s.desired == desired_state::deleted &&
      in.what.container == presence::absent) {
    d.facts.emplace_back(status_changed{s.status, server_status::deleted, "its container is gone"});
    if (s.last_error) d.facts.emplace_back(error_changed{});
  }
  reconcile(d, s, cx, in.what.container == presence::present);
  return d;
}

namespace {

decision decide_data_seen(const server& s, const data_seen& in, const context& cx) {
  decision d;
  d.why = {cause_kind::sync, "data", {}};
  if (s.id.empty() || s.op || s.status == server_status::purged) return d;
  auto seen = as_known(s);
  seen.stale = in.data == data_state::unknown;
  seen.data_problem = seen.stale ? in.problem.substr(0, problem_bytes_max) : std::string{};
  if (!seen.stale) seen.data = in.data;
  seen.data_bytes = in.bytes ? in.bytes : seen.data == s.data ? s.data_bytes : std::nullopt;
  seen.observed_at = cx.now;
  if (seen.data != s.data || seen.data_bytes != s.data_bytes || seen.stale != s.stale ||
      seen.data_problem != s.data_problem)
    d.facts.emplace_back(std::move(seen));
  reconcile(d, s, cx, false);
  return d;
}

decision decide_unseen(const server& s, const unseen& in, const context& cx) {
  decision d;
  d.why = {cause_kind::sync, in.failure.message, {}};
  if (s.id.empty() || s.op || s.stale || s.status == server_status::purged) return d;
  auto seen = as_known(s);
  seen.stale = true;
  seen.observed_at = cx.now;
  d.facts.emplace_back(std::move(seen));
  return d;
}

decision decide_progressed(const server& s, const progressed& in, const context& cx) {
  const auto& r = in.report;
  decision d;
  d.why = {cause_kind::report, r.op.value, {}};
  if (!s.op || s.op->id != r.op || s.op->attempt != r.attempt) return d;
  if (s.op->step == detail::step_cancelling) return d;
  if (s.op->step == r.step && s.op->progress == r.progress && s.op->note == r.note) return d;
  const auto deadline = std::max(s.op->deadline, cx.now + stall_max);
  // It runs, and has yet to prove that it stays up: people see that now.
  const bool may_run = s.status != server_status::deleting && s.status != server_status::deleted;
  if (r.seen && may_run && r.seen->container == presence::present) {
    d.facts = facts_of(s, *r.seen, "started");
    if (s.status == server_status::creating && status_seen(s, *r.seen) == server_status::running)
      d.facts.emplace_back(status_changed{s.status, server_status::running, "started"});
  }
  d.facts.emplace_back(operation_progressed{r.op, op_status::running, r.step, std::min<uint32_t>(r.progress, 100),
                                            r.note, r.attempt, deadline});
  return d;
}

decision decide_ready(const server& s, const context& cx) {
  decision d;
  d.why = {cause_kind::link, {}, {}};
  if (s.id.empty() || s.status == server_status::purged || !cx.agent_online) return d;
  if (!s.op) {
    // Given up while the agent was away: what has not begun there must not begin any more.
    if (s.last_error && !s.last_error->operation.empty())
      d.effects.emplace_back(withdraw_command{operation_id{s.last_error->operation}});
    reconcile(d, s, cx, false);
    return d;
  }
  d.why.ref = s.op->id.value;
  d.why.actor = s.op->actor;
  if (s.op->step == step_waiting)
    d.facts.emplace_back(operation_progressed{s.op->id, s.op->status, "sent", s.op->progress, "its agent is back",
                                              s.op->attempt, cx.now + cx.time_max[static_cast<size_t>(s.op->kind)]});
  auto command = command_for(s, *s.op, cx);
  command.again = !never_sent(*s.op);
  d.effects.emplace_back(std::move(command));
  if (s.op->step == detail::step_cancelling) d.effects.emplace_back(withdraw_command{s.op->id});
  return d;
}

// Its agent was lost after the command was sent. What an agent that is away is asked to do waits for it, whenever it
// left; the same attempt is sent again then, and the agent knows whether it has done it already.
bool back_to_waiting(decision& d, const operation& op, const context& cx) {
  const auto rule = row_of(op.kind).offline;
  const bool kept = rule == offline_rule::keep || rule == offline_rule::resume;
  if (cx.agent_online || !kept || op.step == step_waiting) return false;
  d.facts.emplace_back(operation_progressed{op.id, op_status::running, std::string(step_waiting), op.progress,
                                            "its agent was lost; it continues when the agent is back", op.attempt,
                                            cx.now + waiting_max});
  return true;
}

condition_changed condition_fact(const server& s, std::vector<condition> list) {
  condition_changed f;
  if (holds(list, condition::restarting) && s.restart_run) {
    f.restarts = s.restart_run->count;
    f.restarting_since = s.restart_run->since;
  }
  f.condition = std::move(list);
  return f;
}

// It has run long enough without a restart.
decision end_of_series(const server& s, decision d) {
  d.why.ref = "quiet";
  auto calm = s;
  calm.restart_run.reset();
  d.facts.emplace_back(condition_fact(calm, conditions_of(calm)));
  return d;
}

decision decide_tick(const server& s, const context& cx) {
  decision d;
  d.why = {cause_kind::timer, {}, {}};
  const auto due = next_due(s);
  if (due == never || due > cx.now) return d;
  if (s.op) {
    d.why.ref = s.op->id.value;
    if (back_to_waiting(d, *s.op, cx)) return d;
    const bool waited = s.op->step == step_waiting;
    if (!never_sent(*s.op)) d.effects.emplace_back(withdraw_command{s.op->id});
    error e = waited ? error{ec::agent_unreachable,
                             "its agent did not come back in time",
                             "start zedops-agent on its host and repeat the request",
                             {}}
                     : error{ec::timeout,
                             std::string(name_of(s.op->kind)) +
                                 " did not end in time (last step: " + (s.op->step.empty() ? "sent" : s.op->step) + ")",
                             "zedctl server history " + s.name,
                             {}};
    return detail::end_without_report(s, std::move(e), std::move(d), cx);
  }
  if (in_restart_series(s)) return end_of_series(s, std::move(d));
  if (!cx.agent_online) return d;  // retried until its agent is back
  d.why.ref = "retention";
  auto op = detail::system_operation(s, op_kind::purge, "system:retention", cx);
  op.remove_data = true;
  d.facts.emplace_back(desired_changed{desired_state::purged});
  d.facts.emplace_back(status_changed{s.status, server_status::deleting, "retention is over"});
  detail::open(d, s, std::move(op), cx);
  return d;
}

// Whatever a decision changes: when it changes how well the server is, there is an event for it.
void note_condition(decision& d, const server& s, const context& cx) {
  if (d.facts.empty() || s.id.empty()) return;
  if (d.refusal || std::holds_alternative<condition_changed>(d.facts.back())) return;
  const auto next = preview(s, d, cx.now);
  if (next.status == server_status::purged) return;
  if (auto now = conditions_of(next); now != conditions_of(s)) d.facts.push_back(condition_fact(next, std::move(now)));
}

}  // namespace

decision decide(const server& s, const input& in, const context& cx) {
  auto d = std::visit(overload{
                          [&](const created& x) { return detail::decide_created(s, x, cx); },
                          [&](const requested& x) { return detail::decide_request(s, x, cx); },
                          [&](const cancel_requested& x) { return detail::decide_cancel(s, x, cx); },
                          [&](const progressed& x) { return decide_progressed(s, x, cx); },
                          [&](const reported& x) { return detail::decide_reported(s, x, cx); },
                          [&](const seen& x) { return detail::decide_seen(s, x, cx); },
                          [&](const unseen& x) { return decide_unseen(s, x, cx); },
                          [&](const agent_ready&) { return decide_ready(s, cx); },
                          [&](const tick&) { return decide_tick(s, cx); },
                          [&](const data_seen& x) { return decide_data_seen(s, x, cx); },
                          [&](const acted& x) { return detail::decide_acted(s, x, cx); },
                          [&](const given_up& x) { return detail::decide_given_up(s, x, cx); },
                      },
                      in);
  note_condition(d, s, cx);
  return d;
}

}  // namespace zedops::core
