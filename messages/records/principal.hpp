// Who asks, as authenticated by the door; never what the request says of itself.
#pragma once
#include <string>
#include <vector>

#include "messages/base/enums.hpp"
#include "messages/base/ids.hpp"

namespace zedops::msg {

// local: a process on the manager's machine that may open its socket files.
ZEDOPS_ENUM(authentication, local, key, session, token)

// What a verb requires. connect: see that the manager is up, for everyone with any role at all. view: look at
// everything but secrets and logs. logs: what containers write. operate: all of a server's life except its end. purge:
// destroy for good. administer: agents, keys, the manager itself. enrol: enrol one agent, with a token made for it.
ZEDOPS_ENUM(right, connect, view, logs, operate, purge, administer, enrol)

enum class role : uint8_t { viewer, operator_, admin };
template <>
struct enum_names<role> {  // `operator` is a keyword of C++
  static constexpr std::array list = {std::string_view{"viewer"}, std::string_view{"operator"},
                                      std::string_view{"admin"}};
};

// A role, and where it holds: on one server, on an agent and its servers, or (both empty) everywhere.
struct grant {
  role as = role::viewer;
  agent_id agent;
  server_id server;
  friend bool operator==(const grant&, const grant&) = default;
};

struct principal {
  std::string id = "local";  // "uid:1000", "key:Qm9v…": idempotency keys are its own, records name it
  authentication how = authentication::local;
  std::string from;           // "ipc", "192.0.2.7"
  std::vector<grant> grants;  // the most specific one decides; none: nothing is allowed
  std::string enrols{};       // the agent that its token may enrol; it may do nothing else
};

// A process of this machine, where everyone who may open the socket files may do everything.
inline principal local_principal(std::string id = "local") {
  return {std::move(id), authentication::local, "ipc", {{role::admin, {}, {}}}};
}

}  // namespace zedops::msg
