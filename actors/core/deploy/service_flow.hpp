// What the parts of the service machine share: a decision in the making.
#pragma once
#include <algorithm>
#include <memory>

#include "actors/core/deploy/requests.hpp"
#include "actors/core/deploy/service_machine.hpp"
#include "messages/base/time.hpp"

namespace zedops::core::detail {

using namespace msg;

inline constexpr std::string_view step_going_back = "going_back";
inline constexpr std::string_view step_removing = "removing";
inline constexpr std::string_view step_starting = "starting";
inline constexpr std::string_view step_stopping = "stopping";
inline constexpr std::string_view step_waiting_its_turn = "waiting_its_turn";

inline bool has_container(const service& s) { return s.kind == service_kind::container; }

// What the agent does for the open operation, in a word.
inline std::string_view step_of(const service& s) {
  if (s.run) return s.run->going_back ? step_going_back : name_of(s.run->phase);
  if (s.op->kind == op_kind::start_service) return step_starting;
  return s.op->kind == op_kind::stop_service ? step_stopping : step_removing;
}

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
      const auto* made = find_deployment(next, run().number);
      if (!made || !passes_at_once(p, next.kind, *made)) break;
    }
    if (p == deploy_phase::copying_files || (p == deploy_phase::updating_routes && has_container(next))) prune();
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
      remember_container(proof);
    } else {
      add(deployment_phase_changed{number, deploy_phase::active, 100, proof});
      add(deployment_ended{number, deploy_status::success, {}});
    }
    if (next.health != service_health::healthy) add(service_health_changed{next.health, service_health::healthy, {}});
    end(op_status::succeeded, {}, "#" + std::to_string(number) + " is served");
  }

  // It has failed, or was cancelled. Once visitors may have seen it, the previous version is restored first.
  void fail(std::optional<error> why) {
    if (next.run && !run().going_back && switches(run().phase)) {
      add(deployment_going_back{run().number, std::move(why)});
      step(step_going_back, 0, next.current ? "back to #" + std::to_string(next.current) : "back to no deployment");
      return send();
    }
    end_open(std::move(why));
  }
  // What is served was restored, or started again: the proof of its deployment names its container, which may have
  // changed.
  void remember_container(const std::map<std::string, std::string>& proof) {
    const auto* served = find_deployment(next, next.current);
    const auto made = proof.find("container");
    if (!served || !has_container(next) || made == proof.end()) return;
    if (const auto before = served->proof.find("container"); before != served->proof.end() && *before == *made) return;
    add(deployment_phase_changed{next.current, deploy_phase::active, 100, {*made}});
  }
  // Without a report of its agent.
  void end_open(std::optional<error> why) {
    if (next.run) return end_run(std::move(why));
    end(why ? op_status::failed : op_status::cancelled, std::move(why), {});
  }
  void end_run(std::optional<error> why) {
    const bool cancelled = !why;
    if (why) why->operation = next.op->id.value;
    if (run().is_rollback)
      add(rollback_ended{next.op->id, cancelled ? rollback_state::cancelled : rollback_state::failed,
                         why ? why->message : "cancelled"});
    else add(deployment_ended{run().number, cancelled ? deploy_status::cancelled : deploy_status::failed, why});
    end(cancelled ? op_status::cancelled : op_status::failed, std::move(why), {});
  }
  // A deployment that has waited for this end begins with it.
  void end(op_status status, std::optional<error> why, std::string note) {
    add(operation_ended{next.op->id, status, std::move(why), std::move(note), cx.now, {}});
    if (!next.op || !next.run) return;
    if (cx.agent_online) begin_phase(deploy_phase::pulling_source, {});
    else
      add(operation_progressed{
          next.op->id, op_status::accepted, std::string(step_waiting), 0, {}, 0, cx.now + waiting_max});
  }
  // Cancels the deployment that waits.
  void drop_waiting(std::string why) {
    const auto* made = waiting_deployment(next);
    if (made) add(deployment_ended{made->number, deploy_status::cancelled, {}});
    add(operation_ended{next.waiting->id, op_status::cancelled, {}, std::move(why), cx.now, {}});
  }

  service_decision d;
  service next;
  const service_context& cx;
};

// No agent is left that could carry anything out.
error host_given_up(const service& s, ec code);
// When a user, or its expiry, asks for it.
void begin_removal(flow& f, const request_info& who);
service_decision remove_at_once(const service& s, const request_info& who, const service_context& cx);
service_decision on_request(const service& s, const service_requested& r, const service_context& cx);

}  // namespace zedops::core::detail
