// Supervises the actors of all entities: starts each for its first message, and a crashed one again from its last
// snapshot, within an intensity limit; one that nobody needs any more rests, which frees its memory.
#pragma once
#include "actors/manager/deps.hpp"

namespace zedops::manager {

inline constexpr auto rest_after = std::chrono::minutes(1);  // at least without a message; at most three times that

rt::registry_actor spawn_registry(caf::actor_system& sys, shared& world, rt::journal_actor journal,
                                  rt::hosts_actor hosts);

}  // namespace zedops::manager
