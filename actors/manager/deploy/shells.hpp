// The actors of projects and services.
#pragma once
#include "actors/manager/deps.hpp"

namespace zedops::manager {

rt::entity_actor spawn_project(caf::actor_system& sys, shared& world, rt::journal_actor journal, rt::hosts_actor hosts,
                               const std::string& id);
rt::entity_actor spawn_service(caf::actor_system& sys, shared& world, rt::journal_actor journal, rt::hosts_actor hosts,
                               const std::string& id);

}  // namespace zedops::manager
