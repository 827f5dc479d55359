// One timer for every deadline: operations, retention. Deadlines are absolute times in snapshots, so a restart has to
// arm nothing again, and ten thousand idle servers cost one look at an ordered index per sweep.
#pragma once
#include "actors/manager/deps.hpp"

namespace zedops::manager {

inline constexpr msg::duration sweep_interval{500};
inline constexpr size_t due_per_sweep_max = 10'000;

// After a leap of the wall clock, nothing is removed because its time is over until the clock has run evenly for a
// while.
bool is_clock_trusted(shared& world);

rt::sweeper_actor spawn_sweeper(caf::actor_system& sys, shared& world, rt::registry_actor registry,
                                rt::journal_actor journal);

}  // namespace zedops::manager
