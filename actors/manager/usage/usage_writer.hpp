// Has the usage book written, every so often.
#pragma once
#include "actors/manager/deps.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "actors/runtime/interfaces.hpp"

namespace zedops::manager {

// An actor of its own thread: each commit waits for the disk. `world.usage` is not null.
rt::usage_writer_actor spawn_usage_writer(caf::actor_system& sys, shared& world, rt::spawn_mode mode);

}  // namespace zedops::manager
