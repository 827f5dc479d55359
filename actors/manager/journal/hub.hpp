// Committed facts become public events, and clients that wait for an operation hear of its end.
#pragma once
#include "actors/manager/deps.hpp"

namespace zedops::manager {

inline constexpr size_t watchers_max = 10'000;
inline constexpr size_t followers_max = 10'000;
inline constexpr size_t held_per_client_max = 2'000;  // operations and streams that one connection waits for

rt::hub_actor spawn_hub(caf::actor_system& sys, shared& world);

}  // namespace zedops::manager
