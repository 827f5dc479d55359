// The host's wall clock, which people and NTP may set, and the manager's clock on top of it. The rule is that of
// manager/clock.hpp: never back within a process, nor behind what the store has recorded; forward jumps are followed.
#pragma once
#include <algorithm>
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
  // A new process: only what the store has recorded holds it up.
  void reset(msg::time_point not_before) {
    base_ = not_before;
    since_ = time_.now();
  }
  msg::time_point now() override {
    if (throw_in > 0 && --throw_in == 0) throw std::runtime_error("the clock has failed (on purpose)");
    const auto flowed = base_ + (time_.now() - since_);
    if (wall() > flowed) reset(wall());
    return std::max(wall(), flowed);
  }

  int throw_in = 0;  // the n-th look from now throws: how a bug in a shell is simulated

 private:
  const agenda& time_;
  duration skew_{0};
  msg::time_point base_{};
  duration since_{0};
};

}  // namespace zedops::sim
