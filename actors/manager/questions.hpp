// Questions of clients that an agent has to answer: sync, data, ports, logs.
#pragma once
#include "actors/manager/deps.hpp"

namespace zedops::manager {

inline constexpr size_t data_servers_max = 1'000;  // per question to one agent
inline constexpr size_t ports_asked_max = 256;

// False: the verb is none of these. Else it is answered, now or when the agents have.
bool ask_agents(rt::gateway_actor::pointer self, shared& world, const rt::hosts_actor& hosts,
                const rt::client_call& call);

}  // namespace zedops::manager
