// How a container that was made by hand maps to a server.
#include "actors/core/plan/adoption.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

server_template zomboid() {
  server_template t;
  t.name = "project-zomboid";
  t.image_tag = "latest";
  t.networks = {"zomboid"};
  t.inject_env = {{"GAME", "{game_port}"}, {"UDP", "{udp_port}"}, {"RCON", "{rcon_port}"}};
  t.env = {{"TZ", "UTC"}};
  t.game_port = {port_rule::assigned, 16261, 16400, 2, 0};
  t.udp_port = {port_rule::assigned, 0, 0, 1, 1};
  t.rcon_port = {port_rule::assigned, 27015, 27100, 1, 0};
  t.ports = {{"game", protocol::udp, "{game_port}", 0, true},
             {"udp", protocol::udp, "{udp_port}", 0, true},
             {"rcon", protocol::tcp, "{rcon_port}", 0, false}};
  t.dirs = {{"bin", "/opt/game", "bin", true, false}, {"data", "/home/steam/Zomboid", "data", true, false}};
  return t;
}

server_template plain() {
  server_template t;
  t.name = "generic";
  t.image_tag = "latest";
  t.game_port.rule = port_rule::optional;
  t.ports = {{"game", protocol::tcp, "{game_port}", 0, true}, {"game", protocol::udp, "{game_port}", 0, true}};
  t.dirs = {{"data", "/data", "data", true, false}};
  return t;
}

container_answer by_hand() {
  container_answer c;
  c.view.id = "f0re1gn";
  c.view.name = "my-zomboid";
  c.view.image = "registry.example:5000/pz:41";
  c.view.state = container_state::running;
  c.env = {{"GAME", "16300"}, {"UDP", "16301"}, {"RCON", "27020"}, {"TZ", "UTC"}, {"MOTD", "hello"}};
  c.ports = {{16300, 16300, protocol::udp, {}}, {16301, 16301, protocol::udp, {}}};
  c.mounts = {{"/srv/pz/bin", "/opt/game", false}, {"/srv/pz/home", "/home/steam", false}};
  c.networks = {"zomboid"};
  return c;
}

adopt_server request(std::string name = "pz1") {
  adopt_server r;
  r.name = std::move(name);
  r.agent = "h1";
  r.container = "my-zomboid";
  return r;
}

std::string refusal_of(const adopt_server& r, const container_answer& c, const server_template& t) {
  auto a = adoption_of(r, c, t, "m1");
  return a ? "" : std::string(name_of(a.error().code)) + ": " + a.error().message + " -- " + a.error().hint;
}

std::string all(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& l : lines) out += l + "\n";
  return out;
}

}  // namespace

TEST_CASE("adoption: image, variables and ports are the container's", "[unit][core][fc-24]") {
  const auto a = adoption_of(request(), by_hand(), zomboid(), "m1");
  REQUIRE(a);
  CHECK(a->runs);
  CHECK(a->as.name == "pz1");
  CHECK(a->as.agent == "h1");
  CHECK(a->as.template_name == "project-zomboid");
  CHECK(a->as.image == "registry.example:5000/pz");
  CHECK(a->as.image_tag == "41");
  // What the template sets by itself is not kept as the server's own.
  CHECK(a->as.config == std::map<std::string, std::string>{{"MOTD", "hello"}});
  CHECK(a->as.game_port == 16300);
  CHECK(a->as.udp_port == 16301);
  CHECK(a->as.rcon_port == 27020);
  const auto steps = all(a->steps);
  INFO(steps);
  CHECK(mentions(steps, {"/srv/pz/bin to pz1/bin", "/srv/pz/home/Zomboid to pz1/data", "my-zomboid", "stays where"}));
}

TEST_CASE("adoption: values of the request override those of the container", "[unit][core][fc-24]") {
  auto r = request();
  r.image = "elsewhere/pz";
  r.image_tag = "42";
  r.config = {{"MOTD", "new"}};
  r.game_port = 16400;
  r.leave_behind = true;
  auto c = by_hand();
  c.view.state = container_state::exited;
  const auto a = adoption_of(r, c, zomboid(), "m1");
  REQUIRE(a);
  CHECK(!a->runs);
  CHECK(a->as.image == "elsewhere/pz");
  CHECK(a->as.image_tag == "42");
  CHECK(a->as.config.at("MOTD") == "new");
  CHECK(a->as.game_port == 16400);
}

TEST_CASE("adoption: an image by digest, and one without a name", "[unit][core][fc-24]") {
  auto c = by_hand();
  const auto digest = "sha256:" + std::string(64, 'a');
  c.view.image = "pz@" + digest;
  auto a = adoption_of(request(), c, zomboid(), "m1");
  REQUIRE(a);
  CHECK(a->as.image == "pz");
  CHECK(a->as.image_tag == digest);
  c.view.image = digest;
  CHECK(mentions(refusal_of(request(), c, zomboid()), {"bad_request", "without a name", "--image"}));
  auto t = zomboid();
  t.image = "registry.example/pz";
  a = adoption_of(request(), c, t, "m1");
  REQUIRE(a);
  CHECK(a->as.image.empty());  // the template's
}

TEST_CASE("adoption: a container of a manager is refused", "[unit][core][fc-24][acc-21]") {
  auto c = by_hand();
  c.view.labels = {{"zedops.manager", "m1"}, {"zedops.server.name", "other"}};
  CHECK(mentions(refusal_of(request(), c, zomboid()), {"already_exists", "server other"}));
  c.view.labels["zedops.manager"] = "m2";
  CHECK(mentions(refusal_of(request(), c, zomboid()), {"forbidden", "another manager (m2)"}));
}

TEST_CASE("adoption: each directory has to be one whole mount", "[unit][core][fc-24]") {
  auto c = by_hand();
  c.mounts.pop_back();
  CHECK(mentions(refusal_of(request(), c, zomboid()), {"no_data", "/home/steam/Zomboid", "own layer", "docker cp"}));
  c = by_hand();
  c.mounts.push_back({"/srv/saves", "/home/steam/Zomboid/Saves", false});
  CHECK(mentions(refusal_of(request(), c, zomboid()), {"bad_request", "/home/steam/Zomboid/Saves", "not one tree"}));
  c = by_hand();  // the nearest mount counts
  c.mounts.push_back({"/mnt/zomboid", "/home/steam/Zomboid", false});
  auto r = request();
  r.leave_behind = true;  // then nothing of /home/steam is adopted
  const auto a = adoption_of(r, c, zomboid(), "m1");
  REQUIRE(a);
  CHECK(mentions(all(a->steps), {"/mnt/zomboid to pz1/data", "left behind: mount /home/steam"}));
}

TEST_CASE("adoption: a template without directories is refused", "[unit][core][fc-24]") {
  auto t = plain();
  t.dirs.clear();
  CHECK(mentions(refusal_of(request(), by_hand(), t), {"bad_request", "no directories"}));
}

TEST_CASE("adoption: what the template cannot provide is named, and left behind only on request",
          "[unit][core][fc-24]") {
  struct row {
    const char* says;
    void (*change)(container_answer&);
  };
  for (const auto& x : {row{"mount /etc/game",
                            [](container_answer& c) {
                              c.mounts.push_back({"/etc/g", "/etc/game", true});
                            }},
                        row{"network backend", [](container_answer& c) { c.networks.emplace_back("backend"); }},
                        row{"privileged", [](container_answer& c) { c.unusual.emplace_back("privileged"); }}}) {
    auto c = by_hand();
    x.change(c);
    CHECK(mentions(refusal_of(request(), c, zomboid()), {"bad_request", x.says, "--leave-behind"}));
    auto r = request();
    r.leave_behind = true;
    const auto a = adoption_of(r, c, zomboid(), "m1");
    REQUIRE(a);
    CHECK(mentions(all(a->steps), {"left behind", x.says}));
  }
}

TEST_CASE("adoption: a port bound to one address is not opened on all addresses without consent",
          "[unit][core][fc-24]") {
  auto c = by_hand();
  c.ports[0].host_ip = "127.0.0.1";
  CHECK(mentions(refusal_of(request(), c, zomboid()),
                 {"bad_request", "127.0.0.1", "16300/udp", "all addresses", "--leave-behind"}));
  for (const auto* everywhere : {"", "0.0.0.0", "::"}) {
    c.ports[0].host_ip = everywhere;
    CHECK(refusal_of(request(), c, zomboid()).empty());
  }
}

TEST_CASE("adoption: an ambiguous port has to be named", "[unit][core][fc-24]") {
  auto c = by_hand();
  c.env.erase("GAME");  // two are published now, and nothing shows which one it is
  CHECK(
      mentions(refusal_of(request(), c, zomboid()), {"bad_request", "game port", "16300/udp, 16301/udp", "--game-port"}));
  auto r = request();
  r.game_port = 16300;
  auto a = adoption_of(r, c, zomboid(), "m1");
  REQUIRE(a);
  CHECK(a->as.udp_port == 16301);
  // A port that is published under another number on the host keeps that number.
  c = by_hand();
  c.ports[0].host_port = 20000;
  a = adoption_of(request(), c, zomboid(), "m1");
  REQUIRE(a);
  CHECK(a->as.game_port == 20000);
}

TEST_CASE("adoption: a template with an optional port", "[unit][core][fc-24]") {
  container_answer c;
  c.view.name = "web";
  c.view.image = "nginx";
  c.mounts = {{"/srv/web", "/data", false}};
  auto a = adoption_of(request("web"), c, plain(), "m1");
  REQUIRE(a);
  CHECK(a->as.game_port == 0);
  CHECK(a->as.image == "nginx");
  c.ports = {{9000, 9000, protocol::tcp, {}}};
  a = adoption_of(request("web"), c, plain(), "m1");
  REQUIRE(a);
  CHECK(a->as.game_port == 9000);
}

TEST_CASE("adoption: the options of docker run become the server's own spec", "[unit][core][fc-24]") {
  auto c = by_hand();
  c.ports.push_back({8080, 80, protocol::tcp, "127.0.0.1"});
  auto& had = c.spec.emplace();
  had.command = {"serve"};
  had.user = "1000";
  had.memory_max = 1ull << 30;
  had.cap_add = {"SYS_NICE"};
  had.stop_grace = 30s;  // the same as the template's
  had.log_driver = "json-file";
  had.log_options = {{"max-file", "3"}, {"max-size", "10m"}};
  auto r = request();
  r.spec.emplace().user = "0";
  const auto a = adoption_of(r, c, zomboid(), "m1");
  REQUIRE(a);
  REQUIRE(a->as.spec);
  CHECK(given_fields(*a->as.spec) ==
        std::vector<std::string_view>{"command", "user", "memory_max", "ports", "cap_add"});
  CHECK(a->as.spec->user == "0");
  CHECK(a->as.spec->ports == std::vector<port_binding>{{8080, 80, protocol::tcp, "127.0.0.1"}});
  CHECK(mentions(all(a->steps), {"spec.memory_max", "1.0 GiB"}));
}

TEST_CASE("adoption: one address for all ports of the template is kept", "[unit][core][fc-24]") {
  auto c = by_hand();
  for (auto& p : c.ports) p.host_ip = "192.0.2.7";
  auto a = adoption_of(request(), c, zomboid(), "m1");
  REQUIRE(a);
  REQUIRE(a->as.spec);
  CHECK(a->as.spec->address == "192.0.2.7");
  c.ports[0].host_ip = "127.0.0.1";
  CHECK(mentions(refusal_of(request(), c, zomboid()),
                 {"address 127.0.0.1", "16300/udp", "address 192.0.2.7", "--leave-behind"}));
}

TEST_CASE("adoption: a mount is adopted as a folder when the request names it", "[unit][core][fc-24]") {
  auto c = by_hand();
  c.ports = {{25565, 25565, protocol::tcp, {}}};
  c.networks.clear();
  c.mounts = {{"/srv/mc", "/config", false}, {"/srv/mods", "/mods", false}};
  CHECK(mentions(refusal_of(request(), c, plain()), {"nothing mounted at /data", "--folder data:PLACE"}));
  auto r = request();
  r.spec.emplace().folders = {{"data", "/config", false}};
  CHECK(mentions(refusal_of(r, c, plain()), {"mount /mods", "a mount with --folder"}));
  r.spec->folders->push_back({"mods", "/mods", true});
  const auto a = adoption_of(r, c, plain(), "m1");
  REQUIRE(a);
  CHECK(a->as.spec->folders == r.spec->folders);
  CHECK(mentions(all(a->steps), {"/srv/mc to pz1/data", "/srv/mods to pz1/mods"}));
}

TEST_CASE("adoption: fields locked by the template and host privileges can only be left behind",
          "[unit][core][fc-24]") {
  auto t = zomboid();
  t.locked = {"user"};
  auto c = by_hand();
  c.spec.emplace().user = "1000";
  c.spec->cap_add = {"SYS_ADMIN"};
  CHECK(mentions(refusal_of(request(), c, t), {"user 1000", "capability SYS_ADMIN"}));
  auto r = request();
  r.leave_behind = true;
  const auto a = adoption_of(r, c, t, "m1");
  REQUIRE(a);
  CHECK(!a->as.spec);
}
