// What a user may set for the container of one server, and its effect.
#include <algorithm>

#include "actors/core/plan/blueprint.hpp"
#include "actors/core/plan/claims.hpp"
#include "actors/core/plan/spec_rules.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"
#include "tests/unit/core/support/templates.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

using texts = std::map<std::string, std::string>;

const plan_context where{"m1", "host1", {"o1"}};

server with(server_spec spec) {
  auto s = record();
  s.spec = std::move(spec);
  return s;
}

container_spec made_of(const server& s, const server_template& t) {
  auto plan = plan_for(s, t, where);
  REQUIRE(plan);
  return plan->container;
}

std::string refusal_of(const server_spec& spec, const server_template& t = builtin_template("generic")) {
  auto ok = check_spec(spec, t, record().ports);
  return ok ? "" : std::string(name_of(ok.error().code)) + ": " + ok.error().message + " -- " + ok.error().hint;
}

bool says_all(const std::string& text, const std::vector<std::string>& words) {
  return std::all_of(words.begin(), words.end(), [&](const auto& w) { return text.find(w) != std::string::npos; });
}

server_spec everything() {
  server_spec s;
  s.command = {"serve", "--fast"};
  s.entrypoint = {"/entry"};
  s.user = "1000:1000";
  s.working_dir = "/game";
  s.hostname = "pz";
  s.memory_max = 2ull << 30;
  s.cpu_millis = 1500;
  s.ports = {{25565, 25565, protocol::tcp, ""}, {8080, 80, protocol::tcp, "::1"}};
  s.address = "192.0.2.1";
  s.folders = {{"mods", "/mods", true}};
  s.binds = {{"/srv/maps", "/maps", true}};
  s.tmpfs = texts{{"/run", "size=64m"}};
  s.tty = true;
  s.open_stdin = true;
  s.init = true;
  s.stop_signal = "SIGINT";
  s.stop_grace = 90s;
  s.health = healthcheck{{"CMD", "true"}, 5s, {}, {}, 3};
  s.labels = texts{{"owner", "ann"}};
  s.ulimits = {{"nofile", {1024, 65536}}};
  s.shm_size = 256ull << 20;
  s.log_driver = "local";
  s.log_options = texts{{"max-size", "5m"}};
  s.cap_add = {"SYS_NICE"};
  s.cap_drop = {"CHOWN"};
  return s;
}

}  // namespace

TEST_CASE("spec: the test value everything() sets every field", "[unit][core]") {
  CHECK(given_fields(everything()).size() == server_spec::field_count);
}

TEST_CASE("spec: every field reaches the container", "[unit][core]") {
  const auto c = made_of(with(everything()), builtin_template("project-zomboid"));
  CHECK(c.command == std::vector<std::string>{"serve", "--fast"});
  CHECK(c.entrypoint == std::vector<std::string>{"/entry"});
  CHECK(c.user == "1000:1000");
  CHECK(c.working_dir == "/game");
  CHECK(c.hostname == "pz");
  CHECK(c.memory_max == 2ull << 30);
  CHECK(c.cpu_millis == 1500);
  REQUIRE(c.ports.size() == 4);
  CHECK(c.ports[0].host_ip == "192.0.2.1");
  CHECK(c.ports[2] == port_binding{25565, 25565, protocol::tcp, ""});
  CHECK(c.ports[3] == port_binding{8080, 80, protocol::tcp, "::1"});
  REQUIRE(c.mounts.size() == 4);
  CHECK(c.mounts[2] == mount{"/srv/zedops/pz-one/mods", "/mods", true});
  CHECK(c.mounts[3] == mount{"/srv/maps", "/maps", true});
  CHECK(c.tmpfs.at("/run") == "size=64m");
  CHECK(c.tty);
  CHECK(c.open_stdin);
  CHECK(c.init);
  CHECK(c.stop_signal == "SIGINT");
  CHECK(c.stop_timeout == 90s);
  CHECK(c.health.retries == 3);
  CHECK(c.labels.at("owner") == "ann");
  CHECK(c.labels.at("zedops.server.name") == "pz-one");
  CHECK(c.ulimits.at("nofile") == ulimit{1024, 65536});
  CHECK(c.shm_size == 256ull << 20);
  CHECK(c.log_driver == "local");
  CHECK(c.log_options == std::map<std::string, std::string>{{"max-size", "5m"}});
  CHECK(c.cap_add == std::vector<std::string>{"SYS_NICE"});
  CHECK(c.cap_drop == std::vector<std::string>{"CHOWN"});
}

TEST_CASE("spec: logs, capabilities and stop time are limited by default", "[unit][core]") {
  const auto c = made_of(record(), builtin_template("project-zomboid"));
  CHECK(c.log_driver == "json-file");
  CHECK(c.log_options == std::map<std::string, std::string>{{"max-file", "3"}, {"max-size", "10m"}});
  CHECK(c.cap_drop == std::vector<std::string>{"AUDIT_WRITE", "MKNOD", "NET_RAW"});
  CHECK(c.stop_timeout == 30s);
  CHECK(c.memory_max == 0);
}

TEST_CASE("spec: another entrypoint drops the template's arguments, another log driver its options", "[unit][core]") {
  auto t = builtin_template("generic");
  t.spec.command = {"run"};
  server_spec s;
  s.entrypoint = {"/bin/sh"};
  s.log_driver = "journald";
  const auto e = effective_spec(&s, t);
  CHECK(!e.command);
  CHECK(!e.log_options);
  s.entrypoint.reset();
  CHECK(effective_spec(&s, t).command == std::vector<std::string>{"run"});
}

TEST_CASE("spec: a folder with the name of a template's folder replaces it", "[unit][core]") {
  server_spec s;
  s.folders = {{"data", "/factorio", false}, {"config", "/config", false}};
  const auto all = folders_of(&s, builtin_template("generic"));
  REQUIRE(all.size() == 2);
  CHECK(all[0] == template_dir{"data", "/factorio", "data", true, false});
  CHECK(all[1] == template_dir{"config", "/config", "config", true, false});
}

TEST_CASE("spec: additional ports are claimed like the others", "[unit][core]") {
  const auto keys = claims_of(with(everything()));
  CHECK(std::count(keys.begin(), keys.end(), port_claim(record().agent, protocol::tcp, 25565)) == 1);
  CHECK(std::count(keys.begin(), keys.end(), port_claim(record().agent, protocol::tcp, 8080)) == 1);
}

TEST_CASE("spec: a fixed port of the template is claimed", "[unit][core]") {
  auto t = builtin_template("generic");
  t.ports.push_back({"query", protocol::udp, "27960", 0, true});
  auto ports = choose_ports(t, {}, [](protocol, uint16_t) { return false; });
  REQUIRE(ports);
  CHECK(*ports == std::vector<reserved_port>{{port_role::other, protocol::udp, 27960}});
}

TEST_CASE("spec: an invalid value is refused with its field and a remedy", "[unit][core]") {
  struct row {
    const char* title;
    void (*change)(server_spec&);
    std::vector<std::string> says;
  };
  const std::vector<row> rows = {
      {"too many words", [](server_spec& s) { s.command.emplace(300, "x"); }, {"command has 300 entries", "256"}},
      {"a zero byte", [](server_spec& s) { s.command = {std::string("a\0b", 3)}; }, {"command", "zero byte"}},
      {"a user", [](server_spec& s) { s.user = "a:b:c"; }, {"user is 'a:b:c'", "1000:1000"}},
      {"a working directory", [](server_spec& s) { s.working_dir = "game"; }, {"working_dir is 'game'"}},
      {"a host name", [](server_spec& s) { s.hostname = "a_b"; }, {"hostname is 'a_b'"}},
      {"little memory", [](server_spec& s) { s.memory_max = 1024; }, {"memory_max is 1.0 KiB", "6 MiB"}},
      {"little processor", [](server_spec& s) { s.cpu_millis = 1; }, {"cpu_millis is 1"}},
      {"an unknown limit",
       [](server_spec& s) {
         s.ulimits = {{"files", {1, 1}}};
       },
       {"ulimits has 'files'", "nofile"}},
      {"a limit upside down",
       [](server_spec& s) {
         s.ulimits = {{"nofile", {9, 1}}};
       },
       {"nofile = 9:1", "soft"}},
      {"unlimited above a limit",
       [](server_spec& s) {
         s.ulimits = {{"core", {-1, 5}}};
       },
       {"core = -1:5"}},
      {"port zero",
       [](server_spec& s) {
         s.ports = {{0, 80, protocol::tcp, ""}};
       },
       {"ports has 0/tcp"}},
      {"a port twice",
       [](server_spec& s) {
         s.ports = {{80, 80, protocol::tcp, ""}, {80, 81, protocol::tcp, "::1"}};
       },
       {"80/tcp twice"}},
      {"the template's port",
       [](server_spec& s) {
         s.ports = {{16261, 1, protocol::udp, ""}};
       },
       {"16261/udp twice"}},
      {"an address", [](server_spec& s) { s.address = "example.org"; }, {"address is 'example.org'", "192.0.2.10"}},
      {"an address of a port",
       [](server_spec& s) {
         s.ports = {{80, 80, protocol::tcp, "1.2.3"}};
       },
       {"'1.2.3'"}},
      {"a folder outside",
       [](server_spec& s) {
         s.folders = {{"../x", "/x", false}};
       },
       {"folders has '../x'"}},
      {"a reserved folder",
       [](server_spec& s) {
         s.folders = {{"backups", "/x", false}};
       },
       {"backups"}},
      {"a folder within another",
       [](server_spec& s) {
         s.folders = {{"data/x", "/x", false}};
       },
       {"data/x within data"}},
      {"the root",
       [](server_spec& s) {
         s.folders = {{"x", "/", false}};
       },
       {"place '/'"}},
      {"the template's place",
       [](server_spec& s) {
         s.folders = {{"x", "/data", false}};
       },
       {"/data", "--folder data:"}},
      {"a place twice",
       [](server_spec& s) {
         s.tmpfs = texts{{"/x", ""}}, s.binds = {{"/y", "/x", false}};
       },
       {"/x, where"}},
      {"a relative bind",
       [](server_spec& s) {
         s.binds = {{"maps", "/maps", false}};
       },
       {"binds has 'maps'"}},
      {"the whole host",
       [](server_spec& s) {
         s.binds = {{"/", "/host", false}};
       },
       {"binds has '/'"}},
      {"options of a tmpfs",
       [](server_spec& s) {
         s.tmpfs = texts{{"/x", "size=1;rm"}};
       },
       {"tmpfs has options"}},
      {"a signal", [](server_spec& s) { s.stop_signal = "kill me"; }, {"stop_signal"}},
      {"a long goodbye", [](server_spec& s) { s.stop_grace = 2h; }, {"stop_grace is 2h"}},
      {"a check",
       [](server_spec& s) {
         s.health = healthcheck{{"true"}, {}, {}, {}, 0};
       },
       {"health", "CMD-SHELL"}},
      {"our label",
       [](server_spec& s) {
         s.labels = texts{{"zedops.server.id", "x"}};
       },
       {"labels has 'zedops.server.id'"}},
      {"a driver", [](server_spec& s) { s.log_driver = "a b"; }, {"log_driver is 'a b'"}},
      {"power over the host",
       [](server_spec& s) { s.cap_add = {"SYS_ADMIN"}; },
       {"forbidden", "SYS_ADMIN", "SYS_NICE"}},
      {"a capability's spelling", [](server_spec& s) { s.cap_drop = {"net_raw"}; }, {"cap_drop has 'net_raw'"}},
  };
  for (const auto& r : rows) {
    server_spec s;
    r.change(s);
    const auto said = refusal_of(s);
    INFO(r.title << ": " << said);
    CHECK(says_all(said, r.says));
  }
  CHECK(refusal_of(everything()).empty());
  CHECK(refusal_of({}).empty());
  server_spec two;
  two.ports = {{80, 80, protocol::tcp, "127.0.0.1"}, {80, 80, protocol::tcp, "::1"}};
  CHECK(refusal_of(two).empty());
}

TEST_CASE("spec: fields that the template locks cannot be set", "[unit][core]") {
  auto t = builtin_template("generic");
  t.locked = {"memory_max"};
  server_spec s;
  s.user = "1000";
  CHECK(refusal_of(s, t).empty());
  s.memory_max = 1ull << 30;
  CHECK(mentions(refusal_of(s, t), {"forbidden", "memory_max", "template generic"}));
  t.locked = {"all"};
  s.memory_max.reset();
  CHECK(mentions(refusal_of(s, t), {"user"}));
}

TEST_CASE("spec: an edit sets, keeps and resets, and waits for a rebuild", "[unit][core]") {
  const auto s = with(everything());
  edit_server e;
  e.server = s.name;
  e.reset = {"memory_max"};
  e.spec.emplace().user = "0";
  const auto after = edited_spec(s, e);
  CHECK(!after.memory_max);
  CHECK(after.user == "0");
  CHECK(after.hostname == "pz");

  context cx;
  cx.now = noon;
  cx.agent_online = true;
  const auto d = decide(s, requested{e, {{"o1"}, "ann", {}, 0}}, cx);
  REQUIRE(!d.refusal);
  auto next = s;
  for (const auto& f : d.facts) evolve(next, f, noon);
  CHECK(next.pending_rebuild);
  CHECK(*next.spec == after);
  CHECK(plan_text(s, d) == std::vector<std::string>{"spec.user: 1000:1000 -> 0",
                                                    "spec.memory_max: 2.0 GiB -> the template's",
                                                    "rebuild or recreate applies it to the container"});

  // The same edit again changes nothing, and the plan says so.
  next.pending_rebuild = false;
  const auto again = decide(next, requested{e, {{"o2"}, "ann", {}, 0}}, cx);
  CHECK(plan_text(next, again).empty());
  for (const auto& f : again.facts) evolve(next, f, noon);
  CHECK(!next.pending_rebuild);

  e.reset = {"memry_max"};
  const auto typo = decide(s, requested{e, {{"o3"}, "ann", {}, 0}}, cx);
  REQUIRE(typo.refusal);
  CHECK(mentions(typo.refusal->message + typo.refusal->hint, {"memry_max", "memory_max"}));
}

TEST_CASE("spec: template rules are checked against the record at the time an edit is decided", "[unit][core]") {
  auto t = builtin_template("project-zomboid");
  auto s = record();
  s.env.erase("SERVER_MAP");
  edit_server e;
  e.server = s.name;
  e.config = {{"SERVER_MAP", "Riverside"}};
  context cx;
  cx.now = noon;
  cx.rules = &t;
  auto d = decide(s, requested{e, {{"o1"}, "ann", {}, 0}}, cx);
  REQUIRE(!d.refusal);
  for (const auto& f : d.facts) evolve(s, f, noon);
  e.config = {{"SERVER_MAP", "Muldraugh"}};  // requested at the same time, decided second
  d = decide(s, requested{e, {{"o2"}, "bob", {}, 0}}, cx);
  REQUIRE(d.refusal);
  CHECK(mentions(d.refusal->message, {"SERVER_MAP", "Riverside"}));
}
