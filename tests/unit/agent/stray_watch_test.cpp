// When a container of no known service may be removed.
#include "actors/agent/deploy/stray_watch.hpp"

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace std::chrono_literals;

TEST_CASE("strays: they are removed after two passes and the grace period, a few at a time", "[agent][acc-89]") {
  agent::stray_watch w;
  agent::stray_watch::time t{};
  std::vector<std::string> many;
  for (int n = 0; n < 12; ++n) many.push_back("c" + std::to_string(n));
  auto v = w.pass(many, t, 10min);
  CHECK(v.fresh.size() == 12);
  CHECK(v.remove.empty());
  CHECK(w.pass(many, t + 5min, 10min).remove.empty());
  v = w.pass(many, t + 10min, 10min);
  CHECK(v.fresh.empty());
  CHECK(v.remove.size() == agent::stray_watch::removals_max);
}

TEST_CASE("strays: one pass is not enough, however long ago it was", "[agent][acc-89]") {
  agent::stray_watch w;
  agent::stray_watch::time t{};
  CHECK(w.pass({"c"}, t, 1ms).remove.empty());
  CHECK(w.pass({"c"}, t + 1h, 1ms).remove == std::vector<std::string>{"c"});
}

TEST_CASE("strays: one that was known in between starts over, and without a grace period none is removed",
          "[agent][acc-89]") {
  agent::stray_watch w;
  agent::stray_watch::time t{};
  w.pass({"c"}, t, 10min);
  w.pass({}, t + 5min, 10min);
  CHECK(w.count() == 0);
  CHECK(w.pass({"c"}, t + 11min, 10min).fresh.size() == 1);
  CHECK(w.pass({"c"}, t + 15min, 10min).remove.empty());
  for (int n = 0; n < 100; ++n) CHECK(w.pass({"c"}, t + 24h * n, 0ms).remove.empty());
}
