// Requests of clients: operations go to the server's actor, questions about hosts to the agent's, reads to the catalog.
#pragma once
#include "actors/manager/deps.hpp"
#include "actors/runtime/caf_setup.hpp"

namespace zedops::manager {

inline constexpr auto decision_time_max = std::chrono::seconds(40);
inline constexpr size_t requests_open_max = 4'096;
inline constexpr size_t repeats_max = 16;      // of one idempotency key, waiting for its first request
inline constexpr size_t pieces_open_max = 64;  // of uploads, of all clients together: 64 MiB
inline constexpr int port_choices_max = 5;     // tries when others take the chosen ports meanwhile

struct gateway_handles {
  rt::journal_actor journal;
  rt::registry_actor registry;
  rt::hosts_actor hosts;
  rt::hub_actor hub;
  rt::keeper_actor keeper;
  rt::uploads_actor uploads;
};

// Operations and questions to agents.
rt::gateway_actor spawn_gateway(caf::actor_system& sys, shared& world, gateway_handles to);
// Reads; an actor of its own, so that a long list delays no operation.
struct reader_handles {
  rt::hub_actor hub;
  rt::hosts_actor hosts;
};
rt::gateway_actor spawn_reader(caf::actor_system& sys, shared& world, reader_handles to, rt::spawn_mode mode);

}  // namespace zedops::manager
