// How often signing in may be tried.
#include "tests/support/catch.hpp"
#include "tools/manager/web/sign_in.hpp"

using zedops::app::sign_in_limits;
using namespace std::chrono_literals;

TEST_CASE("guessing is slowed down for a name and for an address", "[unit][http]") {
  sign_in_limits limits;
  sign_in_limits::time now{};
  now += 1h;
  size_t admitted = 0;
  for (int i = 0; i < 40; ++i) admitted += limits.admit("ann", "192.0.2." + std::to_string(i), now);
  CHECK(admitted == sign_in_limits::per_name);
  admitted = 0;
  for (int i = 0; i < 40; ++i) admitted += limits.admit("user" + std::to_string(i), "198.51.100.1", now);
  CHECK(admitted == sign_in_limits::per_address);
  CHECK(limits.admit("bob", "192.0.2.99", now));  // others are not affected
  CHECK(!limits.admit("ann", "192.0.2.99", now));
  CHECK(limits.admit("ann", "192.0.2.99", now + sign_in_limits::window + 1s));
  limits.succeeded("ann", "192.0.2.99");
  CHECK(limits.admit("ann", "192.0.2.98", now));
  // A successful sign-in does not use up the guesses of an address: many people may share one.
  for (int i = 0; i < 100; ++i) {
    const auto name = "guest" + std::to_string(i);
    CHECK(limits.admit(name, "203.0.113.1", now));
    limits.succeeded(name, "203.0.113.1");
  }
}
