// How well a server is, derived from its record alone: what people and programs have to see beside `status`, because
// a container that crashes in a loop, is frozen or fails its health check is "running" to the Engine.
#pragma once
#include <string>
#include <vector>

#include "messages/records/server.hpp"

namespace zedops::msg {

// So long without a restart, and the ones before are forgotten.
inline constexpr duration restart_quiet = std::chrono::minutes(5);
// One restart is an accident; so many in a row are no good way of running.
inline constexpr uint32_t restart_series_min = 3;

// All that hold, worst first; {ok} when nothing is wrong.
std::vector<condition> conditions_of(const server& s);
// The same as clients see it: what an agent that is not online has told is stale, too.
std::vector<condition> conditions_of(const server& s, agent_status of_agent);
// Nothing of it is on disk, as it was all along: to begin with empty directories takes nothing from it.
bool nothing_to_lose(const server& s);

bool holds(const std::vector<condition>& list, condition c);

// Counts `n` restarts at `t`.
void note_restarts(server& s, uint32_t n, time_point t);
// It restarts again and again.
bool in_restart_series(const server& s);

// What the record wants its container to be made from: repository:tag or repository@digest.
std::string image_reference(const server& s);

}  // namespace zedops::msg
