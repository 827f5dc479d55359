// Is the other end there? Two levels: suspect first, then lost; any message brings it back.
#pragma once
#include <chrono>

#include "messages/records/server.hpp"

namespace zedops::core {

struct liveness_policy {
  std::chrono::milliseconds ping_interval{1000};
  std::chrono::milliseconds suspect_after{2000};
  std::chrono::milliseconds unreachable_after{3000};
};

// `silent` is the time since the last message of a live session.
constexpr msg::agent_status judge(const liveness_policy& p, std::chrono::milliseconds silent) {
  if (silent >= p.unreachable_after) return msg::agent_status::unreachable;
  if (silent >= p.suspect_after) return msg::agent_status::suspect;
  return msg::agent_status::online;
}

}  // namespace zedops::core
