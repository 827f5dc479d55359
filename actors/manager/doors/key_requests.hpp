// Requests about the manager itself: keys, users, tokens, its log level.
#pragma once
#include "actors/manager/deps.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "actors/runtime/interfaces.hpp"

namespace zedops::manager {

// An actor with its own thread: these are changed seldom and by hand, and each change waits for the disk.
rt::keeper_actor spawn_keeper(caf::actor_system& sys, shared& world, rt::spawn_mode mode);

}  // namespace zedops::manager
