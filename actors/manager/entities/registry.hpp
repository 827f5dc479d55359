// Supervises the actors of all servers: starts them on demand and, in the background, all of them; starts a crashed one
// again from its last snapshot, within an intensity limit.
#pragma once
#include "actors/manager/deps.hpp"

namespace zedops::manager {

inline constexpr size_t warm_batch_max = 500;  // actors started per turn, so that requests are served in between

rt::registry_actor spawn_registry(caf::actor_system& sys, shared& world, rt::journal_actor journal,
                                  rt::hosts_actor hosts);

}  // namespace zedops::manager
