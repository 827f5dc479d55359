// One row per measured promise, and common helpers of all benchmarks: scratch folders, medians, a deadline.
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "messages/base/error.hpp"

namespace zedops::bench {

using steady = std::chrono::steady_clock;
inline double ms_since(steady::time_point t) {
  return std::chrono::duration<double, std::milli>(steady::now() - t).count();
}

enum class better : uint8_t { higher, lower };

// Prints "what | ours | floor | ratio | goal | verdict". A measurement never fails the run.
struct row {
  std::string what;
  std::string unit;
  double ours = 0;
  double floor = 0;  // zero: there is none, and the goal is absolute
  double goal = 0;   // of the ratio, or of `ours` when there is no floor; zero: for information
  better direction = better::lower;
};
void print(const row& r);

[[noreturn]] void die(const std::string& why);
template <class T>
T must(msg::result<T> r) {
  if (!r) die(r.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

double median(std::vector<double> values);
double percentile(std::vector<double> values, double p);

// True as soon as `done` returns true; false when the time is over.
bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds time_max);

// A folder of its own, below $ZEDOPS_BENCH_DIR or /var/tmp (a disk, not memory); removed at the end.
class scratch_dir {
 public:
  scratch_dir();
  scratch_dir(const scratch_dir&) = delete;
  scratch_dir& operator=(const scratch_dir&) = delete;
  ~scratch_dir();
  std::filesystem::path path;
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

}  // namespace zedops::bench
