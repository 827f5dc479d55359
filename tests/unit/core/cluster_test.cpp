// Random lives of a whole installation of pure state machines. ZEDOPS_SEED=n replays one; ZEDOPS_SEEDS=k runs k.
#include "tests/unit/core/support/cluster.hpp"

#include <cstdlib>
#include <ctime>
#include <iostream>

#include "tests/support/catch.hpp"

using namespace zedops::core::testing;

namespace {
uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}
}  // namespace

TEST_CASE("cluster: whatever happens the rules hold, and in the end everything settles",
          "[unit][core][cluster][acc-28][acc-51][acc-55][acc-60][acc-62][acc-63][acc-64][fc-62]") {
  constexpr int steps_max = 1'000;
  const auto one = number_from("ZEDOPS_SEED", 0);
  const auto first = one != 0 ? one : 1;
  const auto last = first + (one != 0 ? 1 : number_from("ZEDOPS_SEEDS", 60));
  uint64_t steps = 0, decisions = 0, operations = 0, purged = 0, last_second = 0;
  const auto begun = std::clock();
  for (auto seed = first; seed < last; ++seed) {
    cluster t(seed);
    std::optional<std::string> broken;
    for (int i = 0; i < steps_max && !broken; ++i) broken = t.step();
    if (!broken) broken = t.rest();
    INFO("ZEDOPS_SEED=" << seed << ", step " << t.steps());
    REQUIRE(broken.value_or("") == "");
    steps += t.steps();
    decisions += t.decisions();
    operations += t.operations();
    purged += t.purged();
    last_second += t.last_second_restores();
  }
  const auto seconds = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
  std::cout << "cluster: " << steps << " steps, " << decisions << " decisions, " << operations << " operations, "
            << purged << " servers purged, " << last_second << " restores at the last moment; "
            << static_cast<uint64_t>(static_cast<double>(decisions) / seconds) << " decisions per second of CPU\n";
  if (one == 0) CHECK((purged > 0 && last_second > 0));
}
