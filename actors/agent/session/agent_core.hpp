// Spawning the agent's core: session with the manager, commands, queries, observations. See interfaces.hpp.
//
//            link up         welcome
//   offline ---------> greeting ------> live
//      ^                  ^  \_ refused: again later, or for ever (on_final) _/
//      |__ link down _____|____ silence of the manager _/
#pragma once
#include <caf/actor_system.hpp>

#include "actors/agent/deploy/upload_fetcher.hpp"
#include "actors/agent/interfaces.hpp"
#include "actors/agent/lanes/lane_book.hpp"
#include "actors/agent/lanes/lane_run.hpp"
#include "integration/host/machine_usage.hpp"

namespace zedops::agent {

inline constexpr std::chrono::seconds tick_every{1};
// Then hello again: the manager pings every three seconds.
inline constexpr std::chrono::seconds manager_silence_max{10};
inline constexpr std::chrono::seconds refused_pause{5};      // before the next hello after a refusal
inline constexpr std::chrono::seconds alone_look_every{30};  // an inventory without a manager that asks for it
inline constexpr size_t early_max = 1024;                    // messages while a welcome is written down
inline constexpr size_t incidents_told_max = 100;            // at once
inline constexpr std::chrono::seconds incidents_again{5};    // until they are taken
inline constexpr size_t results_unsent_max = 1024;           // kept while the link's outbox is full
inline constexpr size_t log_queries_max = 64;                // at once
// A project's server that ends is started again this often within this time; beyond, its services are unhealthy.
inline constexpr size_t server_repairs_max = 10;
inline constexpr std::chrono::minutes server_repairs_window{10};
inline constexpr std::chrono::seconds containers_every{5};  // services' containers and their routes are looked at
inline constexpr unsigned bad_looks_max = 3;
inline constexpr unsigned cures_max = 3;  // restarts of a running, unhealthy container until it is healthy again

// Threads for what blocks. One hung disk must hold up nothing else, so each kind of work has its own.
struct core_workers {
  worker_port& lanes;    // commands for servers: as many at once as the lane book permits
  worker_port& deploys;  // phases of deployments: in the background
  worker_port& disks;    // looks at data, by root, so that one that hangs holds up nothing else
  worker_port& slow;     // sizes
  worker_port& keeper;   // the agent's own state
};

struct core_options {
  std::string name;
  std::string instance;  // random per process
  std::string hostname;
  std::string data_path;
  std::string software;
  std::string manager_id;  // the only manager to accept; empty: the first one that answers
  lane_limits lanes;
  size_t boot_starts_max = 4;  // servers started at the same time after the host came up
  std::string boot_id;         // of the host's present run; empty: not known
};

// Everything referred to must outlive the actor.
struct core_deps {
  link_port& link;
  step_env& env;
  core_workers workers;
  core_options options;
  std::function<bool()> engine_listens;            // may be empty
  std::function<void(msg::error)> on_final;        // the manager refuses this agent for good: do not reconnect
  std::function<void()> on_live;                   // may be empty
  std::function<void(std::string)> on_manager;     // its id, once known: watch its containers
  std::function<host::machine_usage()> machine{};  // what this host uses; empty: no usage is reported
  upload_fetcher* uploads = nullptr;               // null: no static services
  // Keeps the manager's next key, durably, and says which one is kept. Empty: this manager has no key.
  std::function<std::string(const std::string&)> keep_key{};
};

core_actor spawn_core(caf::actor_system& sys, std::shared_ptr<core_deps> deps);

}  // namespace zedops::agent
