// Spawning the engine watcher; see interfaces.hpp.
#pragma once
#include <caf/actor_system.hpp>

#include "actors/agent/engine/engine_identity.hpp"
#include "actors/agent/interfaces.hpp"
#include "messages/base/time.hpp"

namespace zedops::agent {

struct watcher_options {
  msg::duration retry_min{200};
  msg::duration retry_max{5'000};
  msg::duration ping_every{10'000};  // an idle event stream cannot show a hung Engine
  msg::duration ping_deadline{5'000};
  engine_identity* identity = nullptr;  // outlives the actor; null: every Engine will do
};

// `engine` must outlive the actor.
watcher_actor spawn_watcher(caf::actor_system& sys, docker::engine& engine, core_actor core,
                            watcher_options options = {});

}  // namespace zedops::agent
