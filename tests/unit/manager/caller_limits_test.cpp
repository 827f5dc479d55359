// The limits of one caller.
#include "actors/manager/doors/caller_limits.hpp"

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace std::chrono_literals;
using manager::caller_limits;

namespace {
msg::principal someone(const char* id) { return {id, msg::authentication::key, "192.0.2.7", {}}; }
}  // namespace

TEST_CASE("caller limits: a burst, then a fixed rate, and no caller pays for another", "[unit][manager]") {
  caller_limits limits;
  caller_limits::time now{1h};
  size_t admitted = 0;
  for (int i = 0; i < 5'000; ++i)
    if (limits.admit(someone("key:eve"), now)) ++admitted;
  CHECK(admitted == 1'000);
  auto r = limits.admit(someone("key:eve"), now);
  REQUIRE_FALSE(r.has_value());
  CHECK(r.error().code == msg::ec::rate_limited);
  CHECK(limits.admit(someone("key:bob"), now).has_value());
  admitted = 0;
  for (int i = 0; i < 5'000; ++i)
    if (limits.admit(someone("key:eve"), now + 500ms)) ++admitted;
  CHECK(admitted == 100);
}

TEST_CASE("caller limits: requests in progress are limited, and counted until they are answered", "[unit][manager]") {
  caller_limits limits;
  const caller_limits::time now{1h};
  std::vector<std::shared_ptr<void>> held;
  for (uint32_t i = 0; i < caller_limits::at_work_max; ++i) {
    auto r = limits.admit(someone("key:eve"), now);
    REQUIRE(r.has_value());
    held.push_back(std::move(*r));
  }
  CHECK_FALSE(limits.admit(someone("key:eve"), now).has_value());
  held.pop_back();
  CHECK(limits.admit(someone("key:eve"), now).has_value());
}

TEST_CASE("caller limits: local callers are not counted", "[unit][manager]") {
  caller_limits limits;
  for (int i = 0; i < 5'000; ++i) {
    auto r = limits.admit(msg::local_principal("uid:1000"), {});
    REQUIRE(r.has_value());
    CHECK_FALSE(*r);
  }
}
