#include "tools/zedctl/output/facts_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "messages/base/names.hpp"
#include "messages/records/incident_text.hpp"
#include "tools/zedctl/output/format.hpp"

namespace zedops::ctl {
namespace {

using namespace msg;

std::string in_parentheses(std::string_view text) { return text.empty() ? "" : fmt::format(" ({})", text); }
std::string short_id(std::string_view id) { return std::string(id.substr(0, 12)); }
std::string words(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '_', ' ');
  return out;
}

std::string say(const server_created& f) {
  return fmt::format("created as {} with image {}:{}", f.record->template_name, f.record->image, f.record->image_tag);
}
std::string say(const server_edited& f) {
  return fmt::format("configuration changed{}", f.pending_rebuild ? ", applied by the next rebuild or recreate" : "");
}
std::string say(const status_changed& f) {
  return fmt::format("{} → {}{}", name_of(f.from), name_of(f.to), in_parentheses(f.reason));
}
std::string say(const desired_changed& f) { return fmt::format("desired state: {}", name_of(f.to)); }
std::string say(const container_bound& f) {
  if (f.container_id.empty()) return fmt::format("no container any more (was {})", short_id(f.previous));
  if (f.previous.empty()) return fmt::format("container is {}", short_id(f.container_id));
  return fmt::format("container is {} (was {})", short_id(f.container_id), short_id(f.previous));
}
std::string say(const server_observed& f) {
  if (!f.data_problem.empty())
    return fmt::format("data could not be checked ({} before): {}", name_of(f.data), f.data_problem);
  if (f.stale) return "could not be observed: what is known may be out of date";
  std::string out = f.container ? fmt::format("container seen {}", name_of(*f.container)) : "no container seen";
  if (f.container && (*f.container == container_state::exited || *f.container == container_state::dead))
    out += fmt::format(" with exit code {}", f.exit_code);
  if (f.health != health_state::none) out += fmt::format(", {}", name_of(f.health));
  out += fmt::format(", data {}", name_of(f.data));
  if (f.data_bytes) out += ' ' + format_bytes(*f.data_bytes);
  return out;
}
std::string say(const drift_changed& f) {
  return f.drift.empty() ? "no outside changes any more" : fmt::format("changed from outside: {}", f.drift);
}
std::string say(const error_changed& f) {
  return f.failure ? fmt::format("problem ({}): {}", name_of(f.failure->code), f.failure->message) : "problem solved";
}
std::string say(const server_deleted& f) {
  return fmt::format("deleted; data, name and ports stay until {}", to_rfc3339(f.purge_at));
}
std::string say(const server_restored&) { return "restored"; }
std::string say(const server_purged& f) {
  if (f.data_removed)
    return f.bytes ? fmt::format("purged with its data, {}", format_bytes(*f.bytes)) : "purged with its data";
  return f.kept_path.empty() ? "purged" : fmt::format("purged; its data stays in {}", f.kept_path);
}
std::string say(const operation_accepted& f) {
  return fmt::format("{} of {} accepted", name_of(f.op->kind), f.op->target_name);
}
std::string say(const operation_progressed& f) {
  std::string out = words(f.step.empty() ? name_of(f.status) : std::string_view(f.step));
  if (f.progress > 0) out += fmt::format(" {}%", f.progress);
  if (!f.note.empty()) out += ": " + f.note;
  return f.attempt > 1 ? out + fmt::format(" (attempt {})", f.attempt) : out;
}
std::string say(const operation_ended& f) {
  if (f.failure) return fmt::format("{} ({}): {}", name_of(f.status), name_of(f.failure->code), f.failure->message);
  return std::string(name_of(f.status)) + (f.note.empty() ? "" : ": " + f.note);
}
std::string say(const operation_refused& f) {
  return fmt::format("{} of {} refused{}", name_of(f.op->kind), f.op->target_name,
                     f.op->failure ? ": " + f.op->failure->message : "");
}
std::string say(const agent_registered& f) { return fmt::format("agent {} registered", f.record->name); }
std::string say(const agent_connected& f) {
  return fmt::format("agent on {} is online{}", f.hostname,
                     f.engine_ok ? ", engine " + f.engine_version : ", but its engine does not answer");
}
std::string say(const agent_suspected& f) {
  return fmt::format("agent is late; last seen {}", to_rfc3339(f.last_seen));
}
std::string say(const agent_lost& f) {
  return fmt::format("agent is unreachable; last seen {}", to_rfc3339(f.last_seen));
}
std::string say(const recovery_held& f) {
  return fmt::format("{} of {} servers were gone at once: automatic recovery is held", f.gone, f.of);
}
std::string say(const recovery_released& f) { return fmt::format("automatic recovery resumed: {}", f.why); }
std::string say(const agent_removed& f) { return fmt::format("agent {} forgotten", f.name); }
std::string say(const sync_completed& f) {
  std::string out =
      fmt::format("sync: {} servers, {} containers, {} changed", f.servers, f.containers, f.changed.size());
  if (!f.unclaimed.empty()) out += fmt::format(", {} without a server", f.unclaimed.size());
  return out;
}
std::string say(const sync_failed& f) { return "sync failed: " + f.failure.message; }
std::string say(const agent_acted& f) { return incident_text(f.what); }
std::string say(const project_created& f) { return fmt::format("project {} created", f.record->name); }
std::string say(const project_edited&) { return "description or domain changed"; }
std::string say(const project_served& f) { return fmt::format("served at port {} of {}", f.port, f.agent.value); }
std::string say(const project_removed& f) { return fmt::format("project {} removed", f.name); }
std::string say(const service_created& f) {
  return fmt::format("service {}/{} created", f.record->project_name, f.record->name);
}
std::string say(const service_edited& f) { return fmt::format("changed: {} deployments are kept", f.retention); }
std::string say(const service_removed& f) { return fmt::format("service {} removed", f.name); }
std::string say(const service_health_changed& f) {
  return fmt::format("{} → {}{}", name_of(f.from), name_of(f.to), in_parentheses(f.reason));
}
std::string say(const service_repaired& f) { return "repaired on its host: " + joined(f.repairs); }
std::string say(const deployment_started& f) {
  return fmt::format("deployment #{} from {} started, requested by {}", f.record->number, f.record->source.name,
                     f.record->actor);
}
std::string say(const deployment_phase_changed& f) {
  return fmt::format("#{} is in phase {}", f.number, words(name_of(f.phase)));
}
std::string say(const deployment_going_back& f) {
  return fmt::format("#{} {}: the previous version is restored", f.number,
                     f.failure ? "failed (" + f.failure->message + ")" : "was cancelled");
}
std::string say(const deployment_ended& f) {
  return fmt::format("#{} ended: {}{}", f.number, name_of(f.status),
                     f.failure ? ": " + f.failure->message : std::string{});
}
std::string say(const deployments_pruned& f) {
  std::string out = "removed the files of";
  for (auto n : f.numbers) out += fmt::format(" #{}", n);
  return out;
}
std::string say(const rollback_started& f) {
  return fmt::format("rollback from #{} to #{} started, requested by {}", f.record.from, f.record.to, f.record.actor);
}
std::string say(const rollback_phase_changed& f) {
  return fmt::format("rollback is in phase {}", words(name_of(f.phase)));
}
std::string say(const service_started&) { return "started by a user"; }
std::string say(const service_stopped&) { return "stopped by a user"; }
std::string say(const rollback_ended& f) {
  return fmt::format("rollback {}{}", name_of(f.state), in_parentheses(f.reason));
}
std::string say(const condition_changed& f) {
  std::vector<std::string> list;
  for (auto c : f.condition) {
    list.push_back(words(name_of(c)));
    if (c == condition::restarting && f.restarts > 0)
      list.back() += fmt::format(", {} since {}", counted(f.restarts, "time"), to_rfc3339(f.restarting_since));
  }
  return "condition: " + joined(list);
}

}  // namespace

std::string sentence(const fact& f) {
  auto out = std::visit([](const auto& x) { return say(x); }, f);
  std::ranges::replace(out, '\n', ' ');
  return out;
}

std::string because(const cause& why) {
  auto with_ref = [&](std::string_view text) {
    return why.ref.empty() ? std::string(text) : fmt::format("{} {}", text, why.ref);
  };
  switch (why.kind) {
    case cause_kind::request: return with_ref("request");
    case cause_kind::report: return with_ref("agent's report on");
    case cause_kind::container_event: return with_ref("container event");
    case cause_kind::sync: return with_ref("sync");
    case cause_kind::timer: return with_ref("timer");
    case cause_kind::recovery: return with_ref("recovery");
    case cause_kind::link: break;
  }
  return with_ref("connection");
}

std::string subject_text(const event& e) {
  auto text = e.subject;
  std::ranges::replace(text, '.', ' ');
  return text;
}

}  // namespace zedops::ctl
