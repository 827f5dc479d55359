// JSON of REST to the MessagePack of verbs, and back.
#include "integration/http/api/bodies.hpp"

#include <nlohmann/json.hpp>

#include "integration/http/api/openapi.hpp"
#include "messages/wire/codec.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::web;
using namespace zedops::msg;

namespace {
result<verb_call> called(const std::string& method, const std::string& target, std::string body = {},
                         pairs headers = {}) {
  request r;
  r.method = method;
  REQUIRE(read_target(target, r));
  r.headers = std::move(headers);
  if (!body.empty()) r.headers.emplace_back("content-type", "application/json");
  r.body = std::move(body);
  const auto found = match(method, r.segments);
  REQUIRE(std::holds_alternative<matched>(found));
  return call_of(std::get<matched>(found), r);
}
template <class T>
T body_of(const result<verb_call>& c) {
  REQUIRE(c);
  auto b = unpack_map<T>(c->body);
  REQUIRE(b);
  return *b;
}
}  // namespace

TEST_CASE("a body, a path and a query become one request", "[unit][http]") {
  const auto made = body_of<create_server>(
      called("POST", "/api/servers", R"({"name":"a","config":{"K":"v"},"game_port":7,"template":"t"})"));
  CHECK(made.name == "a");
  CHECK(made.config.at("K") == "v");
  CHECK(made.game_port == 7);
  CHECK(made.template_name == "t");
  const auto page = body_of<list_servers>(called("GET", "/api/servers?all=1&limit=5&after=s1&status=running&agent=h"));
  CHECK(
      (page.all && page.where.limit == 5 && page.where.after == "s1" && page.status == "running" && page.agent == "h"));
  const auto purge = body_of<purge_server>(called("DELETE", "/api/servers/x/purge?confirm=1&keep_data=true"));
  CHECK((purge.server == "x" && purge.confirm && purge.keep_data && !purge.remove_data));
  const auto data = body_of<check_data>(called("POST", "/api/servers/x/check-data", R"({"sizes":true})"));
  CHECK((data.servers == std::vector<std::string>{"x"} && data.sizes));
  CHECK(body_of<sync_agents>(called("POST", "/api/agents/h/sync")).agent == "h");
  CHECK(body_of<get_operation>(called("GET", "/api/operations/o1")).id == "o1");
  CHECK(body_of<remove_token>(called("DELETE", "/api/tokens/t")).name == "t");
  CHECK(body_of<add_token>(called("POST", "/api/tokens", R"({"name":"t","role":"viewer","ttl":1000})")).ttl ==
        duration(1000));
  // The path names the item; a body cannot name another.
  CHECK(body_of<stop_server>(called("POST", "/api/servers/x/stop", R"({"server":"x"})")).server == "x");
  CHECK_FALSE(called("POST", "/api/servers/x/stop", R"({"server":"y"})"));
}

TEST_CASE("options and revisions", "[unit][http]") {
  const auto c = called("POST", "/api/servers/x/start?wait=1&dry_run=0");
  REQUIRE(c);
  CHECK((c->options.wait && !c->options.dry_run));
  CHECK(!called("POST", "/api/servers/x/start?wait=maybe"));
  const auto e = body_of<edit_server>(called("PATCH", "/api/servers/x", "{}", {{"if-match", "\"r12-99\""}}));
  CHECK(e.revision == 12);
}

TEST_CASE("an invalid body is refused with cause and remedy", "[unit][http]") {
  const std::pair<const char*, const char*> list[] = {
      {"{", "JSON"},
      {"[]", "object"},
      {R"({"nmae":"x"})", "nmae"},
      {R"({"name":"x","name":"y"})", "twice"},
      {R"({"config":{"A":"1","A":"2"}})", "twice"},
      {R"({"name":1})", "name"},
      {R"({"game_port":70000})", "game_port"},
      {R"({"recovery":"always"})", "recovery"},
      {"\xff", "JSON"},
  };
  for (const auto& [body, said] : list) {
    const auto c = called("POST", "/api/servers", body);
    REQUIRE(!c);
    CHECK(c.error().code == ec::bad_request);
    CHECK((c.error().message + c.error().hint).find(said) != std::string::npos);
  }
  std::string deep = R"({"config":)";
  for (int i = 0; i < 5'000; ++i) deep += "[";
  CHECK(!called("POST", "/api/servers", deep));
  CHECK(!called("GET", "/api/servers?limit=x"));
  const auto typo = called("GET", "/api/servers?statsu=running");
  REQUIRE(!typo);
  CHECK(typo.error().hint.find("status") != std::string::npos);
}

TEST_CASE("answers have the same field names as all other JSON", "[unit][http]") {
  server_list list;
  list.servers.emplace_back().name = "pz1";
  const auto text = json_of(find_verb("server.ls"), pack_map(list));
  REQUIRE(text);
  CHECK(*text == to_json(list) + "\n");
  CHECK(!json_of(find_verb("server.ls"), "\x92"));
}

TEST_CASE("the description names every route once", "[unit][http]") {
  for (const auto& r : routes()) CHECK(openapi().find('"' + r.path + '"') != std::string::npos);
}

TEST_CASE("the examples in the description are accepted", "[unit][http]") {
  const auto described = nlohmann::json::parse(openapi());
  size_t examples = 0;
  for (const auto& [path, methods] : described["paths"].items())
    for (const auto& [method, operation] : methods.items()) {
      const auto place = nlohmann::json::json_pointer("/requestBody/content/application~1json/example");
      if (!operation.contains(place)) continue;
      auto target = path;
      if (const auto at = target.find("{id}"); at != std::string::npos) target.replace(at, 4, "host1");
      INFO(path);
      std::string upper = method;
      for (auto& c : upper) c = static_cast<char>(std::toupper(c));
      CHECK(called(upper, target, operation[place].dump()));
      ++examples;
    }
  CHECK(examples >= 14);
}
