// What an agent reports of a command, and what follows when it never does.
#include "actors/core/server/decide_adopt.hpp"
#include "actors/core/server/decide_move.hpp"
#include "actors/core/server/decide_request.hpp"
#include "actors/core/server/observe.hpp"

namespace zedops::core::detail {

using namespace msg;

namespace {

constexpr bool makes_container(op_kind k) {
  return k == op_kind::create || k == op_kind::start || k == op_kind::restart || k == op_kind::recreate ||
         k == op_kind::rebuild || k == op_kind::restore || k == op_kind::move || k == op_kind::adopt;
}

// Where a server stands after an operation that did not succeed, if nothing was seen since.
server_status after_failure(const server& s, const operation& op) {
  switch (op.kind) {
    case op_kind::create: return server_status::failed;
    case op_kind::remove: return server_status::deleting;  // the desired state stays; every sync tries again
    case op_kind::adopt:  // unlike a failed create it may not begin with empty directories
    case op_kind::restore: return server_status::missing;
    case op_kind::purge: return s.deleted_at != never ? server_status::deleted : op.prior;
    case op_kind::start:
    case op_kind::stop:
    case op_kind::restart:
    case op_kind::rebuild:
    case op_kind::recreate:
    case op_kind::move:
    case op_kind::edit:
    case op_kind::create_project:
    case op_kind::edit_project:
    case op_kind::remove_project:
    case op_kind::create_service:
    case op_kind::edit_service:
    case op_kind::remove_service:
    case op_kind::deploy:
    case op_kind::start_service:
    case op_kind::stop_service:
    case op_kind::rollback: return op.prior;
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

void settle_success(decision& d, const server& s, const operation& op, const command_result& r, const context& cx) {
  if (op.kind == op_kind::purge) {
    // Data that could not be looked at is not gone: the next user of the name has to be asked.
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
  if (remade && s.pending_rebuild) {
    auto f = edited_as_is(s);
    f.pending_rebuild = false;
    d.facts.emplace_back(std::move(f));
  }
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
  if (op.kind == op_kind::adopt) leave_to_its_owner(d, s);
  if (told)
    for (auto& f : facts_of(base, told->after, std::string(name_of(op.kind)) + " failed"))
      d.facts.push_back(std::move(f));
  failure.operation = op.id.value;
  d.facts.emplace_back(error_changed{failure});
  end_operation(d, op, op_status::failed, failure, {}, cx.now, told);
}

// The ends of a move that are not plain failures.
void settle_move(decision& d, const server& s, const operation& op, command_result r, const context& cx) {
  if (!switched(s, op) && !r.failure) return settle_switch(d, s, op, r, cx);
  if (!switched(s, op)) {  // it was cancelled, and the agent has rolled everything back
    for (auto& f : facts_of(s, r.after, "move cancelled")) d.facts.push_back(std::move(f));
    return end_operation(d, op, op_status::cancelled, {}, r.failure->message, cx.now, &r);
  }
  if (r.failure) r.note = leftover_note(s, op, *r.failure);
  settle_success(d, s, op, r, cx);
}

// A refusal is not about the work, which was not begun. It ends only what this life of the manager asked for, and only
// where asking again gives the same: what the agent's disk could not record, and what was cancelled. The rest is sent
// again after a sync, until the deadline.
bool decides_nothing(const operation& op, const command_result& r, const context& cx) {
  switch (r.refusal) {
    case agent_refusal::none: return r.failure && r.failure->code == ec::not_leader;  // an agent that knows no refusals
    case agent_refusal::outdated:
    case agent_refusal::lanes_full:
    case agent_refusal::stopping: return true;
    case agent_refusal::withdrawn: return r.term != cx.term || op.step != step_cancelling;
    case agent_refusal::not_kept: return r.term != cx.term || op.progress > 0;
  }
  return true;
}

}  // namespace

decision decide_reported(const server& s, const reported& in, const context& cx) {
  const auto& r = in.report;
  decision d;
  if (!s.op || s.op->id != r.op) {  // late: what it saw still counts
    const bool blind = r.after.container == presence::unknown && r.after.data == data_state::unknown;
    if (r.failure && blind) return d;  // refused or withdrawn without a look
    d = decide_seen(s, seen{r.after, cause_kind::report, "late report of " + r.op.value}, cx);
    follow_late_switch(d, s, r);
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
                         "its container " + r.after.view.name + " still exists",
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
  } else if (never_was(op, r)) {
    forget_adoption(d, op, r, cx);
  } else if (op.kind == op_kind::move && (switched(s, op) || !r.failure || r.failure->code == ec::cancelled)) {
    settle_move(d, s, op, r, cx);
  } else if (r.failure) {
    settle_failure(d, s, op, *r.failure, &r, cx);
  } else {
    settle_success(d, s, op, r, cx);
  }
  return d;
}

decision end_without_report(const server& s, error why, decision d, const context& cx) {
  const auto& op = *s.op;
  if (switched(s, op)) end_operation(d, op, op_status::succeeded, {}, leftover_note(s, op, why), cx.now, nullptr);
  else settle_failure(d, s, op, std::move(why), nullptr, cx);
  d.effects.emplace_back(request_sync{});
  return d;
}

}  // namespace zedops::core::detail
