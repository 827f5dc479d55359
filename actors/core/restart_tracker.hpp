// How often something that crashes may be started again.
#pragma once
#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>

namespace zedops::core {

struct restart_policy {
  uint32_t restarts_max = 3;
  std::chrono::milliseconds window{60'000};
  std::chrono::milliseconds backoff_min{200};
  std::chrono::milliseconds backoff_max{30'000};
};

class restart_tracker {
 public:
  explicit restart_tracker(restart_policy p = {}) : p_(p) {}

  // How long to wait before the next start; nothing: too many crashes within the window, give up.
  std::optional<std::chrono::milliseconds> on_crash(std::chrono::milliseconds now) {
    while (!at_.empty() && now - at_.front() > p_.window) at_.pop_front();
    if (at_.size() >= p_.restarts_max) return std::nullopt;
    const auto shift = std::min<size_t>(at_.size(), 20);
    at_.push_back(now);
    return std::min(p_.backoff_min * (1u << shift), p_.backoff_max);
  }

 private:
  restart_policy p_;
  std::deque<std::chrono::milliseconds> at_;
};

}  // namespace zedops::core
