// One agent's session: is it connected, is it alive, what does it see, what is it asked.
//
//      hello              welcome               inventory
//   [away] ---> probe ---> [connected] ---------> [in sync] --- every interval, on demand, on notice: sync again
//      ^        | the old session answers: the newcomer is refused      |
//      '--------+--- silent 2 s: suspect, 3 s: unreachable -------------'
#pragma once
#include "actors/manager/deps.hpp"

namespace zedops::manager {

inline constexpr size_t queries_open_max = 256;
inline constexpr msg::duration query_time_max{30'000};
inline constexpr auto settle_time_max = std::chrono::seconds(60);

struct host_handles {
  rt::journal_actor journal;
  rt::registry_actor registry;
  rt::uploads_actor uploads;
};

// An agent without a record gets one when it says hello.
rt::host_actor spawn_host(caf::actor_system& sys, shared& world, host_handles to, const msg::agent_id& id);

// Routes to the host actors, starting them as agents connect. Registry and hosts need each other's handle: `to` is
// filled in after both were spawned and before any message can arrive.
rt::hosts_actor spawn_hosts(caf::actor_system& sys, shared& world, std::shared_ptr<host_handles> to);

}  // namespace zedops::manager
