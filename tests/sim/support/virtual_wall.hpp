// The host's wall clock, which people and NTP may set, and the manager's clock on top of it. The rule is that of
// manager/clock.hpp: never back within a process, nor behind what the store has recorded; forward jumps are followed.
#pragma once
#include <algorithm>
#include <optional>
#include <stdexcept>

#include "actors/runtime/ports.hpp"
#include "tests/sim/support/agenda.hpp"

namespace zedops::sim {

inline constexpr msg::time_point sim_start{msg::duration{1'714'564'800'000}};  // 2024-05-01T12:00:00Z

class virtual_wall final : public rt::wall_clock {
 public:
  explicit virtual_wall(const agenda& time) : time_(time) {}

  void set_by(duration d) { skew_ += d; }
  msg::time_point wall() const { return sim_start + time_.now() + skew_; }
  // A new process: only what the store has recorded keeps it from going back.
  void reset(msg::time_point not_before) {
    even_since_.reset();
    rebase(not_before);
  }
  msg::time_point now() override {
    if (throw_in > 0 && --throw_in == 0) throw std::runtime_error("the clock has failed (on purpose)");
    const auto flowed = base_ + (time_.now() - since_);
    if (wall() - flowed > rt::clock_step_max) even_since_ = time_.now();
    if (flowed - wall() > rt::clock_step_max) even_since_.reset();
    else if (!even_since_) even_since_ = time_.now();
    if (wall() > flowed) rebase(wall());
    return std::max(wall(), flowed);
  }
  duration even_for() override {
    (void)now();
    return even_since_ ? time_.now() - *even_since_ : duration{0};
  }

  int throw_in = 0;  // the n-th look from now throws: how a bug in a shell is simulated

 private:
  void rebase(msg::time_point t) {
    base_ = t;
    since_ = time_.now();
  }
  const agenda& time_;
  duration skew_{0};
  msg::time_point base_{};
  duration since_{0};
  std::optional<duration> even_since_;
};

}  // namespace zedops::sim
