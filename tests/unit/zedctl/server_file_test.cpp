// Servers as files.
#include "tools/zedctl/input/server_file.hpp"

#include <algorithm>

#include "messages/api/views.hpp"
#include "messages/wire/codec.hpp"
#include "tests/support/catch.hpp"
#include "tools/zedctl/output/yaml.hpp"

using namespace zedops;
using namespace zedops::ctl;

namespace {

msg::create_server one(const std::string& text) {
  auto all = servers_in_text(text, "f.yaml");
  INFO((all ? "" : all.error().message));
  REQUIRE(all);
  REQUIRE(all->size() == 1);
  return all->front().server;
}
std::string problem(const std::string& text) {
  auto all = servers_in_text(text, "f.yaml");
  return all ? "" : all.error().message + " -- " + all.error().hint;
}

bool mentions(const std::string& text, std::initializer_list<const char*> words) {
  INFO(text);
  return std::all_of(words.begin(), words.end(), [&](const char* w) { return text.find(w) != std::string::npos; });
}

}  // namespace

TEST_CASE("server file: values get the type of their field", "[unit][zedctl]") {
  const auto s = one(R"(
name: mc
agent: host1
template: generic
image: itzg/minecraft-server
image_tag: 1.25        # a number to YAML, a tag to us
config: {EULA: TRUE, MAX: 20, MOTD: "a: b"}
crash_policy: on-failure
priority: -3
spec:
  command: [-world, /w]
  memory_max: 2GiB
  stop_grace: 90s
  ports: ["25565", 2456-2457:2456-2457/udp, {host_port: 8080, container_port: 80, proto: tcp, host_ip: "::1"}]
  folders: ["data:/config", {path: mods, target: /mods, read_only: true}]
  binds: ["/srv/maps:/maps:ro"]
  ulimits: {nofile: "1024:2048", core: 0}
  health: {test: [CMD, "true"], interval: 5000}
  tty: true
)");
  CHECK(s.name == "mc");
  CHECK(s.image_tag == "1.25");
  CHECK(s.config == std::map<std::string, std::string>{{"EULA", "TRUE"}, {"MAX", "20"}, {"MOTD", "a: b"}});
  CHECK(s.crash == msg::crash_policy::on_failure);
  CHECK(s.priority == -3);
  REQUIRE(s.spec);
  CHECK(s.spec->command == std::vector<std::string>{"-world", "/w"});
  CHECK(s.spec->memory_max == 2ull << 30);
  CHECK(s.spec->stop_grace == msg::duration{90'000});
  REQUIRE(s.spec->ports->size() == 4);
  CHECK(s.spec->ports->at(3) == msg::port_binding{8080, 80, msg::protocol::tcp, "::1"});
  CHECK(s.spec->folders->at(1) == msg::data_folder{"mods", "/mods", true});
  CHECK(s.spec->binds->at(0) == msg::mount{"/srv/maps", "/maps", true});
  CHECK(s.spec->ulimits->at("nofile") == msg::ulimit{1024, 2048});
  CHECK(s.spec->ulimits->at("core") == msg::ulimit{0, 0});
  CHECK(s.spec->health->interval == msg::duration{5000});
  CHECK(s.spec->tty == true);
  CHECK(!s.spec->init);
}

TEST_CASE("server file: the output of get -o yaml is a valid one", "[unit][zedctl]") {
  msg::server_view v;
  v.id = {"s1"};
  v.name = "pz1";
  v.agent = "host1";
  v.template_name = "keeper";
  v.image = "a/b";
  v.image_tag = "1.0";
  v.config = {{"A", "no"}, {"B", ""}};
  v.game_port = 21000;
  v.ports = {{msg::port_role::game, msg::protocol::udp, 21000}};
  v.server_data_path = "/srv";
  v.crash_policy = msg::crash_policy::always;
  v.recovery = msg::recovery_policy::automatic;
  v.spec.emplace().user = "1000";
  v.spec->ports = {{25565, 25565, msg::protocol::tcp, ""}};
  v.spec->ulimits = {{"nofile", {1, 2}}};
  v.spec->stop_grace = msg::duration{1500};
  v.last_error = msg::error{msg::ec::engine_error, "x: y", "", {}};
  for (const auto& text : {yaml_from_json(msg::to_json(v, 2)), msg::to_json(v, 2)}) {
    const auto s = one(text);
    CHECK(s.name == "pz1");
    CHECK(s.agent == "host1");
    CHECK(s.template_name == "keeper");
    CHECK(s.image_tag == "1.0");
    CHECK(s.config == v.config);
    CHECK(s.game_port == 21000);
    CHECK(s.server_data_path == "/srv");
    CHECK(s.crash == msg::crash_policy::always);
    CHECK(s.recovery == msg::recovery_policy::automatic);
    REQUIRE(s.spec);
    CHECK(*s.spec == *v.spec);
  }
}

TEST_CASE("server file: several documents, and none", "[unit][zedctl]") {
  auto two = servers_in_text("name: one\n---\nname: two\n", "f.yaml");
  REQUIRE(two);
  REQUIRE(two->size() == 2);
  CHECK(two->at(1).server.name == "two");
  CHECK(two->at(1).from == "f.yaml (document 2)");
  CHECK(mentions(problem("# nothing\n"), {"contains no server"}));
  CHECK(mentions(problem(""), {"contains no server"}));
}

TEST_CASE("server file: mistakes are named with their line", "[unit][zedctl]") {
  CHECK(mentions(problem("name: a\nimagetag: x\n"), {"f.yaml:2", "'imagetag'", "image_tag"}));
  CHECK(mentions(problem("name: a\nspec:\n  memory: 2g\n"), {"f.yaml:3", "'memory' in spec", "memory_max"}));
  CHECK(mentions(problem("name: a\nname: b\n"), {"f.yaml:2", "'name' appears twice"}));
  CHECK(mentions(problem("agent: a\n"), {"the server has no name"}));
  CHECK(mentions(problem("name: a\nspec: {ports: [x]}\n"), {"f.yaml:2", "spec.ports", "25565"}));
  CHECK(mentions(problem("name: a\nspec: {tty: maybe}\n"), {"spec.tty", "true nor false"}));
  CHECK(mentions(problem("name: a\nspec: {memory_max: lots}\n"), {"spec.memory_max"}));
  CHECK(mentions(problem("name: a\ngame_port: 70000\n"), {"game_port"}));
  CHECK(mentions(problem("name: a\nspec: {command: sleep 10}\n"), {"spec.command is not a list"}));
  CHECK(mentions(problem("name: [a]\n"), {"name is not text"}));
  CHECK(mentions(problem("- a\n"), {"not a map"}));
  CHECK(mentions(problem("name: a\n  b: [\n"), {"f.yaml:"}));
  CHECK(mentions(problem("name: *nowhere\n"), {"f.yaml:"}));
  CHECK(mentions(problem("name: a\nrecovery: maybe\n"), {"recovery is not one of manual, auto"}));
  CHECK(mentions(problem("? [a]\n: b\n"), {"key is not text"}));
  CHECK(mentions(problem(std::string(server_file_bytes_max + 1, ' ')), {"1.0 MiB"}));
}

TEST_CASE("server file: nesting and aliases are bounded", "[unit][zedctl]") {
  CHECK_FALSE(problem("name: a\nspec: " + std::string(3000, '[') + "\n").empty());
  std::string bomb = "name: a\nconfig: &a {k: v}\n";
  CHECK(problem(bomb).empty());
  // A node that holds itself.
  CHECK_FALSE(problem("name: a\nspec: &s {command: [*s]}\n").empty());
}
