// Delete, restore, purge, stop: with the agent connected, and accepted while it is away.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

namespace {
struct away : stage {
  void leave() {
    at("alpha").crash();
    REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  }
  void come_back() {
    at("alpha").start();
    REQUIRE(until([&] { return at("alpha").in_session(); }));
  }
};
}  // namespace

TEST_CASE_METHOD(away, "delete removes the container and keeps data, record, name and ports",
                 "[sim][manager][acc-49]") {
  auto before = deleted("pz1");
  CHECK(body_of("pz1") == nullptr);
  CHECK(on("alpha").data_of("pz1") == data_state::present);
  CHECK(before.deleted_at != never);
  CHECK(code(operate("create", a_server("pz1", "alpha"))) == "already_exists");
  auto other = a_server("pz2", "alpha");
  other.game_port = before.ports.front().number;
  CHECK(code(operate("create", other)) == "port_conflict");
  CHECK(code(operate("rm", remove_server{"pz1"})) == "wrong_state");
}

TEST_CASE_METHOD(away, "a delete while the agent is away is done when it returns", "[sim][manager][acc-51][fc-26]") {
  running("pz1");
  leave();
  auto rm = operate("rm", remove_server{"pz1"});
  REQUIRE(rm.has_value());
  CHECK(rm->operation.step == step_waiting);
  CHECK(status("pz1") == server_status::deleting);
  advance(60s);
  CHECK(body_of("pz1")->alive());
  come_back();
  const auto back = time.now();
  REQUIRE(until([&] { return body_of("pz1") == nullptr; }, 20s));
  CHECK(time.now() - back < 10s);
  REQUIRE(until([&] { return status("pz1") == server_status::deleted; }, 5s));
  for (const auto& e : audit.log())
    for (const auto& f : e.facts)
      if (const auto* x = std::get_if<status_changed>(&f.what); x && x->from == server_status::deleting)
        CHECK(x->to != server_status::running);
}

TEST_CASE_METHOD(away, "a purge while the agent is away waits, claims nothing, and is done when it returns",
                 "[sim][manager][acc-60][fc-28]") {
  running("pz1");
  leave();
  auto purge = operate("purge", purge_server{"pz1", true, false, true});
  REQUIRE(purge.has_value());
  advance(30s);
  CHECK(status("pz1") == server_status::deleting);
  CHECK(code(operate("create", a_server("pz1", "alpha"))) == "already_exists");
  come_back();
  REQUIRE(until([&] { return status("pz1") == server_status::purged; }, 30s));
  CHECK(body_of("pz1") == nullptr);
  CHECK(on("alpha").data_of("pz1") == data_state::absent);
  CHECK(operate("create", a_server("pz1", "alpha")).has_value());
}

TEST_CASE_METHOD(away, "a restore while the agent is away is done when it returns", "[sim][manager][acc-55][fc-33]") {
  deleted("pz1");
  leave();
  REQUIRE(operate("restore", restore_server{"pz1"}).has_value());
  CHECK(server("pz1").deleted_at == never);
  advance(30s);
  come_back();
  CHECK(
      until([&] { return body_of("pz1") && body_of("pz1")->alive() && status("pz1") == server_status::running; }, 30s));
}

TEST_CASE_METHOD(away, "a stop while the agent is away is done when it returns", "[sim][manager]") {
  running("pz1");
  leave();
  REQUIRE(operate("stop", stop_server{"pz1"}).has_value());
  advance(30s);
  CHECK(body_of("pz1")->alive());
  come_back();
  CHECK(until([&] { return !body_of("pz1")->alive() && status("pz1") == server_status::stopped; }, 30s));
}

TEST_CASE_METHOD(away, "what waits for an agent survives the manager too", "[sim][manager][acc-51][acc-60]") {
  running("pz1");
  running("pz2");
  running("pz3");
  leave();
  REQUIRE(operate("rm", remove_server{"pz1"}).has_value());
  REQUIRE(operate("purge", purge_server{"pz2", true, true, false}).has_value());
  REQUIRE(operate("stop", stop_server{"pz3"}).has_value());
  crash_manager();
  advance(60s);
  boot();
  come_back();
  CHECK(until(
      [&] {
        return status("pz1") == server_status::deleted && status("pz2") == server_status::purged &&
               status("pz3") == server_status::stopped;
      },
      60s));
  CHECK(on("alpha").data_of("pz2") == data_state::present);
}

TEST_CASE_METHOD(away, "restore brings a deleted server back in one request", "[sim][manager][acc-52]") {
  deleted("pz1");
  auto r = finish("restore", restore_server{"pz1"});
  REQUIRE(r.has_value());
  CHECK(r->server.status == server_status::running);
  CHECK(body_of("pz1")->alive());
  CHECK(code(operate("restore", restore_server{"pz1"})) == "wrong_state");
}

TEST_CASE_METHOD(away, "restore without data gives missing and says so", "[sim][manager][acc-54]") {
  deleted("pz1");
  on("alpha").trees.clear();
  REQUIRE(ask<sync_reply>("server.sync", sync_agents{}).has_value());
  auto r = finish("restore", restore_server{"pz1"});
  REQUIRE(r.has_value());
  CHECK(r->server.status == server_status::missing);
  CHECK(r->operation.note.find("fresh") != std::string::npos);
  CHECK(body_of("pz1") == nullptr);
}

TEST_CASE_METHOD(away, "purge keeps the data on request, and remembers it", "[sim][manager][acc-58][fc-30]") {
  deleted("pz1");
  CHECK(code(operate("purge", purge_server{"pz1", false, true, false})) == "bad_request");
  CHECK(code(operate("purge", purge_server{"pz1", true, false, false})) == "bad_request");
  REQUIRE(finish("purge", purge_server{"pz1", true, true, false}).has_value());
  CHECK(on("alpha").data_of("pz1") == data_state::present);
  CHECK(code(operate("create", a_server("pz1", "alpha"))) == "already_exists");
  auto c = a_server("pz1", "alpha");
  c.use_existing_data = true;
  CHECK(finish("create", c).has_value());
}

TEST_CASE_METHOD(away, "data that a purge left blocks its name only where the data still is",
                 "[sim][manager][acc-58]") {
  deleted("pz1");
  REQUIRE(finish("purge", purge_server{"pz1", true, true, false}).has_value());
  auto elsewhere = a_server("pz1", "alpha");
  elsewhere.server_data_path = "/mnt/other";
  CHECK(operate("create", elsewhere, {.dry_run = true}).has_value());
  auto c = a_server("pz1", "alpha");
  c.use_existing_data = true;
  REQUIRE(finish("create", c).has_value());
  REQUIRE(finish("rm", remove_server{"pz1"}).has_value());
  REQUIRE(finish("purge", purge_server{"pz1", true, false, true}).has_value());
  CHECK(finish("create", a_server("pz1", "alpha")).has_value());
}

TEST_CASE_METHOD(away, "a delete whose removal fails is tried again by every sync", "[sim][manager][fc-29]") {
  running("pz1");
  at("alpha").fail_step = "removing";
  (void)finish("rm", remove_server{"pz1"});
  CHECK(until([&] { return status("pz1") == server_status::deleted && !body_of("pz1"); }, 60s));
}

TEST_CASE_METHOD(away, "a container of a deleted server that reappears is removed again", "[sim][manager][fc-26]") {
  running("pz1");
  auto old = *body_of("pz1");
  REQUIRE(finish("rm", remove_server{"pz1"}).has_value());
  container_spec spec;
  spec.name = old.view.name;
  spec.labels = old.view.labels;
  on("alpha").start(on("alpha").create(spec));
  CHECK(until([&] { return !body_of("pz1") && status("pz1") == server_status::deleted; }, 60s));
}

TEST_CASE_METHOD(away, "a late result is accepted", "[sim][manager][fc-11]") {
  running("pz1");
  at("alpha").events_cut = true;
  manager->world().rules.change([](auto& r) { r.sync_interval = 1h; });
  auto stop = operate("stop", stop_server{"pz1"});
  REQUIRE(stop.has_value());
  net.hold(at("alpha"), network::direction::to_manager);
  advance(2s);
  REQUIRE_FALSE(body_of("pz1")->alive());
  at("alpha").disconnect();  // the report is lost, the work is done
  net.release(at("alpha"), network::direction::to_manager);
  CHECK(until([&] { return status("pz1") == server_status::stopped && !server("pz1").op; }, 30s));
}

TEST_CASE_METHOD(away, "a failed server is purged like any other: its data is removed, then its name is free",
                 "[sim][manager][fc-32]") {
  at("alpha").fail_step = "starting";
  auto r = finish("create", a_server("pz1", "alpha"));
  REQUIRE(status("pz1") == server_status::failed);
  REQUIRE(on("alpha").data_of("pz1") != data_state::absent);
  at("alpha").fail_step.reset();
  REQUIRE(finish("purge", purge_server{"pz1", true, false, true}).has_value());
  CHECK(on("alpha").data_of("pz1") == data_state::absent);
  CHECK(on("alpha").containers.empty());
  CHECK(finish("create", a_server("pz1", "alpha")).has_value());
}

TEST_CASE_METHOD(away, "an operation without an end fails at its deadline, and the real state is determined",
                 "[sim][manager]") {
  running("pz1");
  on("alpha").engine_hangs = true;
  auto r = finish("restart", restart_server{"pz1"});
  REQUIRE(r.has_value());
  CHECK(r->operation.status == op_status::failed);
  REQUIRE(r->operation.failure.has_value());
  CHECK(r->operation.failure->code == ec::timeout);
  CHECK(status("pz1") == server_status::running);
  on("alpha").engine_hangs = false;
  advance(30s);
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
  CHECK(status("pz1") == server_status::stopped);
}

TEST_CASE_METHOD(away, "a host that is lost for good is given up with its servers, and its name is free again",
                 "[sim][manager][acc-57]") {
  running("pz1");
  deleted("pz2");
  CHECK(code(ask<forget_reply>("agent.forget", msg::forget_agent{"alpha", true, "alpha"})) == "wrong_state");
  leave();
  REQUIRE(operate("stop", stop_server{"pz1"}).has_value());
  CHECK(code(ask<forget_reply>("agent.forget", msg::forget_agent{"alpha", false, "alpha"})) == "bad_request");
  CHECK(code(ask<forget_reply>("agent.forget", msg::forget_agent{"alpha", true, "beta"})) == "bad_request");
  CHECK(status("pz1") == server_status::running);
  auto gone = ask<forget_reply>("agent.forget", msg::forget_agent{"alpha", true, "alpha"});
  REQUIRE(gone.has_value());
  CHECK(gone->servers == 2);
  CHECK(gone->operations == 1);
  CHECK(gone->plan.size() == 2);
  CHECK(ask<agent_list>("agent.ls", list_agents{})->agents.empty());
  CHECK(ask<server_list>("server.ls", list_servers{true, {}, {}, {}, {}})->servers.empty());
}
