// The life of a service as a pure function: one deployment or rollback at a time, phase by phase, each a command to its
// agent.
//
//   deploy   --> queued -> pulling_source -> building -> copying_files -> creating_symlinks -> updating_routes
//                   -> health_check -> active
//   rollback -->                                           creating_symlinks -> ...         -> active
//
// What fails, or is cancelled, before creating_symlinks ends there: visitors have seen nothing of it. From then on the
// previous version is restored first. Which command is due follows from the record alone, so a restart, a reconnect and
// a timer do the same: send it again.
#pragma once
#include <variant>

#include "actors/core/deploy/phases.hpp"
#include "actors/core/entity.hpp"
#include "actors/core/plan/claims.hpp"
#include "actors/core/server/server_machine.hpp"
#include "messages/api/deploy_requests.hpp"
#include "messages/wire/link.hpp"

namespace zedops::core {

// ---- inputs; agent_ready, tick and cancel_requested beside them ----
struct new_service {  // complete and validated
  msg::service record;
  request_info who;
};
struct service_requested {  // edit_service, remove_service, deploy_service or rollback_service
  msg::deploy_request what;
  request_info who;
  msg::deploy_source source{};  // of a deployment: what its upload is
};
struct phase_progressed {
  msg::command_progress report;
};
struct phase_reported {
  msg::command_result report;
};
struct service_observed {  // what its agent sees, and has repaired
  msg::service_seen what;
};
using service_input = std::variant<new_service, service_requested, phase_progressed, phase_reported, service_observed,
                                   agent_ready, cancel_requested, tick>;

struct service_context {
  msg::time_point now{};
  bool clock_trusted = true;  // false: it has leapt, and nothing expires
  bool agent_known = true;    // false: its host was given up, and nothing can be done there
  bool agent_online = false;
  uint64_t term = 0;
  size_t siblings = 0;                           // further static services of its project on its host
  msg::duration stall{std::chrono::minutes(5)};  // a phase without any progress for this long has failed
};

// An agent gives a phase up after this long, whatever progress it makes; before that `stall` says when it has failed.
inline constexpr msg::duration phase_time_max = std::chrono::hours(24);

// ---- effects ----
struct send_phase {  // the shell adds the term
  msg::operation_id op;
  uint32_t attempt = 1;
  msg::deploy_plan plan;
};
struct withdraw_phase {
  msg::operation_id op;
};
struct look_again {};  // have the agent say that it is ready: what is due is sent then
using service_effect = std::variant<send_phase, withdraw_phase, look_again>;
using service_decision = basic_decision<service_effect>;

service_decision decide(const msg::service& s, const service_input& in, const service_context& cx);
void evolve(msg::service& s, const msg::fact& f, msg::time_point at);
void apply(msg::service& s, const msg::log_entry& e);

// What its open operation asks of the agent now.
msg::deploy_plan plan_for(const msg::service& s, const service_context& cx);
// The deployments whose files stay: what is served, what is being deployed, the newest successes.
std::vector<uint32_t> kept_deployments(const msg::service& s);
// The target of a rollback that names none; null: there is none.
const msg::deployment* previous_deployment(const msg::service& s);
const msg::deployment* find_deployment(const msg::service& s, uint32_t number);
const msg::deployment* waiting_deployment(const msg::service& s);  // null: none waits for its turn
// The names that visitors use, each once: of its settings, and of the deployments that are served, on their way or
// waiting. An edit takes none of them away before it is deployed.
std::vector<std::string> host_names_of(const msg::service& s);

template <>
struct entity<msg::service> {
  static constexpr std::string_view kind = "service";
  static constexpr char letter = 'v';
  using input = service_input;
  static void apply(msg::service& s, const msg::log_entry& e) { core::apply(s, e); }
  static std::vector<msg::numbered_fact> number(const msg::service& s, std::vector<msg::fact> facts);
  static input resume() { return agent_ready{}; }
  static bool gone(const msg::service& s) { return s.removed; }
  static bool ends(const msg::fact& f) { return std::holds_alternative<msg::service_removed>(f); }
  static const msg::operation* open(const msg::service& s) { return s.op ? &*s.op : nullptr; }
  static const msg::operation* waiting(const msg::service& s) { return s.waiting ? &*s.waiting : nullptr; }
  static msg::time_point due(const msg::service& s) { return s.op ? s.op->deadline : s.expires_at; }
  static msg::agent_id due_with(const msg::service&) { return {}; }
  static bool same_claims(const msg::service& a, const msg::service& b) {
    return a.project == b.project && a.name == b.name && a.port == b.port && a.port_beside == b.port_beside &&
           host_names_of(a) == host_names_of(b);
  }
  // Its name, the names that visitors use, and of a container service its ports. (Those of static services are the
  // project's.)
  template <class F>
  static void each_claim(const msg::service& s, F f) {
    f(std::string_view(claim(s.project, s.name)));
    for (const auto& host : host_names_of(s)) f(std::string_view(host_claim(host)));
    if (s.kind == msg::service_kind::static_site) return;
    for (const auto port : {s.port, s.port_beside})
      if (port != 0) f(std::string_view(port_claim(s.agent, msg::protocol::tcp, port)));
  }
  static std::string claim(const msg::project_id& project, std::string_view name) {
    return "service/" + project.value + "/" + std::string(name);
  }
  static std::string host_claim(std::string_view host) { return "host-name/" + std::string(host); }
  static msg::error taken(std::string_view claim, const msg::service& owner);
};

}  // namespace zedops::core
