// Comparing records with what exists: when, how often, and what may not be concluded.
#include "actors/manager/hosts/host_sync.hpp"
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

TEST_CASE_METHOD(stage, "sync runs on connect, by the timer and on demand with counts", "[sim][manager][acc-22]") {
  running("pz1");
  running("pz2");
  const auto before = at("alpha").syncs_answered;
  advance(31s);  // three intervals
  CHECK(at("alpha").syncs_answered - before >= 3);
  at("alpha").events_cut = true;
  on("alpha").remove(body_of("pz1")->view.id);
  auto r = ask<sync_reply>("server.sync", sync_agents{});
  REQUIRE(r.has_value());
  REQUIRE(r->agents.size() == 1);
  CHECK(r->agents[0].servers == 2);
  CHECK(r->agents[0].containers == 1);
  CHECK(r->agents[0].changed == std::vector<std::string>{server("pz1").id.value});
  CHECK(status("pz1") == server_status::missing);
}

TEST_CASE_METHOD(stage, "a container removed by hand is missing within seconds by the event path",
                 "[sim][manager][acc-23]") {
  running("pz1");
  const auto at_once = time.now();
  on("alpha").remove(body_of("pz1")->view.id);
  REQUIRE(until([&] { return status("pz1") == server_status::missing; }, 5s));
  CHECK(time.now() - at_once < 1s);
  CHECK(server("pz1").data == data_state::present);
  CHECK(server("pz1").container_id.empty());
}

TEST_CASE_METHOD(stage, "with events cut off the timer finds the change", "[sim][manager][acc-23][acc-24][fc-39]") {
  running("pz1");
  running("pz2");
  at("alpha").events_cut = true;
  on("alpha").remove(body_of("pz1")->view.id);
  on("alpha").stop(body_of("pz2")->view.id);
  CHECK(until([&] { return status("pz1") == server_status::missing; }, rules.sync_interval + 5s));
  CHECK(until([&] { return status("pz2") == server_status::stopped; }, 5s));
  const auto diverged = [&] { return records().touched(server("pz1").agent).diverged; };
  CHECK(until([&] { return diverged() == 2; }, 5s));                        // and it is counted
  CHECK(until([&] { return diverged() == 0; }, rules.sync_interval + 5s));  // until the next sync finds nothing
  on("alpha").start(body_of("pz2")->view.id);
  CHECK(until([&] { return status("pz2") == server_status::running; }, rules.sync_interval + 5s));
}

TEST_CASE_METHOD(stage, "a failing list changes no state and marks what is known as stale",
                 "[sim][manager][acc-30][fc-1]") {
  running("pz1");
  on("alpha").engine_answers = false;
  auto r = ask<sync_reply>("server.sync", sync_agents{});
  REQUIRE(r.has_value());
  CHECK(r->agents[0].failure.has_value());
  CHECK(status("pz1") == server_status::running);
  CHECK(server("pz1").stale);
  CHECK_FALSE(server("pz1").container_id.empty());
  advance(60s);
  CHECK(status("pz1") == server_status::running);
  on("alpha").engine_answers = true;
  CHECK(until([&] { return !server("pz1").stale; }, rules.sync_interval + 5s));
}

TEST_CASE_METHOD(stage, "an unmounted data disk is unknown, never absent, and permits no fresh start",
                 "[sim][manager][acc-39][fc-2]") {
  running("pz1");
  on("alpha").disk_mounted = false;
  on("alpha").remove(body_of("pz1")->view.id);
  REQUIRE(until([&] { return status("pz1") == server_status::missing; }));
  CHECK(server("pz1").data == data_state::present);
  CHECK(server("pz1").stale);
  CHECK(code(operate("start", start_server{"pz1", true})) == "data_unknown");
  on("alpha").disk_mounted = true;
  REQUIRE(until([&] { return !server("pz1").stale; }, 20s));
  CHECK(finish("start", start_server{"pz1"}).has_value());
}

TEST_CASE_METHOD(stage, "a hundred changes are written in one transaction", "[sim][manager][acc-26]") {
  std::vector<std::string> made;
  for (int i = 0; i < 50; ++i) {
    made.push_back(send("server.create", a_server("pz" + std::to_string(i), "alpha")));
    auto g = a_server("gen" + std::to_string(i), "alpha");
    g.template_name = "generic";
    made.push_back(send("server.create", g));
  }
  advance(1s);
  for (const auto& request : made) {
    auto r = answer<operation_reply>(request);
    INFO((r ? std::string() : r.error().message));
    REQUIRE(r.has_value());
  }
  REQUIRE(until([&] { return facts<operation_ended>() == 100; }, 120s));
  at("alpha").events_cut = true;
  advance(1s);
  auto all = on("alpha").containers;
  REQUIRE(all.size() == 100);
  for (const auto& [id, c] : all) on("alpha").stop(id);
  const auto commits = db.commits();
  auto r = ask<sync_reply>("server.sync", sync_agents{});
  REQUIRE(r.has_value());
  CHECK(r->agents[0].changed.size() == 100);
  CHECK(db.commits() - commits <= 3);  // the hundred, the event about it, and the audit record
  CHECK(status("pz0") == server_status::stopped);
}

TEST_CASE_METHOD(stage, "a comparison covers every server, however many pages a list of them has",
                 "[sim][manager][fc-4][fc-5]") {
  auto& w = manager->world();
  manager::shared big{.records = {},
                      .store = w.store,
                      .history = w.history,
                      .rules = w.rules(),
                      .templates = w.templates,
                      .manager_id = w.manager_id,
                      .clock = w.clock,
                      .random = w.random,
                      .agents = w.agents,
                      .events = w.events,
                      .actors = {}};
  const size_t many = 2 * list_servers{}.where.limit + 50;
  inventory seen;
  for (size_t i = 0; i < many; ++i) {
    msg::server s;
    s.id.value = "s" + std::to_string(i);
    s.name = s.id.value;
    s.agent.value = "a1";
    s.status = server_status::running;
    s.container_id = "c" + std::to_string(i);
    big.records.put(std::make_shared<const msg::server>(s));
    observation o;
    o.server = s.id;
    o.container = presence::absent;
    o.data = data_state::present;
    seen.servers.push_back(std::move(o));
  }
  const auto plan = manager::plan_sync(big, {"a1"}, seen, {});
  CHECK(plan.row.servers == many);
  CHECK(plan.calls.size() == many);
  CHECK(plan.commits == many);
}

TEST_CASE_METHOD(stage, "notices for one server within ten seconds cause one sync, for two servers two",
                 "[sim][manager][acc-29]") {
  running("pz1");
  running("pz2");
  manager->world().rules.change([](auto& r) { r.sync_interval = 1h; });
  manager->world().rules.change([](auto& r) { r.time_max.fill(duration(2s)); });
  shorten_stops(manager->world().templates.at("project-zomboid"));  // else a stop gets the time of its plan
  advance(15s);
  on("alpha").engine_hangs = true;
  at("alpha").gives_up = false;
  const auto times_out = [&](const char* name) {  // then the state is unknown: a notice
    REQUIRE(operate("stop", stop_server{name}).has_value());
    REQUIRE(until([&] { return !server(name).op; }, 5s));
    advance(500ms);
  };
  const auto before = at("alpha").syncs_answered;
  times_out("pz1");
  CHECK(at("alpha").syncs_answered - before == 1);
  times_out("pz1");
  CHECK(at("alpha").syncs_answered - before == 1);
  times_out("pz2");
  CHECK(at("alpha").syncs_answered - before == 2);
  advance(10s);
  times_out("pz1");
  CHECK(at("alpha").syncs_answered - before == 3);
  on("alpha").engine_hangs = false;
}

TEST_CASE_METHOD(stage, "a sync withdraws the operation that a server's last error is about", "[sim][manager]") {
  running("pz1");
  manager->world().rules.change([](auto& r) { r.time_max.fill(duration(2s)); });
  shorten_stops(manager->world().templates.at("project-zomboid"));
  const auto ready = [&] { return manager::plan_sync(manager->world(), server("pz1").agent, {}, {}).ready; };
  CHECK(ready().empty());
  on("alpha").engine_hangs = true;
  at("alpha").gives_up = false;
  REQUIRE(operate("stop", stop_server{"pz1"}).has_value());
  REQUIRE(until([&] { return !server("pz1").op; }, 5s));
  on("alpha").engine_hangs = false;
  REQUIRE(server("pz1").last_error);
  REQUIRE_FALSE(server("pz1").last_error->operation.empty());
  CHECK(ready() == std::vector{server("pz1").id});
}

TEST_CASE_METHOD(stage, "requests for a sync while one runs cause one follow-up", "[sim][manager][acc-29]") {
  running("pz1");
  advance(1s);
  const auto before = at("alpha").syncs_answered;
  std::vector<std::string> asked;
  for (int i = 0; i < 6; ++i) asked.push_back(send("server.sync", sync_agents{}));
  REQUIRE(until([&] {
    for (const auto& a : asked)
      if (!answered(a)) return false;
    return true;
  }));
  CHECK(at("alpha").syncs_answered - before == 2);
}

TEST_CASE_METHOD(stage, "a server with an open operation is not altered by sync", "[sim][manager][acc-28][fc-12]") {
  running("pz1");
  on("alpha").engine_hangs = true;
  REQUIRE(operate("rebuild", rebuild_server{"pz1"}).has_value());
  const auto before = server("pz1");
  on("alpha").stop(body_of("pz1")->view.id);
  REQUIRE(ask<sync_reply>("server.sync", sync_agents{}).has_value());
  advance(2s);
  CHECK(status("pz1") == server_status::running);
  CHECK(server("pz1").container == before.container);
  on("alpha").engine_hangs = false;
  CHECK(until([&] { return !server("pz1").op && status("pz1") == server_status::running; }, 60s));
}

TEST_CASE_METHOD(stage, "sync adopts the id of a container that was recreated by hand",
                 "[sim][manager][acc-31][fc-15]") {
  auto s = running("pz1");
  auto old = *body_of("pz1");
  container_spec spec;
  spec.name = old.view.name;
  spec.labels = old.view.labels;
  at("alpha").events_cut = true;
  on("alpha").remove(old.view.id);
  const auto id = on("alpha").create(spec);
  on("alpha").start(id);
  REQUIRE(ask<sync_reply>("server.sync", sync_agents{}).has_value());
  CHECK(server("pz1").container_id == id);
  CHECK(status("pz1") == server_status::running);
}

TEST_CASE_METHOD(stage, "two containers that claim one server are drift, and none is deleted",
                 "[sim][manager][acc-33][fc-7]") {
  running("pz1");
  container_spec spec;
  spec.name = "copy";
  spec.labels = body_of("pz1")->view.labels;
  on("alpha").create(spec);
  REQUIRE(until([&] { return !server("pz1").drift.empty(); }, 15s));
  advance(30s);
  CHECK(on("alpha").containers.size() == 2);
  CHECK(status("pz1") == server_status::running);
}

TEST_CASE_METHOD(stage, "a server whose recovery is automatic is recreated after its agent comes back",
                 "[sim][manager][acc-35]") {
  auto c = a_server("pz1", "alpha");
  c.recovery = recovery_policy::automatic;
  REQUIRE(finish("create", c).has_value());
  running("pz2");
  at("alpha").crash();
  advance(5s);
  on("alpha").remove(body_of("pz1")->view.id);
  on("alpha").remove(body_of("pz2")->view.id);
  at("alpha").start();
  CHECK(until([&] { return body_of("pz1") && status("pz1") == server_status::running && !server("pz1").op; }, 30s));
  CHECK(status("pz2") == server_status::missing);
}

TEST_CASE_METHOD(stage, "servers whose template is missing stay watched", "[sim][manager]") {
  running("pz1");
  crash_manager();
  templates.erase("project-zomboid");
  boot();
  REQUIRE(until([&] { return in_sync("alpha") && at("alpha").in_session(); }, 10s));
  advance(2s);
  on("alpha").remove(body_of("pz1")->view.id);
  CHECK(until([&] { return status("pz1") == server_status::missing; }, 15s));
  const auto refused = finish("start", start_server{"pz1"});
  REQUIRE((refused && refused->operation.failure));
  CHECK(refused->operation.failure->code == ec::bad_request);
  crash_manager();
  templates = sim_templates();
  boot();
  REQUIRE(until([&] { return at("alpha").in_session(); }, 10s));
  advance(2s);
  CHECK(finish("start", start_server{"pz1"}).has_value());
}

TEST_CASE_METHOD(stage, "a server that its agent's inventory does not name is stale, and is sent to the agent again",
                 "[sim][manager]") {
  running("pz1");
  advance(12s);
  at("alpha").forget(server("pz1").id);
  const auto seen = ask<server_view>("server.get", get_server{"pz1"})->observed_at;
  REQUIRE(until([&] { return server("pz1").stale; }, 25s));
  CHECK(*ask<server_view>("server.get", get_server{"pz1"})->observed_at <= *seen + 11s);
  REQUIRE(until([&] { return !server("pz1").stale; }, 25s));
  CHECK(status("pz1") == server_status::running);
}

TEST_CASE_METHOD(stage, "a failed listing does not count as a sync", "[sim][manager]") {
  running("pz1");
  advance(12s);
  on("alpha").engine_answers = false;
  advance(1s);
  const auto before = ask<agent_view>("agent.get", get_agent{"alpha"})->last_sync;
  advance(30s);
  CHECK(ask<agent_view>("agent.get", get_agent{"alpha"})->last_sync == before);
}
