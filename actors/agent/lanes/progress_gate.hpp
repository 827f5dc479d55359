// Lets through what a client can use: every new step at once, numbers at most four times a second, never backwards.
// Pure.
#pragma once
#include <algorithm>
#include <chrono>
#include <string>

namespace zedops::agent {

inline constexpr std::chrono::milliseconds progress_interval{250};

class progress_gate {
 public:
  // True: send it, with `progress` raised to what was said before.
  bool admit(const std::string& step, uint32_t& progress, const std::string& note,
             std::chrono::steady_clock::time_point now) {
    progress = std::min(std::max(progress, last_progress_), 100u);
    const bool news = step != last_step_ || progress != last_progress_ || note != last_note_;
    if (!news) return false;
    if (step == last_step_ && now - last_ < progress_interval) return false;
    last_step_ = step;
    last_progress_ = progress;
    last_note_ = note;
    last_ = now;
    return true;
  }

 private:
  std::string last_step_, last_note_;
  uint32_t last_progress_ = 0;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace zedops::agent
