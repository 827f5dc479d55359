// Has the usage book written at regular intervals.
#pragma once
#include "actors/manager/deps.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "actors/runtime/interfaces.hpp"

namespace zedops::manager {

// An actor with its own thread: each commit waits for the disk. `world.usage` is not null.
rt::usage_writer_actor spawn_usage_writer(caf::actor_system& sys, shared& world, rt::spawn_mode mode);

}  // namespace zedops::manager
