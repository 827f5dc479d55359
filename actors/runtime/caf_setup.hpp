// How CAF runs in every zedops process, and the handlers that every actor has.
#pragma once
#include <caf/actor_system_config.hpp>
#include <caf/scheduled_actor.hpp>

namespace zedops::rt {

// Two workers with the sharing policy: a quarter of the default's round trip and no idle wake-ups. A bounded
// throughput keeps one flooded actor from holding a worker.
void configure(caf::actor_system_config& config);

// Unexpected messages, exceptions and the end of monitored actors go to the log. An exception still ends its actor:
// its supervisor starts it again from the last snapshot.
void install_defaults(caf::scheduled_actor* self);

// Whether an actor gets a thread of its own (it blocks) or shares the pool; tests pool everything.
enum class spawn_mode { own_thread, pooled };

}  // namespace zedops::rt
