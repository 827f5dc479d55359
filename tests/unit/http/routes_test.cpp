// Every verb has its route, and no two have the same.
#include "integration/http/api/routes.hpp"

#include <set>

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::web;

namespace {
std::string verb_at(const std::string& method, const std::string& path, std::string* item = nullptr) {
  request r;
  REQUIRE(read_target(path, r));
  const auto found = match(method, r.segments);
  const auto* to = std::get_if<matched>(&found);
  if (to && item) *item = to->item;
  return to ? std::string(msg::verb_table[to->to->row].verb) : std::string{};
}
}  // namespace

TEST_CASE("the routes that scripts rely on", "[unit][http]") {
  const std::tuple<const char*, const char*, const char*> list[] = {
      {"GET", "/api/servers", "server.ls"},
      {"POST", "/api/servers", "server.create"},
      {"GET", "/api/servers/x", "server.get"},
      {"PATCH", "/api/servers/x", "server.edit"},
      {"DELETE", "/api/servers/x", "server.rm"},
      {"DELETE", "/api/servers/x/purge", "server.purge"},
      {"POST", "/api/servers/x/start", "server.start"},
      {"POST", "/api/servers/x/stop", "server.stop"},
      {"POST", "/api/servers/x/restart", "server.restart"},
      {"POST", "/api/servers/x/rebuild", "server.rebuild"},
      {"POST", "/api/servers/x/recreate", "server.recreate"},
      {"POST", "/api/servers/x/restore", "server.restore"},
      {"POST", "/api/servers/x/check-data", "server.check-data"},
      {"GET", "/api/servers/x/logs", "server.logs"},
      {"GET", "/api/servers/x/history", "server.history"},
      {"POST", "/api/servers/adopt", "server.adopt"},
      {"GET", "/api/agents", "agent.ls"},
      {"POST", "/api/agents/x/sync", "server.sync"},
      {"GET", "/api/operations", "op.ls"},
      {"POST", "/api/operations/x/cancel", "op.cancel"},
      {"GET", "/api/audit", "audit.ls"},
      {"POST", "/api/users", "user.add"},
      {"DELETE", "/api/tokens/x", "token.rm"},
      {"GET", "/api/keys", "key.ls"},
      {"HEAD", "/api/servers", "server.ls"},
  };
  for (const auto& [method, path, verb] : list) CHECK(verb_at(method, path) == verb);
  std::string item;
  CHECK(verb_at("GET", "/api/servers/host1%2Fpz1", &item) == "server.get");
  CHECK(item == "host1/pz1");
}

TEST_CASE("each verb has one route, and each route one verb", "[unit][http]") {
  std::set<std::string> places;
  std::set<size_t> rows;
  for (const auto& r : routes()) {
    CHECK(places.insert(r.method + r.path).second);
    CHECK(rows.insert(r.row).second);
    CHECK(verb_at(r.method, r.path) == msg::verb_table[r.row].verb);
  }
  std::set<std::string_view> without;
  for (size_t i = 0; i < msg::verb_table.size(); ++i)
    if (!rows.contains(i)) without.insert(msg::verb_table[i].verb);
  CHECK(without == std::set<std::string_view>{"agent.enrol", "metrics", "upload.chunk"});
}

TEST_CASE("a path with another method names the allowed methods", "[unit][http]") {
  const auto other = match("PUT", {"api", "servers"});
  REQUIRE(std::holds_alternative<other_methods>(other));
  CHECK(std::get<other_methods>(other).allow == "POST, GET, HEAD, OPTIONS");
  CHECK(std::holds_alternative<no_route>(match("GET", {"api"})));
  CHECK(std::holds_alternative<no_route>(match("GET", {"api", "servers", "x", "y", "z"})));
}
