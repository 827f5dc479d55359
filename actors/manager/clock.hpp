// The manager's time: the wall clock, but it never goes back, not within a process and not behind what the store has
// recorded. A wall clock that was set back is ignored until it has caught up; one set forward is followed.
#pragma once
#include <algorithm>
#include <mutex>
#include <optional>

#include "actors/runtime/ports.hpp"

namespace zedops::manager {

class system_wall_clock final : public rt::wall_clock {
 public:
  void not_before(msg::time_point t) {
    std::lock_guard lock(mutex_);
    rebase(std::max(base_, t));
  }
  msg::time_point now() override {
    using namespace std::chrono;
    const auto wall = time_point_cast<milliseconds>(system_clock::now());
    std::lock_guard lock(mutex_);
    const auto flowed = base_ + duration_cast<milliseconds>(steady_clock::now() - since_);
    if (wall - flowed > rt::clock_step_max) even_since_ = steady_clock::now();
    if (flowed - wall > rt::clock_step_max) even_since_.reset();
    else if (!even_since_) even_since_ = steady_clock::now();
    if (wall > flowed) rebase(wall);
    return std::max(wall, flowed);
  }
  msg::duration even_for() override {
    using namespace std::chrono;
    (void)now();
    std::lock_guard lock(mutex_);
    return even_since_ ? duration_cast<msg::duration>(steady_clock::now() - *even_since_) : msg::duration{0};
  }

 private:
  void rebase(msg::time_point t) {
    base_ = t;
    since_ = std::chrono::steady_clock::now();
  }
  std::mutex mutex_;
  msg::time_point base_{};
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::optional<std::chrono::steady_clock::time_point> even_since_;
};

}  // namespace zedops::manager
