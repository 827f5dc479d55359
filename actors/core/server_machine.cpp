#include "actors/core/server_machine.hpp"

#include <algorithm>

#include "actors/core/decide_adopt.hpp"
#include "actors/core/decide_move.hpp"
#include "actors/core/decide_request.hpp"
#include "actors/core/observe.hpp"
#include "actors/core/overload.hpp"
#include "messages/condition.hpp"

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
    case op_kind::edit: break;  // ends in the decision that opens it
  }
  return c;
}

namespace {

constexpr bool makes_container(op_kind k) {
  return k == op_kind::create || k == op_kind::start || k == op_kind::restart || k == op_kind::recreate ||
         k == op_kind::rebuild || k == op_kind::restore || k == op_kind::move || k == op_kind::adopt;
}

// Where a server stands after an operation that did not succeed, if nothing was seen since.
server_status after_failure(const server& s, const operation& op) {
  switch (op.kind) {
    case op_kind::create: return server_status::failed;
    case op_kind::remove: return server_status::deleting;  // the wish stays; every sync tries again
    case op_kind::adopt:  // unlike a failed create it may not begin with empty directories
    case op_kind::restore: return server_status::missing;
    case op_kind::purge: return s.deleted_at != never ? server_status::deleted : op.prior;
    case op_kind::start:
    case op_kind::stop:
    case op_kind::restart:
    case op_kind::rebuild:
    case op_kind::recreate:
    case op_kind::move:
    case op_kind::edit: return op.prior;
  }
  return op.prior;
}

// `told`: what the agent reports of it, if it does.
void end_operation(decision& d, const operation& op, op_status status, std::optional<error> failure, std::string note,
                   time_point now, const command_result* told) {
  if (failure) failure->operation = op.id.value;
  d.facts.emplace_back(operation_ended{op.id, status, std::move(failure), std::move(note), now,
                                       told ? told->calls : std::vector<engine_call>{}});
}

// The record as it will be once the facts so far are committed: later rules of the same decision look at it.
server preview(const server& s, const decision& d, time_point now) {
  server next = s;
  for (const auto& f : d.facts) evolve(next, f, now);
  return next;
}

bool wants_recovery(const server& s, const context& cx) {
  if (s.op || !cx.agent_online || s.status != server_status::missing || s.desired != desired_state::running ||
      s.recovery != recovery_policy::automatic || s.stale || (s.data != data_state::present && !nothing_to_lose(s)))
    return false;
  return !s.last_error || cx.now - s.updated_at >= recovery_retry;
}

// What level-triggered reconciliation adds to whatever else was decided: deletions and recoveries still owed.
void reconcile(decision& d, const server& s, const context& cx, bool container_seen) {
  auto next = preview(s, d, cx.now);
  if (next.op) return;
  if (wants_recovery(next, cx)) {
    if (d.facts.empty()) d.why.kind = cause_kind::recovery;
    detail::open(d, next, detail::system_operation(next, op_kind::recreate, "system:recovery", cx), cx);
    return;
  }
  const bool gone = next.status == server_status::deleted || next.status == server_status::deleting;
  if (gone && next.desired != desired_state::purged && container_seen && cx.agent_online) {
    if (next.status != server_status::deleting)
      d.facts.emplace_back(status_changed{next.status, server_status::deleting, "a container of it was seen"});
    next = preview(s, d, cx.now);
    detail::open(d, next, detail::system_operation(next, op_kind::remove, "system:reconcile", cx), cx);
  }
}

decision decide_seen(const server& s, const seen& in, const context& cx) {
  decision d;
  d.why = {in.kind, in.hint, {}};
  if (s.id.empty() || s.status == server_status::purged || s.op) return d;
  std::string reason = in.hint.empty() ? "seen by sync" : "container " + in.hint;
  d.facts = facts_of(s, in.what, reason);
  const auto next = preview(s, d, cx.now);
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

decision decide_data_seen(const server& s, const data_seen& in, const context& cx) {
  decision d;
  d.why = {cause_kind::sync, "data", {}};
  if (s.id.empty() || s.op || s.status == server_status::purged) return d;
  const bool unknown = in.data == data_state::unknown;
  const auto data = unknown ? s.data : in.data;
  const auto bytes = in.bytes ? in.bytes : (data == s.data ? s.data_bytes : std::nullopt);
  if (data != s.data || bytes != s.data_bytes || unknown != s.stale)
    d.facts.emplace_back(server_observed{s.container, s.health, s.exit_code, s.restarts, data, bytes, unknown, cx.now});
  reconcile(d, s, cx, false);
  return d;
}

decision decide_unseen(const server& s, const unseen& in, const context& cx) {
  decision d;
  d.why = {cause_kind::sync, in.failure.message, {}};
  if (s.id.empty() || s.op || s.stale || s.status == server_status::purged) return d;
  d.facts.emplace_back(
      server_observed{s.container, s.health, s.exit_code, s.restarts, s.data, s.data_bytes, true, cx.now});
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

void settle_success(decision& d, const server& s, const operation& op, const command_result& r, const context& cx) {
  if (op.kind == op_kind::purge) {
    // Data that could not be looked at is not gone: whoever takes the name next has to be asked.
    const bool kept = !op.remove_data && (r.after.data == data_state::present || r.after.data == data_state::unknown);
    end_operation(d, op, op_status::succeeded, {}, r.note, cx.now, &r);
    d.facts.emplace_back(server_purged{op.remove_data, kept ? s.data_path + "/" + s.name : std::string{},
                                       op.remove_data ? r.bytes_removed : r.after.data_bytes});
    d.effects.emplace_back(forget{});
    return;
  }
  for (auto& f : facts_of(s, r.after, std::string(name_of(op.kind)))) d.facts.push_back(std::move(f));
  if (op.kind == op_kind::remove && s.status != server_status::deleted)
    d.facts.emplace_back(status_changed{s.status, server_status::deleted, "its container is gone"});
  const bool born_now = op.kind == op_kind::create || op.kind == op_kind::adopt;
  if (born_now && s.status == server_status::creating) {
    auto born = s;
    born.status = server_status::missing;  // from where every observation leads on
    const auto to = status_seen(born, r.after);
    d.facts.emplace_back(status_changed{s.status, to == server_status::missing ? server_status::failed : to,
                                        op.kind == op_kind::create ? "created" : "adopted"});
  }
  const bool remade = born_now || op.kind == op_kind::rebuild || op.kind == op_kind::recreate ||
                      (makes_container(op.kind) && r.after.view.id != s.container_id);
  if (remade && s.pending_rebuild)
    d.facts.emplace_back(
        server_edited{s.image, s.image_tag, s.env, s.data_path, s.recovery, false, s.crash, s.priority});
  if (s.last_error) d.facts.emplace_back(error_changed{});
  end_operation(d, op, op_status::succeeded, {}, r.note, cx.now, &r);
}

void settle_failure(decision& d, const server& s, const operation& op, error failure, const command_result* told,
                    const context& cx) {
  auto base = s;
  const auto fallback = after_failure(s, op);
  if (fallback != s.status) {
    d.facts.emplace_back(status_changed{s.status, fallback, std::string(name_of(op.kind)) + " failed"});
    base.status = fallback;
  }
  if (op.kind == op_kind::purge && op.prior_desired != s.desired) {
    d.facts.emplace_back(desired_changed{s.deleted_at != never ? desired_state::deleted : op.prior_desired});
    d.effects.emplace_back(watch{});  // its agent guards it again
  }
  if (op.kind == op_kind::adopt) detail::leave_to_its_owner(d, s);
  if (told)
    for (auto& f : facts_of(base, told->after, std::string(name_of(op.kind)) + " failed"))
      d.facts.push_back(std::move(f));
  failure.operation = op.id.value;
  d.facts.emplace_back(error_changed{failure});
  end_operation(d, op, op_status::failed, failure, {}, cx.now, told);
}

// What is not simply a failure of it.
void settle_move(decision& d, const server& s, const operation& op, command_result r, const context& cx) {
  if (!detail::switched(s, op) && !r.failure) return detail::settle_switch(d, s, op, r, cx);
  if (!detail::switched(s, op)) {  // it was cancelled, and the agent has put everything back
    for (auto& f : facts_of(s, r.after, "move cancelled")) d.facts.push_back(std::move(f));
    return end_operation(d, op, op_status::cancelled, {}, r.failure->message, cx.now, &r);
  }
  if (r.failure) r.note = detail::leftover_note(s, op, *r.failure);
  settle_success(d, s, op, r, cx);
}

// Not of the work, which was not begun. Only what this life asked for is answered by it, and only where asking again
// gives the same: what its agent's disk does not keep, and what was called off. The rest is sent again after a sync,
// until the deadline.
bool decides_nothing(const operation& op, const command_result& r, const context& cx) {
  switch (r.refusal) {
    case agent_refusal::none: return r.failure && r.failure->code == ec::not_leader;  // an agent that knows no refusals
    case agent_refusal::outdated:
    case agent_refusal::lanes_full:
    case agent_refusal::stopping: return true;
    case agent_refusal::withdrawn: return r.term != cx.term || op.step != detail::step_cancelling;
    case agent_refusal::not_kept: return r.term != cx.term;
  }
  return true;
}

decision decide_reported(const server& s, const reported& in, const context& cx) {
  const auto& r = in.report;
  decision d;
  if (!s.op || s.op->id != r.op) {  // late: what it saw still counts
    const bool blind = r.after.container == presence::unknown && r.after.data == data_state::unknown;
    if (r.failure && blind) return d;  // refused or withdrawn without a look
    d = decide_seen(s, seen{r.after, cause_kind::report, "late report of " + r.op.value}, cx);
    detail::follow_late_switch(d, s, r);
    return d;
  }
  const auto op = *s.op;
  if (r.attempt != op.attempt) return d;  // of an earlier command for it, repeated
  if (decides_nothing(op, r, cx)) {
    d.effects.emplace_back(request_sync{});
    return d;
  }
  d.why = {cause_kind::report, op.id.value, op.actor};
  d.fresh_start = r.fresh_start && op.fresh;
  // What was to be removed must not be there: the agent's word alone is not enough.
  const bool removes = op.kind == op_kind::remove || op.kind == op_kind::purge;
  if (removes && !r.failure && r.after.container == presence::present) {
    settle_failure(d, s, op,
                   error{ec::engine_error,
                         "its container " + r.after.view.name + " is still there",
                         "look at it on its host: docker ps -a",
                         {}},
                   &r, cx);
    return d;
  }
  const bool came_to_nothing = op.kind == op_kind::restore && r.failure &&
                               (r.failure->code == ec::no_data || r.failure->code == ec::data_unknown);
  if (came_to_nothing) {
    for (auto& f : facts_of(s, r.after, "restore")) d.facts.push_back(std::move(f));
    end_operation(d, op, op_status::succeeded, {},
                  r.failure->code == ec::no_data ? std::string(restored_without_data)
                                                 : "restored, but not running: " + r.failure->message,
                  cx.now, &r);
  } else if (detail::never_was(op, r)) {
    detail::forget_adoption(d, op, r, cx);
  } else if (op.kind == op_kind::move && (detail::switched(s, op) || !r.failure || r.failure->code == ec::cancelled)) {
    settle_move(d, s, op, r, cx);
  } else if (r.failure) {
    settle_failure(d, s, op, *r.failure, &r, cx);
  } else {
    settle_success(d, s, op, r, cx);
  }
  return d;
}

decision decide_ready(const server& s, const context& cx) {
  decision d;
  d.why = {cause_kind::link, {}, {}};
  if (s.id.empty() || s.status == server_status::purged || !cx.agent_online) return d;
  if (!s.op) {
    reconcile(d, s, cx, false);
    return d;
  }
  d.why.ref = s.op->id.value;
  d.why.actor = s.op->actor;
  if (s.op->step == step_waiting)
    d.facts.emplace_back(operation_progressed{s.op->id, op_status::accepted, "sent", 0, "its agent is back",
                                              s.op->attempt, cx.now + cx.time_max[static_cast<size_t>(s.op->kind)]});
  d.effects.emplace_back(command_for(s, *s.op, cx));
  if (s.op->step == detail::step_cancelling) d.effects.emplace_back(withdraw_command{s.op->id});
  return d;
}

// Its agent was lost after the command was sent. What an agent that is away is asked to do waits for it, whenever it
// went; the same attempt is sent again then, and the agent knows whether it has done it already.
bool back_to_waiting(decision& d, const operation& op, const context& cx) {
  const auto rule = row_of(op.kind).offline;
  const bool kept = rule == offline_rule::keep || rule == offline_rule::resume;
  if (cx.agent_online || !kept || op.step == step_waiting) return false;
  d.facts.emplace_back(operation_progressed{op.id, op_status::running, std::string(step_waiting), op.progress,
                                            "its agent was lost; it goes on when the agent is back", op.attempt,
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
    if (detail::switched(s, *s.op))
      end_operation(d, *s.op, op_status::succeeded, {}, detail::leftover_note(s, *s.op, e), cx.now, nullptr);
    else settle_failure(d, s, *s.op, std::move(e), nullptr, cx);
    d.effects.emplace_back(request_sync{});
    return d;
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

// Whatever a decision changes, people hear of it when it changes how well the server is.
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
                          [&](const reported& x) { return decide_reported(s, x, cx); },
                          [&](const seen& x) { return decide_seen(s, x, cx); },
                          [&](const unseen& x) { return decide_unseen(s, x, cx); },
                          [&](const agent_ready&) { return decide_ready(s, cx); },
                          [&](const tick&) { return decide_tick(s, cx); },
                          [&](const data_seen& x) { return decide_data_seen(s, x, cx); },
                          [&](const acted& x) { return detail::decide_acted(s, x, cx); },
                      },
                      in);
  note_condition(d, s, cx);
  return d;
}

}  // namespace zedops::core
