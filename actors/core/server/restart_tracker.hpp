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
  bool first_at_once = false;  // the first start within a window waits for nothing, the second for backoff_min
};

class restart_tracker {
 public:
  using times = std::deque<std::chrono::milliseconds>;
  // `starts`: what recent() of an earlier tracker gave.
  explicit restart_tracker(restart_policy p = {}, times starts = {}) : p_(p), starts_(std::move(starts)) {}

  // How long to wait before the next start; nothing: too many within the window, give up.
  std::optional<std::chrono::milliseconds> on_crash(std::chrono::milliseconds now) {
    while (!starts_.empty() && now - starts_.front() > p_.window) starts_.pop_front();
    if (starts_.size() >= p_.restarts_max) return std::nullopt;
    auto wait = std::min(p_.backoff_min, p_.backoff_max);
    const size_t first = p_.first_at_once ? 1 : 0;
    for (size_t i = first; i < starts_.size() && wait < p_.backoff_max; ++i) wait = std::min(wait * 2, p_.backoff_max);
    if (p_.first_at_once && starts_.empty()) wait = std::chrono::milliseconds{0};
    starts_.push_back(now + wait);  // the start, not the crash: it is starts that are bounded
    return wait;
  }
  const times& recent() const { return starts_; }

 private:
  restart_policy p_;
  times starts_;
};

}  // namespace zedops::core
