#include "actors/core/deploy/service_machine.hpp"

#include "actors/core/deploy/service_flow.hpp"
#include "actors/core/overload.hpp"

namespace zedops::core {

using namespace msg;
using namespace detail;

namespace {

error no_such_service() { return {ec::not_found, "there is no such service", "zedctl service ls", {}}; }

service_decision on_progress(const service& s, const command_progress& r, const service_context& cx) {
  flow f(s, cx, {cause_kind::report, r.op.value, {}});
  if (!s.op || s.op->id != r.op || s.op->attempt != r.attempt) return std::move(f.d);
  auto progress = s.op->progress;
  if (s.run && !s.run->going_back) progress = std::max(progress, overall_progress(s.run->phase, r.progress));
  const auto deadline = std::max(s.op->deadline, cx.now + cx.stall);
  // A report without news shows that the agent still works on it; but not every such report is worth a commit.
  const bool same = progress == s.op->progress && r.note == s.op->note;
  if (same && deadline - s.op->deadline < cx.stall / 4) return std::move(f.d);
  f.add(operation_progressed{r.op, op_status::running, s.op->step, progress, r.note, r.attempt, deadline});
  return std::move(f.d);
}

// The agent has not begun it: that says nothing about the work itself.
bool decides_nothing(const command_result& r) {
  switch (r.refusal) {
    case agent_refusal::none: return r.failure && r.failure->code == ec::not_leader;
    case agent_refusal::not_kept: return false;
    case agent_refusal::outdated:
    case agent_refusal::lanes_full:
    case agent_refusal::stopping:
    case agent_refusal::withdrawn: return true;
  }
  return true;
}

service_decision on_report(const service& s, const command_result& r, const service_context& cx) {
  flow f(s, cx, {cause_kind::report, r.op.value, s.op ? s.op->actor : std::string{}});
  if (!s.op || s.op->id != r.op || s.op->attempt != r.attempt) return std::move(f.d);
  if (decides_nothing(r)) {
    f.d.effects.emplace_back(look_again{});
    return std::move(f.d);
  }
  if (!s.run) {
    if (!r.failure && s.op->kind == op_kind::start_service) {
      f.add(service_started{});
      f.remember_container(r.proof);
    }
    if (!r.failure && s.op->kind == op_kind::stop_service) {
      f.add(service_stopped{});
      if (s.health != service_health::unknown)
        f.add(service_health_changed{s.health, service_health::unknown, "stopped by a user"});
    }
    f.end(r.failure ? op_status::failed : op_status::succeeded, r.failure, r.note);
    if (!r.failure && s.op->kind == op_kind::remove_service) f.add(service_removed{s.name});
  } else if (s.run->going_back) {
    auto why = s.run->failure;
    if (r.failure && why) why->message += "; and the previous version could not be restored: " + r.failure->message;
    if (r.failure && !why) why = r.failure;
    if (!r.failure) f.remember_container(r.proof);
    f.end_run(std::move(why));
  } else if (r.failure) {
    f.fail(r.failure);
  } else {
    f.begin_phase(next_phase(s.run->phase), r.proof);
  }
  return std::move(f.d);
}

service_decision ready(const service& s, const service_context& cx) {
  flow f(s, cx, {cause_kind::link, s.op ? s.op->id.value : std::string{}, s.op ? s.op->actor : std::string{}});
  if (!s.op || !cx.agent_online) return std::move(f.d);
  const bool begun = s.op->attempt > 0;
  if (!begun && s.run)
    f.begin_phase(s.run->is_rollback ? deploy_phase::creating_symlinks : deploy_phase::pulling_source, {});
  else if (!begun) {
    f.step(step_of(s), 0, {});
    f.send();
  } else {
    if (s.op->step == step_waiting) {
      f.add(operation_progressed{s.op->id, op_status::running, std::string(step_of(s)), s.op->progress,
                                 "its agent is back", s.op->attempt, cx.now + cx.stall});
    }
    f.send();
  }
  return std::move(f.d);
}

service_decision cancel(const service& s, const cancel_requested& c, const service_context& cx) {
  flow f(s, cx, {cause_kind::request, c.op.value, c.actor});
  // A stop, a start or a removal that its agent has begun with is over soon; one that waits for the agent may not be.
  const bool at_work_without_run = s.op && !s.run && s.op->attempt > 0 && cx.agent_online;
  if (s.waiting && s.waiting->id == c.op) {
    f.drop_waiting("cancelled before it began");
  } else if (!s.op || s.op->id != c.op || at_work_without_run) {
    f.d.refusal = error{ec::wrong_state, "the operation has ended, or cannot be cancelled",
                        "zedctl op get " + c.op.value, c.op.value};
  } else if (!cx.agent_known) {
    f.end_open(std::nullopt);
  } else if (s.run && s.run->going_back) {
    f.d.refusal = error{ec::wrong_state, "it is being rolled back already", "zedctl op wait " + c.op.value, c.op.value};
  } else {
    if (s.op->attempt > 0) f.d.effects.emplace_back(withdraw_phase{c.op});
    f.fail(std::nullopt);
  }
  return std::move(f.d);
}

// Nothing was deployed to it for as long as it lives. Without its agent the removal waits for that, as if a user had
// asked for it.
service_decision expired(const service& s, const service_context& cx) {
  flow f(s, cx, {cause_kind::timer, "expiry", "system:expiry"});
  if (!cx.clock_trusted || s.expires_at == never || s.expires_at > cx.now) return std::move(f.d);
  const auto what = "expired " + std::to_string(cx.term);
  const request_info who{system_operation_id({s.id.value}, what, s.revision), "system:expiry", {}, 0};
  if (!cx.agent_known) return remove_at_once(s, who, cx);
  begin_removal(f, who);
  return std::move(f.d);
}

service_decision due(const service& s, const service_context& cx) {
  if (!s.op) return expired(s, cx);
  flow f(s, cx, {cause_kind::timer, "deadline", {}});
  if (!cx.agent_known) {  // no agent can come to go on with it
    if (s.waiting) f.drop_waiting("its host was given up");
    f.end_open(host_given_up(s, ec::agent_unreachable));
    return std::move(f.d);
  }
  if (s.op->deadline > cx.now) return std::move(f.d);
  if (!cx.agent_online && s.op->step != step_waiting) {
    f.add(operation_progressed{s.op->id, op_status::running, std::string(step_waiting), s.op->progress,
                               "its agent was lost; it continues when the agent is back", s.op->attempt,
                               cx.now + waiting_max});
    return std::move(f.d);
  }
  const error why{ec::timeout,
                  s.op->step == step_waiting ? "its agent did not come back within " + format_duration(waiting_max)
                                             : "no progress in " + s.op->step + " for " + format_duration(cx.stall),
                  "check the host and the agent's log, then deploy again", s.op->id.value};
  if (s.op->attempt > 0) f.d.effects.emplace_back(withdraw_phase{s.op->id});
  if (s.run && s.run->going_back) f.end_run(s.run->failure ? s.run->failure : why);
  else if (s.op->step == step_waiting && s.run) f.end_run(why);
  else f.fail(why);
  return std::move(f.d);
}

// While a deployment switches, what is seen is not final.
service_decision observed(const service& s, const service_seen& seen, const service_context& cx) {
  flow f(s, cx, {cause_kind::sync, "files", {}});
  if (!seen.repairs.empty()) f.add(service_repaired{seen.repairs});
  if (!s.op && s.current != 0 && (seen.health != s.health || seen.reason != s.health_reason))
    f.add(service_health_changed{s.health, seen.health, seen.reason});
  return std::move(f.d);
}

}  // namespace

deploy_plan plan_for(const service& s, const service_context& cx) {
  deploy_plan p;
  p.project = s.project;
  p.project_name = s.project_name;
  p.service_name = s.name;
  p.port = s.port;
  p.keep = kept_deployments(s);
  p.kind = s.kind;
  p.port_beside = s.port_beside;
  if (s.run) {
    const auto first_of_switch = has_container(s) ? deploy_phase::updating_routes : deploy_phase::creating_symlinks;
    p.phase = s.run->going_back ? first_of_switch : s.run->phase;
    p.going_back = s.run->going_back;
    p.is_rollback = s.run->is_rollback;
    p.number = s.run->going_back ? s.current : s.run->number;
    p.stop = s.run->going_back && s.stopped;  // as it was
  } else {
    p.remove = s.op && s.op->kind == op_kind::remove_service;
    p.stop = s.op && s.op->kind == op_kind::stop_service;
    p.start = s.op && s.op->kind == op_kind::start_service;
    p.last = p.remove && cx.siblings == 0;
    if (!p.remove) p.number = s.current;
  }
  const auto* d = find_deployment(s, p.number);
  p.health_path = d && d->health_path ? *d->health_path : s.health_path;
  if (d) p.settings = d->settings;  // none: it was made when those that are the default were not stored
  else if (s.settings != service_settings{}) p.settings = s.settings;
  if (d) {
    p.source = d->source;
    if (const auto image = d->proof.find("image"); image != d->proof.end()) p.image = image->second;
  }
  return p;
}

service_decision decide(const service& s, const service_input& in, const service_context& cx) {
  if (const auto* made = std::get_if<new_service>(&in)) {
    const auto& r = made->record;
    auto op =
        detail::operation_for(op_kind::create_service, r.id.value, r.project_name + "/" + r.name, made->who, cx.now);
    if (!s.id.empty())
      return detail::refused<service_decision>(std::move(op), made->who,
                                               {ec::already_exists, "this service exists already", "", {}});
    return detail::at_once<service_decision>(std::move(op), {service_created{r}});
  }
  if (s.id.empty() || s.removed) {
    service_decision d;
    d.refusal = no_such_service();
    return d;
  }
  return std::visit(overload{
                        [&](const new_service&) { return service_decision{}; },
                        [&](const service_requested& x) { return on_request(s, x, cx); },
                        [&](const phase_progressed& x) { return on_progress(s, x.report, cx); },
                        [&](const phase_reported& x) { return on_report(s, x.report, cx); },
                        [&](const service_observed& x) { return observed(s, x.what, cx); },
                        [&](const agent_ready&) { return ready(s, cx); },
                        [&](const cancel_requested& x) { return cancel(s, x, cx); },
                        [&](const tick&) { return due(s, cx); },
                    },
                    in);
}

}  // namespace zedops::core
