#include "actors/manager/doors/large_requests.hpp"

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::manager;
using namespace std::chrono_literals;

TEST_CASE("large requests: a few are admitted at once, more of them at a fixed rate", "[unit][manager]") {
  large_requests gate;
  auto now = large_requests::time{} + 1h;
  constexpr size_t quarter = 256 * 1024;
  for (int i = 0; i < 4; ++i) CHECK(gate.admit(quarter, now) == 0ms);
  CHECK(gate.admit(large_request_bytes, now) == 0ms);  // not large
  for (int i = 1; i <= 5; ++i) CHECK(gate.admit(quarter, now) == i * 1s);
  SECTION("too many waiting ones are refused, and do not count") {
    for (int i = 0; i < 100; ++i) CHECK(gate.admit(quarter, now).error().code == msg::ec::rate_limited);
    now += 1s;
    CHECK(gate.admit(quarter, now) == 5s);
  }
  SECTION("after a pause everything is as at first") {
    now += 1min;
    for (int i = 0; i < 4; ++i) CHECK(gate.admit(quarter, now) == 0ms);
    CHECK(gate.admit(quarter, now) == 1s);
  }
}
