// Questions of clients that an agent has to answer: sync, data, ports, logs.
#pragma once
#include "actors/manager/deps.hpp"

namespace zedops::manager {

inline constexpr auto agent_time_max = std::chrono::seconds(70);  // for one answer; beyond the host's own limit
inline constexpr size_t data_servers_max = 1'000;                 // per question to one agent
inline constexpr msg::duration logs_hold_max{20'000};             // below the host's limit for an answer
inline constexpr size_t ports_asked_max = 256;
inline constexpr size_t data_asked_max =
    20'000;  // servers of one question about data: their answers fit into a message

// Requests that wait for the answer of an agent, with the number of questions still open.
using asking_clients = std::map<rt::peer, size_t>;

// Of a verb that is served by an agent. It is answered now or when the agents have answered; until then the client is
// in `waiting`, so that the owner of that can answer when no agent will any more.
void ask_agents(rt::gateway_actor::pointer self, shared& world, const rt::hosts_actor& hosts,
                const rt::registry_actor& registry, asking_clients& waiting, const rt::client_call& call);

}  // namespace zedops::manager
