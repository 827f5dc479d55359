// Limits how many bad messages of a door are logged in a second.
#pragma once
#include <chrono>
#include <optional>
#include <utility>

namespace zedops::bus::detail {

class line_limiter {
 public:
  explicit line_limiter(size_t lines_max) : lines_max_(lines_max) {}
  // Nothing: do not log this one; else how many before it were not logged.
  std::optional<size_t> permit() {
    const auto now = std::chrono::steady_clock::now();
    if (now - window_ >= std::chrono::seconds(1)) window_ = now, lines_ = 0;
    if (++lines_ > lines_max_) return ++suppressed_, std::nullopt;
    return std::exchange(suppressed_, 0);
  }

 private:
  size_t lines_max_, lines_ = 0, suppressed_ = 0;
  std::chrono::steady_clock::time_point window_{};
};

}  // namespace zedops::bus::detail
