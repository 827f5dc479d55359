// The actor of one server: feeds its machine, has facts made durable, then carries out the effects.
#pragma once
#include "actors/manager/deps.hpp"

namespace zedops::manager {

inline constexpr size_t calls_queued_max = 256;

// Starts from the catalog's record; a server that it does not have is blank and takes only `created`.
rt::server_actor spawn_server(caf::actor_system& sys, shared& world, rt::journal_actor journal, rt::hosts_actor hosts,
                              const msg::server_id& id);

}  // namespace zedops::manager
