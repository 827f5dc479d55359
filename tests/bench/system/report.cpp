#include "tests/bench/system/report.hpp"

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <thread>

namespace zedops::bench {

namespace {
std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, x >= 1000 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x);
  return text;
}
}  // namespace

void print(const row& r) {
  const bool relative = r.floor > 0;
  const double judged = relative ? r.ours / r.floor : r.ours;
  const bool met = r.direction == better::higher ? judged >= r.goal : judged <= r.goal;
  const std::string sign = r.direction == better::higher ? ">=" : "<=";
  std::printf("%-62s %14s %14s %7s %9s  %s\n", r.what.c_str(), (number(r.ours) + " " + r.unit).c_str(),
              relative ? (number(r.floor) + " " + r.unit).c_str() : "", relative ? number(judged).c_str() : "",
              r.goal > 0 ? (sign + number(r.goal) + (relative ? "x" : "")).c_str() : "",
              r.goal > 0 ? (met ? "met" : "MISSED") : "");
  std::fflush(stdout);
}

void die(const std::string& why) {
  std::fprintf(stderr, "bench: %s\n", why.c_str());
  std::exit(1);
}

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(p / 100 * static_cast<double>(values.size() - 1))];
}
double median(std::vector<double> values) { return percentile(std::move(values), 50); }

bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds time_max) {
  const auto until = steady::now() + time_max;
  while (!done()) {
    if (steady::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  return true;
}

scratch_dir::scratch_dir() {
  const char* base = std::getenv("ZEDOPS_BENCH_DIR");
  std::string name = std::string(base ? base : "/var/tmp") + "/zedops-bench-XXXXXX";
  if (!::mkdtemp(name.data())) die("cannot make " + name);
  path = name;
}
scratch_dir::~scratch_dir() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

}  // namespace zedops::bench
