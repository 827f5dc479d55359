// From record and template to the container: the predecessor's servers, exactly.
#include "actors/core/plan/blueprint.hpp"

#include "messages/base/names.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"
#include "tests/unit/core/support/templates.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

const plan_context where{"m00000000000001", "host-1", {"o00000000000001"}};

agent some_agent() {
  agent a;
  a.id = {"a00000000000001"};
  a.name = "host-1";
  a.data_path = "/srv/zedops";
  return a;
}

create_server request(std::string name = "pz-one") {
  create_server r;
  r.name = std::move(name);
  r.agent = "host-1";
  r.image = "registry.example/pz";
  r.image_tag = "41";
  r.config = {{"SERVER_NAME", "one"}};
  return r;
}

std::string refusal_of(const create_server& r, const char* name = "project-zomboid") {
  auto out = record_for(r, some_agent(), builtin_template(name), {"s1"}, {});
  return out ? "" : out.error().message;
}

}  // namespace

TEST_CASE("blueprint: a Project Zomboid server has the container it always had", "[unit][core][acc-13][acc-10]") {
  const auto plan = plan_for(record(), builtin_template("project-zomboid"), where).value();
  const auto& c = plan.container;
  CHECK(c.name == "steam-zomboid-pz-one");
  CHECK(c.image == "registry.example/pz:41");
  CHECK(c.labels == std::map<std::string, std::string>{{"zedops.managed", "true"},
                                                       {"zedops.manager", "m00000000000001"},
                                                       {"zedops.operation", "o00000000000001"},
                                                       {"zedops.server.id", "s00000000000001"},
                                                       {"zedops.server.name", "pz-one"},
                                                       {"zedops.type", "project-zomboid"},
                                                       {"pz.rcon.enabled", "true"}});
  CHECK(c.env == std::map<std::string, std::string>{{"SERVER_NAME", "one"},
                                                    {"RCON_PASSWORD", "secret"},
                                                    {"SERVER_DEFAULT_PORT", "16261"},
                                                    {"SERVER_UDP_PORT", "16262"},
                                                    {"RCON_PORT", "27015"}});
  CHECK(c.mounts == std::vector<mount>{{"/srv/zedops/pz-one/bin", "/home/steam/zomboid-dedicated", false},
                                       {"/srv/zedops/pz-one/data", "/home/steam/Zomboid", false}});
  // Both UDP, the same number inside and outside, all interfaces; RCON is never published.
  CHECK(c.ports == std::vector<port_binding>{{16261, 16261, protocol::udp, ""}, {16262, 16262, protocol::udp, ""}});
  CHECK(c.networks == std::vector<std::string>{"zomboid-servers", "zomboid-backend"});
  CHECK(c.restart == restart_rule::unless_stopped);
  CHECK(c.memory_max == 0);
  CHECK(c.health.test.empty());
  CHECK(c.entrypoint.empty());
  CHECK(c.command.empty());
}

TEST_CASE("blueprint: a Project Zomboid server is saved over RCON before it is stopped", "[unit][core][acc-16]") {
  auto s = record();
  const auto pz = builtin_template("project-zomboid");
  const auto stop = plan_for(s, pz, where).value().stop;
  CHECK(stop.rcon.port == 27015);
  CHECK(stop.rcon.password == "secret");
  CHECK(stop.rcon.commands == std::vector<std::string>{"save"});
  CHECK(stop.rcon.dial_timeout == 5s);
  CHECK(stop.rcon.settle == 3s);
  CHECK(stop.network == "zomboid-backend");
  CHECK(stop.grace == 30s);
  s.env.erase("RCON_PASSWORD");
  s.env["ADMIN_PASSWORD"] = "other";
  CHECK(plan_for(s, pz, where).value().stop.rcon.password == "other");
  s.env.erase("ADMIN_PASSWORD");
  CHECK(plan_for(s, pz, where).value().stop.rcon.port == 0);
}

TEST_CASE("blueprint: every step of a stop plan is carried out, those that can be, in order", "[unit][core][acc-16]") {
  auto pz = builtin_template("project-zomboid");
  pz.stop_steps = {{{"save"}, 5s, 3s, {"RCON_PASSWORD"}},
                   {{"nobody"}, 1s, 1s, {"NO_SUCH_KEY"}},
                   {{"kickall", "quit"}, 2s, 4s, {"RCON_PASSWORD"}},
                   {{"bye"}, 1s, 0s, {"RCON_PASSWORD"}}};
  const auto stop = plan_for(record(), pz, where).value().stop;
  CHECK(stop.rcon.commands == std::vector<std::string>{"save"});
  REQUIRE(stop.then.size() == 2);
  CHECK(stop.then[0].commands == std::vector<std::string>{"kickall", "quit"});
  CHECK(stop.then[0].dial_timeout == 2s);
  CHECK(stop.then[0].settle == 4s);
  CHECK(stop.then[0].port == 27015);
  CHECK(stop.then[1].commands == std::vector<std::string>{"bye"});
}

TEST_CASE("blueprint: the manager waits longer than the agent may take to stop", "[unit][core][acc-16][fc-37]") {
  auto pz = builtin_template("project-zomboid");
  const auto kinds = {op_kind::stop, op_kind::restart, op_kind::rebuild, op_kind::remove, op_kind::purge};
  for (auto kind : kinds) CHECK(row_of(kind).time_max >= 2 * stop_time(record(), pz));
  context cx;
  allow_for_stop(cx.time_max, record(), pz);
  CHECK(cx.time_max == context{}.time_max);
  pz.stop_steps.assign(3, {{"save"}, 1min, 10min, {"RCON_PASSWORD"}});
  CHECK(stop_time(record(), pz) == 33min + 30s);
  auto patient = record();
  patient.spec.emplace().stop_grace = 20min;
  CHECK(stop_time(patient, pz) == 53min);
  allow_for_stop(cx.time_max, patient, pz);
  for (auto kind : kinds) CHECK(cx.time_max[static_cast<size_t>(kind)] >= 2 * stop_time(patient, pz));
}

TEST_CASE("blueprint: ports of the record win over what the environment says", "[unit][core][acc-10]") {
  auto s = record();
  s.env["RCON_PORT"] = "1";
  CHECK(plan_for(s, builtin_template("project-zomboid"), where).value().container.env.at("RCON_PORT") == "27015");
}

TEST_CASE("blueprint: a tag that is a digest is joined as one", "[unit][core]") {
  auto s = record();
  s.image_tag = "sha256:" + std::string(64, 'a');
  CHECK(plan_for(s, builtin_template("project-zomboid"), where).value().container.image ==
        "registry.example/pz@sha256:" + std::string(64, 'a'));
}

TEST_CASE("blueprint: the same record and template always give the same plan", "[unit][core][acc-10]") {
  const auto pz = builtin_template("project-zomboid");
  CHECK(plan_for(record(), pz, where).value() == plan_for(record(), pz, where).value());
}

TEST_CASE("blueprint: the agent is sent what to look for under the same names", "[unit][core][acc-11]") {
  const auto pz = builtin_template("project-zomboid");
  const auto plan = plan_for(record(), pz, where).value();
  const auto known = known_for(record(), pz, where);
  CHECK(known.container_name == plan.container.name);
  CHECK(known.data == plan.data);
  CHECK(known.data.root == "/srv/zedops");
  CHECK(known.container_id == "c0ffee");
}

TEST_CASE("blueprint: a server without a port of some role publishes none", "[unit][core]") {
  auto s = record();
  s.template_name = "generic";
  s.ports.clear();
  CHECK(plan_for(s, builtin_template("generic"), where).value().container.ports.empty());
  s.ports = {{port_role::game, protocol::tcp, 8000}, {port_role::game, protocol::udp, 8000}};
  CHECK(plan_for(s, builtin_template("generic"), where).value().container.ports ==
        std::vector<port_binding>{{8000, 8000, protocol::tcp, ""}, {8000, 8000, protocol::udp, ""}});
}

TEST_CASE("record: takes the request over the template and the agent over nothing", "[unit][core][acc-4]") {
  const auto pz = builtin_template("project-zomboid");
  const auto s = record_for(request(), some_agent(), pz, {"s1"}, {{port_role::game, protocol::udp, 1}}).value();
  CHECK(s.name == "pz-one");
  CHECK(s.agent.value == "a00000000000001");
  CHECK(s.template_name == "project-zomboid");
  CHECK(s.image_tag == "41");
  CHECK(s.data_path == "/srv/zedops");
  CHECK(s.deleted_at == never);
  CHECK(s.data == data_state::unknown);
  auto r = request();
  r.server_data_path = "/mnt/big//";
  CHECK(record_for(r, some_agent(), pz, {"s1"}, {}).value().data_path == "/mnt/big");
}

TEST_CASE("record: what is wrong with a request is said before anything is made", "[unit][core][acc-4][acc-41]") {
  CHECK(mentions(refusal_of(request("Bad")), {"lower-case"}));
  CHECK(!refusal_of(request("ab")).empty());
  auto r = request();
  r.image.clear();
  CHECK(mentions(refusal_of(r), {"image"}));
  r = request();
  r.image_tag = "no spaces";
  CHECK(!refusal_of(r).empty());
  r = request();
  r.config["1BAD"] = "x";
  CHECK(!refusal_of(r).empty());
  r = request();
  r.server_data_path = "/etc/zedops";
  CHECK(!refusal_of(r).empty());
  r = request();
  for (int i = 0; i < 600; ++i) r.config["K" + std::to_string(i)] = "v";
  CHECK(!refusal_of(r).empty());
  CHECK(refusal_of(request()).empty());
}

TEST_CASE("edit: keeps immutable values, checks new ones, and refuses to change nothing", "[unit][core][acc-41]") {
  const auto pz = builtin_template("project-zomboid");
  auto s = record();
  edit_server e;
  CHECK(!check_edit(s, e, pz));
  e.config["SERVER_MAP"] = "Muldraugh";
  CHECK(check_edit(s, e, pz));
  s.env["SERVER_MAP"] = "Riverside";
  REQUIRE(!check_edit(s, e, pz));
  CHECK(mentions(check_edit(s, e, pz).error().message, {"SERVER_MAP", "Riverside"}));
  e.config.clear();
  e.unset = {"SERVER_MAP"};
  CHECK(!check_edit(s, e, pz));
  e = {};
  e.image_tag = "bad tag";
  CHECK(!check_edit(s, e, pz));
  e.image_tag = "42";
  CHECK(check_edit(s, e, pz));
}
