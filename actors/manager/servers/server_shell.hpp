// The actor of one server: what its machine may know, and how its commands reach its agent.
#pragma once
#include <string>

#include "actors/runtime/interfaces.hpp"

namespace zedops::manager {

struct shared;

// Starts from the catalog's record; a server that it does not have is blank and takes only `created`.
rt::entity_actor spawn_server(caf::actor_system& sys, shared& world, rt::journal_actor journal, rt::hosts_actor hosts,
                              const std::string& id);

}  // namespace zedops::manager
