// Addresses, cookies and answers, without a socket.
#include "integration/http/transport/message.hpp"

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::web;

namespace {
request asked(std::string_view target) {
  request r;
  auto ok = read_target(target, r);
  REQUIRE(ok);
  return r;
}
bool refused(std::string_view target) {
  request r;
  return !read_target(target, r);
}
}  // namespace

TEST_CASE("an address is split and decoded once", "[unit][http]") {
  const auto r = asked("/api/servers/host1%2Fpz1/start?wait=1&agent=a+b&x=%2B&flag");
  CHECK(r.segments == std::vector<std::string>{"api", "servers", "host1/pz1", "start"});
  CHECK(r.parameter("wait") == "1");
  CHECK(r.parameter("agent") == "a b");
  CHECK(r.parameter("x") == "+");
  CHECK(r.query.size() == 4);
  CHECK(asked("/").segments.empty());
  CHECK(asked("/a%2520b").segments.front() == "a%20b");
  CHECK(asked("/api/servers/").segments.size() == 2);
}

TEST_CASE("an ambiguous address is refused", "[unit][http]") {
  for (const auto* target : {"", "api", "http://x/api", "/a/../b", "/./a", "//a", "/a//b", "/%2e%2e/a", "/%00",
                             "/a%0d%0ab", "/%", "/%4", "/%zz", "/a?x=%0a", "/a?x=%g1"})
    CHECK(refused(target));
  CHECK(refused("/" + std::string(600, 'a')));
  std::string deep, many = "/a?";
  for (int i = 0; i < 20; ++i) deep += "/a";
  for (int i = 0; i < 70; ++i) many += "x=1&";
  CHECK(refused(deep));
  CHECK(refused(many));
}

TEST_CASE("a cookie is found by its whole name", "[unit][http]") {
  request r;
  r.headers = {{"cookie", "azedops-1=no; zedops-1=zs_x=y;zedops-11=other"}};
  CHECK(r.cookie("zedops-1") == "zs_x=y");
  CHECK(r.cookie("zedops-11") == "other");
  CHECK(r.cookie("zedops").empty());
}

TEST_CASE("an error has cause, remedy and the status of its code", "[unit][http]") {
  const auto r = error_response({msg::ec::rate_limited, "too \"many\"\x01", "wait", "o1"});
  CHECK(r.status == 429);
  CHECK(*r.body ==
        "{\"error\":{\"code\":\"rate_limited\",\"message\":\"too \\\"many\\\"\\u0001\",\"hint\":\"wait\","
        "\"operation\":\"o1\"}}\n");
  CHECK(r.headers == pairs{{"Retry-After", "1"}});
  for (const auto& row : msg::ec_table) CHECK(reason_of(row.http_status) != "Status");
}
