#include "actors/core/deploy/service_machine.hpp"

#include <algorithm>

#include "actors/core/deploy/requests.hpp"
#include "actors/core/operation_facts.hpp"
#include "actors/core/overload.hpp"
#include "messages/base/time.hpp"

namespace zedops::core {

using namespace msg;

namespace {

constexpr std::string_view step_going_back = "going_back";
constexpr std::string_view step_removing = "removing";

// A decision in the making, and the record as it will be once its facts are committed.
struct flow {
  flow(const service& s, const service_context& context, cause why) : next(s), cx(context) { d.why = std::move(why); }

  void add(fact f) {
    evolve(next, f, cx.now);
    d.facts.push_back(std::move(f));
  }
  const deploy_run& run() const { return *next.run; }
  std::string label() const { return next.project_name + "/" + next.name; }

  // A phase begins: recorded, then its command leaves. What needs no agent is passed in the same step.
  void begin_phase(deploy_phase p, const std::map<std::string, std::string>& proof) {
    for (auto left = proof;; left.clear(), p = next_phase(p)) {
      if (p == deploy_phase::active) return succeed(left);
      if (run().is_rollback) add(rollback_phase_changed{p});
      else add(deployment_phase_changed{run().number, p, row_of(p).begins_at, left});
      if (!passes_at_once(p, next)) break;
    }
    if (p == deploy_phase::copying_files) prune();
    step(name_of(p), row_of(p).begins_at, {});
    send();
  }
  // A new command: another attempt of the operation.
  void step(std::string_view name, uint32_t progress, std::string note) {
    add(operation_progressed{next.op->id, op_status::running, std::string(name), std::max(next.op->progress, progress),
                             std::move(note), next.op->attempt + 1, cx.now + cx.stall});
  }
  void send() { d.effects.emplace_back(send_phase{next.op->id, next.op->attempt, plan_for(next, cx)}); }

  // Durable before the agent removes anything.
  void prune() {
    const auto kept = kept_deployments(next);
    deployments_pruned gone;
    for (const auto& x : next.deployments)
      if (!x.pruned && x.ended_at != never && std::ranges::find(kept, x.number) == kept.end())
        gone.numbers.push_back(x.number);
    if (!gone.numbers.empty()) add(std::move(gone));
  }

  void succeed(const std::map<std::string, std::string>& proof) {
    const auto number = run().number;
    if (run().is_rollback) {
      add(rollback_phase_changed{deploy_phase::active});
      add(rollback_ended{next.op->id, rollback_state::completed, {}});
    } else {
      add(deployment_phase_changed{number, deploy_phase::active, 100, proof});
      add(deployment_ended{number, deploy_status::success, {}});
    }
    if (next.health != service_health::healthy) add(service_health_changed{next.health, service_health::healthy, {}});
    end(op_status::succeeded, {}, "#" + std::to_string(number) + " is served");
  }

  // It has come to nothing. Once visitors may have seen it, what was served before is put back first.
  void fail(std::optional<error> why) {
    if (!next.run) return end(why ? op_status::failed : op_status::cancelled, std::move(why), {});
    if (!run().going_back && switches(run().phase)) {
      add(deployment_going_back{run().number, std::move(why)});
      step(step_going_back, 0, next.current ? "back to #" + std::to_string(next.current) : "back to nothing");
      return send();
    }
    end_run(std::move(why));
  }
  void end_run(std::optional<error> why) {
    const bool cancelled = !why;
    if (why) why->operation = next.op->id.value;
    if (run().is_rollback)
      add(rollback_ended{next.op->id, cancelled ? rollback_state::cancelled : rollback_state::failed,
                         why ? why->message : "called off"});
    else add(deployment_ended{run().number, cancelled ? deploy_status::cancelled : deploy_status::failed, why});
    end(cancelled ? op_status::cancelled : op_status::failed, std::move(why), {});
  }
  void end(op_status status, std::optional<error> why, std::string note) {
    add(operation_ended{next.op->id, status, std::move(why), std::move(note), cx.now, {}});
  }

  service_decision d;
  service next;
  const service_context& cx;
};

error no_such_service() { return {ec::not_found, "there is no such service", "zedctl service ls", {}}; }

std::optional<error> busy(const service& s) {
  if (!s.op) return std::nullopt;
  return error{ec::busy,
               s.project_name + "/" + s.name + " is busy: " + std::string(name_of(s.op->kind)) + " " + s.op->id.value +
                   " is at " + s.op->step,
               "wait for it: zedctl op wait " + s.op->id.value, s.op->id.value};
}

service_decision refuse(const service& s, op_kind kind, const request_info& who, const service_context& cx, error e) {
  return detail::refused<service_decision>(
      detail::operation_for(kind, s.id.value, s.project_name + "/" + s.name, who, cx.now), who, std::move(e));
}

// An operation that its agent works on.
operation long_operation(const service& s, op_kind kind, const request_info& who, const service_context& cx) {
  auto op = detail::operation_for(kind, s.id.value, s.project_name + "/" + s.name, who, cx.now);
  op.attempt = 0;  // counts the commands, and none was sent
  op.step = cx.agent_online ? std::string(name_of(deploy_phase::queued)) : std::string(step_waiting);
  op.deadline = cx.now + (cx.agent_online ? cx.stall : waiting_max);
  return op;
}

cause asked(const request_info& who) { return {cause_kind::request, who.op.value, who.actor}; }

service_decision deploy(const service& s, const service_requested& r, const deploy_service& what,
                        const service_context& cx) {
  flow f(s, cx, asked(r.who));
  f.add(operation_accepted{long_operation(s, op_kind::deploy, r.who, cx)});
  deployment made;
  made.id = r.who.op;
  made.number = s.deployed + 1;
  made.actor = r.who.actor;
  made.environment = what.environment;
  made.source = r.source;
  made.status = cx.agent_online ? deploy_status::queued : deploy_status::pending;
  made.phases.push_back({deploy_phase::queued, cx.now, {}});
  made.created_at = made.phase_updated_at = cx.now;
  f.add(deployment_started{std::move(made)});
  if (cx.agent_online) f.begin_phase(deploy_phase::pulling_source, {});
  return std::move(f.d);
}

service_decision roll_back(const service& s, const service_requested& r, const rollback_service& what,
                           const service_context& cx) {
  const auto* to = what.to == 0 ? previous_deployment(s) : find_deployment(s, what.to);
  const auto name = s.project_name + "/" + s.name;
  const auto no = [&](ec code, std::string message) {
    return refuse(s, op_kind::rollback, r.who, cx, {code, std::move(message), "zedctl deploy ls " + name, {}});
  };
  if (!to && what.to == 0) return no(ec::wrong_state, name + " has no earlier deployment that worked");
  if (!to) return no(ec::not_found, name + " has no deployment #" + std::to_string(what.to));
  const auto number = "#" + std::to_string(to->number);
  if (to->number == s.current) return no(ec::wrong_state, number + " is what " + name + " serves already");
  if (!to->worked) return no(ec::wrong_state, number + " of " + name + " never worked");
  if (to->pruned)
    return no(ec::wrong_state, "the files of " + number + " are removed: more were kept than the retention allows");
  flow f(s, cx, asked(r.who));
  f.add(operation_accepted{long_operation(s, op_kind::rollback, r.who, cx)});
  rollback made;
  made.id = r.who.op;
  made.from = s.current;
  made.to = to->number;
  made.actor = r.who.actor;
  made.started_at = cx.now;
  f.add(rollback_started{std::move(made)});
  if (cx.agent_online) f.begin_phase(deploy_phase::creating_symlinks, {});
  return std::move(f.d);
}

service_decision remove(const service& s, const service_requested& r, const service_context& cx) {
  if (!cx.agent_known)
    return detail::at_once<service_decision>(
        detail::operation_for(op_kind::remove_service, s.id.value, s.project_name + "/" + s.name, r.who, cx.now),
        {service_removed{s.name}});
  flow f(s, cx, asked(r.who));
  f.add(operation_accepted{long_operation(s, op_kind::remove_service, r.who, cx)});
  if (cx.agent_online) {
    f.step(step_removing, 0, {});
    f.send();
  }
  return std::move(f.d);
}

service_decision on_request(const service& s, const service_requested& r, const service_context& cx) {
  return std::visit(
      overload{
          [&](const edit_service& e) {
            auto op =
                detail::operation_for(op_kind::edit_service, s.id.value, s.project_name + "/" + s.name, r.who, cx.now);
            return detail::at_once<service_decision>(
                std::move(op),
                {service_edited{e.retention.value_or(s.retention), e.health_path.value_or(s.health_path)}});
          },
          [&](const remove_service&) {
            if (auto no = busy(s)) return refuse(s, op_kind::remove_service, r.who, cx, std::move(*no));
            return remove(s, r, cx);
          },
          [&](const deploy_service& x) {
            if (auto no = busy(s)) return refuse(s, op_kind::deploy, r.who, cx, std::move(*no));
            return deploy(s, r, x, cx);
          },
          [&](const rollback_service& x) {
            if (auto no = busy(s)) return refuse(s, op_kind::rollback, r.who, cx, std::move(*no));
            return roll_back(s, r, x, cx);
          },
          [&](const auto&) {
            return refuse(s, op_kind::edit_service, r.who, cx,
                          {ec::internal, "this is nothing for a service", "report this", {}});
          },
      },
      r.what);
}

service_decision on_progress(const service& s, const command_progress& r, const service_context& cx) {
  flow f(s, cx, {cause_kind::report, r.op.value, {}});
  if (!s.op || s.op->id != r.op || s.op->attempt != r.attempt) return std::move(f.d);
  auto progress = s.op->progress;
  if (s.run && !s.run->going_back) progress = std::max(progress, overall_progress(s.run->phase, r.progress));
  if (progress == s.op->progress && r.note == s.op->note) return std::move(f.d);
  f.add(operation_progressed{r.op, op_status::running, s.op->step, progress, r.note, r.attempt,
                             std::max(s.op->deadline, cx.now + cx.stall)});
  return std::move(f.d);
}

// The agent has not begun with it: of the work itself that says nothing.
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
  if (!s.run) {  // the removal of all of it
    f.end(r.failure ? op_status::failed : op_status::succeeded, r.failure, r.note);
    if (!r.failure) f.add(service_removed{s.name});
  } else if (s.run->going_back) {
    auto why = s.run->failure;
    if (r.failure && why) why->message += "; and what was served before could not be put back: " + r.failure->message;
    if (r.failure && !why) why = r.failure;
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
    f.step(step_removing, 0, {});
    f.send();
  } else {
    if (s.op->step == step_waiting) {
      const auto step = !s.run ? step_removing : s.run->going_back ? step_going_back : name_of(s.run->phase);
      f.add(operation_progressed{s.op->id, op_status::running, std::string(step), s.op->progress, "its agent is back",
                                 s.op->attempt, cx.now + cx.stall});
    }
    f.send();
  }
  return std::move(f.d);
}

service_decision cancel(const service& s, const cancel_requested& c, const service_context& cx) {
  flow f(s, cx, {cause_kind::request, c.op.value, c.actor});
  if (!s.op || s.op->id != c.op || !s.run) {
    f.d.refusal = error{ec::wrong_state, "the operation has ended, or cannot be called off",
                        "zedctl op get " + c.op.value, c.op.value};
  } else if (s.run->going_back) {
    f.d.refusal = error{ec::wrong_state, "it is being taken back already", "zedctl op wait " + c.op.value, c.op.value};
  } else {
    if (s.op->attempt > 0) f.d.effects.emplace_back(withdraw_phase{c.op});
    f.fail(std::nullopt);
  }
  return std::move(f.d);
}

service_decision due(const service& s, const service_context& cx) {
  flow f(s, cx, {cause_kind::timer, "deadline", {}});
  if (!s.op || s.op->deadline > cx.now) return std::move(f.d);
  if (!cx.agent_online && s.op->step != step_waiting) {
    f.add(operation_progressed{s.op->id, op_status::running, std::string(step_waiting), s.op->progress,
                               "its agent was lost; it goes on when the agent is back", s.op->attempt,
                               cx.now + waiting_max});
    return std::move(f.d);
  }
  const error why{ec::timeout,
                  s.op->step == step_waiting ? "its agent did not come back within " + format_duration(waiting_max)
                                             : "no progress in " + s.op->step + " for " + format_duration(cx.stall),
                  "look at the host and at the agent's log, then deploy again", s.op->id.value};
  if (s.op->attempt > 0) f.d.effects.emplace_back(withdraw_phase{s.op->id});
  if (s.run && s.run->going_back) f.end_run(s.run->failure ? s.run->failure : why);
  else if (s.op->step == step_waiting && s.run) f.end_run(why);
  else f.fail(why);
  return std::move(f.d);
}

// While a deployment switches, what is seen is on its way.
service_decision observed(const service& s, const service_seen& seen, const service_context& cx) {
  flow f(s, cx, {cause_kind::sync, "files", {}});
  if (!seen.repairs.empty()) f.add(service_repaired{seen.repairs});
  if (!s.op && (seen.health != s.health || seen.reason != s.health_reason))
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
  p.health_path = s.health_path;
  p.keep = kept_deployments(s);
  if (!s.run) {
    p.remove = true;
    p.last = cx.siblings == 0;
    return p;
  }
  p.phase = s.run->going_back ? deploy_phase::creating_symlinks : s.run->phase;
  p.going_back = s.run->going_back;
  p.number = s.run->going_back ? s.current : s.run->number;
  if (const auto* d = find_deployment(s, p.number)) p.source = d->source;
  return p;
}

service_decision decide(const service& s, const service_input& in, const service_context& cx) {
  if (const auto* made = std::get_if<new_service>(&in)) {
    const auto& r = made->record;
    auto op =
        detail::operation_for(op_kind::create_service, r.id.value, r.project_name + "/" + r.name, made->who, cx.now);
    if (!s.id.empty())
      return detail::refused<service_decision>(std::move(op), made->who,
                                               {ec::already_exists, "this service is there already", "", {}});
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
