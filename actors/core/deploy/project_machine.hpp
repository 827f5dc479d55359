// A project: a name for services that belong together, and where on each host its static services are served.
#pragma once
#include <variant>

#include "actors/core/entity.hpp"
#include "actors/core/server/server_machine.hpp"
#include "messages/api/deploy_requests.hpp"

namespace zedops::core {

struct new_project {  // complete and validated
  msg::project record;
  request_info who;
};
struct project_requested {  // edit_project or remove_project
  msg::deploy_request what;
  request_info who;
};
struct serve_at {  // from now on its static services on this host are served at this port
  msg::agent_id agent;
  uint16_t port = 0;
};
using project_input = std::variant<new_project, project_requested, serve_at, cancel_requested, tick>;

struct project_context {
  msg::time_point now{};
  size_t services = 0;  // that it has
};
struct no_effect {};
using project_decision = basic_decision<no_effect>;

project_decision decide(const msg::project& p, const project_input& in, const project_context& cx);
void apply(msg::project& p, const msg::log_entry& e);

template <>
struct entity<msg::project> {
  static constexpr std::string_view kind = "project";
  static constexpr char letter = 'p';
  using input = project_input;
  static void apply(msg::project& p, const msg::log_entry& e) { core::apply(p, e); }
  static std::vector<msg::numbered_fact> number(const msg::project& p, std::vector<msg::fact> facts);
  static bool gone(const msg::project& p) { return p.removed; }
  static bool ends(const msg::fact& f) { return std::holds_alternative<msg::project_removed>(f); }
  static const msg::operation* open(const msg::project& p) { return p.op ? &*p.op : nullptr; }
  static msg::time_point due(const msg::project&) { return msg::never; }
  static msg::agent_id due_with(const msg::project&) { return {}; }
  static bool same_claims(const msg::project& a, const msg::project& b) {
    return a.name == b.name && a.ports == b.ports;
  }
  template <class F>
  static void each_claim(const msg::project& p, F f) {
    f(std::string_view(claim(p.name)));
    for (const auto& [agent, port] : p.ports) f(std::string_view(port_claim({agent}, msg::protocol::tcp, port)));
  }
  static std::string claim(std::string_view name) { return "project/" + std::string(name); }
  static msg::error taken(std::string_view claimed, const msg::project& owner);
};

}  // namespace zedops::core
