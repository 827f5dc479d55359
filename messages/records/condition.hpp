// How well a server is, derived from its record alone: what people and programs have to see beside `status`, because
// a container that crashes in a loop, is frozen or fails its health check is "running" to the Engine.
#pragma once
#include <string>
#include <vector>

#include "messages/records/server.hpp"

namespace zedops::msg {

// After this long without a restart, the ones before are forgotten.
inline constexpr duration restart_quiet = std::chrono::minutes(5);
// One restart is an accident; this many in a row are a problem.
inline constexpr uint32_t restart_series_min = 3;

// All that hold, worst first; {ok} when nothing is wrong.
std::vector<condition> conditions_of(const server& s);
// The same as clients see it: what an agent reported is stale, too, while it is not online.
std::vector<condition> conditions_of(const server& s, agent_status of_agent);
// It has no data on disk, and as far as is known never had any: nothing is lost by beginning with empty directories.
bool nothing_to_lose(const server& s);

bool holds(const std::vector<condition>& list, condition c);

// Counts `n` restarts at `t`.
void note_restarts(server& s, uint32_t n, time_point t);
// It restarts again and again.
bool in_restart_series(const server& s);

// What the record wants its container to be made from: repository:tag or repository@digest.
std::string image_reference(const server& s);

}  // namespace zedops::msg
