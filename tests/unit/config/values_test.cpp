#include "config/settings/values.hpp"

#include "tests/support/catch.hpp"

using namespace zedops::config;

TEST_CASE("values: sizes need a unit and survive a round trip", "[unit][config]") {
  REQUIRE(parse_size("2GiB") == 2ull << 30);
  REQUIRE(parse_size("1536MiB") == 1536ull << 20);
  REQUIRE(parse_size("0") == 0u);
  REQUIRE_FALSE(parse_size("512"));
  REQUIRE_FALSE(parse_size("2GB"));
  REQUIRE_FALSE(parse_size("-1KiB"));
  REQUIRE_FALSE(parse_size("20000000TiB"));
  REQUIRE(format_size(2ull << 30) == "2GiB");
  REQUIRE(format_size(1536ull << 20) == "1536MiB");
  REQUIRE(format_size(7) == "7B");
}

TEST_CASE("values: quoting keeps an error on one line", "[unit][config]") {
  REQUIRE(in_quotes("a\nb\"") == "\"a\\x0ab\\\"\"");
  REQUIRE(in_quotes(std::string(500, 'x')).size() < 100);
}
