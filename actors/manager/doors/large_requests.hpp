// Large requests are paced. One of a quarter of a megabyte costs as much as hundreds of ordinary ones - it is decoded,
// decided, written twice and answered - and every request behind it waits for its commit. So a few are taken at once,
// and in a stream of them each waits, however many clients it comes from: all other requests go on as before.
#pragma once
#include <chrono>
#include <optional>

#include "messages/base/error.hpp"

namespace zedops::manager {

inline constexpr size_t large_request_bytes = 64 * 1024;  // of its body; smaller ones are not paced
inline constexpr uint64_t large_bytes_per_second = 256 * 1024;
inline constexpr uint64_t large_burst_bytes = 1024 * 1024;  // taken at once after a pause
inline constexpr std::chrono::milliseconds large_wait_max{5'000};

class large_requests {
 public:
  using time = std::chrono::steady_clock::time_point;

  // How long a request of `bytes` has to wait; zero: not at all. Errors: rate_limited, when that would be too long; the
  // request is not counted then.
  msg::result<std::chrono::milliseconds> admit(size_t bytes, time now) {
    using namespace std::chrono;
    if (bytes <= large_request_bytes) return milliseconds{0};
    const auto cost = [](uint64_t n) { return milliseconds(1'000 * n / large_bytes_per_second); };
    const auto from = std::max(paid_until_, now);
    const auto wait = duration_cast<milliseconds>(from + cost(bytes) - now) - cost(large_burst_bytes);
    if (wait > large_wait_max)
      return msg::fail(msg::ec::rate_limited, "too many large requests are waiting",
                       "repeat it in some seconds; put large values into a file in the server's data");
    paid_until_ = from + cost(bytes);
    return std::max(wait, milliseconds{0});
  }

 private:
  time paid_until_{};
};

}  // namespace zedops::manager
