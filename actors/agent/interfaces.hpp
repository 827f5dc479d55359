// The agent's two actors and the messages they accept.
#pragma once
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "integration/docker/engine.hpp"
#include "messages/wire/link.hpp"

namespace zedops::agent {

// ---- from the link ----
struct link_up {};
struct link_down {};
struct manager_said {
  msg::to_agent what;
  uint64_t session = 0;
  std::shared_ptr<void> credit;  // released when the message is handled: it permits the link to read on
};
using link_input = std::variant<link_up, link_down, manager_said>;

// ---- from the engine watcher; events come straight from the Engine's thread ----
struct engine_reached {
  docker::engine_info info;
};
struct engine_lost {
  msg::error why;
};
// Every event from now on arrives: list now.
struct stream_opened {
  uint64_t generation = 0;
};
struct engine_said {
  uint64_t generation = 0;  // of the stream; one of an earlier stream is ignored, because a list follows each opening
  docker::event what;
};
using engine_input = std::variant<engine_reached, engine_lost, stream_opened, engine_said>;

// An asynchronous answer: runs inside the actor that asked.
struct completion {
  std::function<void()> run;
};

using tick_atom = caf::atom_constant<caf::atom("tick")>;
using ping_atom = caf::atom_constant<caf::atom("ping")>;
using retry_atom = caf::atom_constant<caf::atom("retry")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using busy_atom = caf::atom_constant<caf::atom("busy")>;

// Session with the manager, commands, queries, observations.
using core_actor = caf::typed_actor<caf::reacts_to<link_input>, caf::reacts_to<engine_input>,
                                    caf::reacts_to<completion>,  // INTERNAL
                                    caf::reacts_to<tick_atom>,   // INTERNAL
                                    caf::reacts_to<stop_atom>,   // says goodbye and takes no new command
                                    caf::replies_to<busy_atom>::with<uint64_t>>;  // commands that still run

// Keeps the event stream open and tells the core when the Engine is reached and when it is lost.
using watcher_actor = caf::typed_actor<caf::reacts_to<std::string>,  // watch the containers of this manager
                                       caf::reacts_to<completion>,   // INTERNAL
                                       caf::reacts_to<ping_atom, uint64_t>, caf::reacts_to<retry_atom, uint64_t>>;

}  // namespace zedops::agent

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::agent::link_input)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::agent::engine_input)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::agent::completion)
