#include "config/values.hpp"

#include <array>

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

TEST_CASE("values: a mistyped word finds its nearest neighbour and nonsense finds none", "[unit][config]") {
  constexpr std::array<std::string_view, 3> words = {"sync_interval", "retention", "clients"};
  REQUIRE(nearest("sync_intervall", words) == "sync_interval");
  REQUIRE(nearest("client", words) == "clients");
  REQUIRE(nearest("zzzzzzzz", words).empty());
  REQUIRE(nearest(std::string(100000, 'a'), words).empty());
}

TEST_CASE("values: quoting keeps an error on one line", "[unit][config]") {
  REQUIRE(in_quotes("a\nb\"") == "\"a\\x0ab\\\"\"");
  REQUIRE(in_quotes(std::string(500, 'x')).size() < 100);
}
