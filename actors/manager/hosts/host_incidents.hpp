// What an agent did by itself, for the histories of its servers: one decision for each server.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "actors/manager/deps.hpp"

namespace zedops::manager {

struct intake_plan {
  std::vector<std::pair<uint64_t, rt::entity_call>> calls;  // with the number of the first incident in each
  uint64_t upto = 0;                                        // the last one of all; zero: there was none
};
// Those of servers that no longer exist, or are not this agent's, are logged and dropped.
intake_plan plan_intake(const shared& world, const msg::agent_id& agent, std::vector<msg::incident> list);

// One batch at a time, so that what is acknowledged is durable without a gap.
struct intake {
  size_t open = 0;    // servers that have not answered yet
  uint64_t upto = 0;  // durable up to here, once nothing is open

  // One more has answered, for its incidents from `first` on. True: it was the last one.
  bool last(uint64_t first, bool settled) {
    if (!settled) upto = std::min(upto, first - 1);
    return --open == 0;
  }
};
// Recorded, or of a server that was purged meanwhile.
inline bool is_settled(const rt::entity_reply& r) { return !r.failure || r.failure->code == msg::ec::not_found; }

}  // namespace zedops::manager
