#include "messages/base/time.hpp"

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using namespace zedops::msg;
using namespace std::chrono_literals;

TEST_CASE("time: a written time is read back", "[unit][messages]") {
  REQUIRE(rc::check("RFC 3339 round trip from 1970 to 9999", [] {
    const time_point t{duration{*rc::gen::inRange<int64_t>(0, 253'402'300'800'000)}};
    RC_ASSERT(from_rfc3339(to_rfc3339(t)) == t);
  }));
  CHECK(to_rfc3339(time_point{1714564800123ms}) == "2024-05-01T12:00:00.123Z");
  CHECK(to_rfc3339(time_point{-1ms}) == "1969-12-31T23:59:59.999Z");
  CHECK(to_rfc3339(time_point{-1000ms}) == "1969-12-31T23:59:59.000Z");
  CHECK(to_rfc3339(time_point::min()) == "-292275055-05-16T16:47:04.192Z");
  CHECK(from_rfc3339("2024-05-01T12:00:00Z") == time_point{1714564800000ms});
  CHECK(from_rfc3339("2024-05-01T12:00:00.5Z") == time_point{1714564800500ms});
  CHECK(from_rfc3339("2024-02-29T00:00:00Z"));
}

TEST_CASE("time: an invalid time is refused", "[unit][messages][hostile]") {
  for (const char* text : {"", "Z", "2024-05-01", "2024-05-01 12:00:00Z", "2024-05-01T12:00:00", "2024-13-01T00:00:00Z",
                           "2024-00-01T00:00:00Z", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z",
                           "2024-05-01T24:00:00Z", "2024-05-01T-1:00:00Z", "2024-05-01T00:-1:00Z",
                           "-024-05-01T00:00:00Z", "2024-05-01T00:00:00.Z", "2024-05-01T00:00:00.1234567890Z",
                           "2024-05-01T00:00:00.12x4Z", "2024-05-01T00:00:00+00:00", "2024-05-01T00:00:00,5Z"}) {
    INFO(text);
    CHECK(!from_rfc3339(text));
  }
  REQUIRE(rc::check("random texts never throw", [](const std::string& text) {
    (void)from_rfc3339(text);
    (void)parse_duration(text);
  }));
}

TEST_CASE("duration: a written duration is read back, and a number needs its unit", "[unit][messages]") {
  REQUIRE(rc::check("round trip", [] {
    const duration d{*rc::gen::inRange<int64_t>(0, INT64_MAX / 4)};
    RC_ASSERT(parse_duration(format_duration(d)) == d);
  }));
  CHECK(parse_duration("90s") == 90s);
  CHECK(parse_duration("1h30m") == 90min);
  CHECK(parse_duration("7d") == 168h);
  CHECK(parse_duration("250ms") == 250ms);
  for (const char* text : {"", "5", "s", "-5s", "-0s", "5 s", " 5s", "5x", "1h30", "1.5h", "99999999999999999999s",
                           "9223372036854775807d", "5s "}) {
    INFO(text);
    CHECK(!parse_duration(text));
  }
}

TEST_CASE("time: nanoseconds of the Engine's stamps", "[unit][messages]") {
  CHECK(nanoseconds_from_rfc3339("1970-01-01T00:00:01.000000002Z") == 1'000'000'002);
  CHECK(nanoseconds_from_rfc3339("1970-01-01T00:00:01.5Z") == 1'500'000'000);
  CHECK(nanoseconds_from_rfc3339("1970-01-01T00:00:01Z") == 1'000'000'000);
  for (const char* bad : {"", "1970-01-01T00:00:01", "1970-01-01T00:00:01.0000000001Z", "1970-01-01T00:00:01,5Z",
                          "1970-01-01T00:00:01.x5Z", "soon Z"})
    CHECK_FALSE(nanoseconds_from_rfc3339(bad));
}
