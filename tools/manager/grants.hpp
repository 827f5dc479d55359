// From the name of a role that was given to a key or account, to what it allows now.
#pragma once
#include <optional>
#include <string>

#include "actors/manager/records/catalog.hpp"
#include "messages/records/principal.hpp"

namespace zedops::app {

// Nothing: it is not a role of users and programs, or it holds on something that does not exist.
inline std::optional<msg::grant> grant_of(const std::string& role, const std::string& agent, const std::string& server,
                                          const manager::catalog& records) {
  const auto as = msg::enum_from_name<msg::role>(role);
  if (!as) return std::nullopt;
  msg::grant g{*as, {}, {}};
  if (!agent.empty()) {
    auto a = records.resolve_agent(agent);
    if (!a) return std::nullopt;
    g.agent = (*a)->id;
  }
  if (!server.empty()) {
    auto s = records.resolve_unpurged(server);
    if (!s) return std::nullopt;
    g.server = (*s)->id;
  }
  return g;
}

}  // namespace zedops::app
