// Sessions of agents: one at a time, watched every second, back on any message.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

TEST_CASE_METHOD(stage, "an agent is welcomed, sends its inventory, and is online", "[sim][manager][acc-22]") {
  CHECK(agent_status("alpha") == agent_status::online);
  CHECK(at("alpha").in_session());
  CHECK(facts<sync_completed>() == 1);
}

TEST_CASE_METHOD(stage, "a silent agent is suspect after two seconds, unreachable after three, and back on any message",
                 "[sim][manager][acc-34][fc-34]") {
  const auto before = time.now();
  net.hold(at("alpha"), network::direction::to_manager);
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::suspect; }, 5s));
  CHECK(time.now() - before <= 3s + 200ms);
  net.release(at("alpha"), network::direction::to_manager);
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::online; }, 2s));
  const auto silent = time.now();
  net.hold(at("alpha"), network::direction::to_manager);
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }, 10s));
  CHECK(time.now() - silent <= 4s + 200ms);
  net.release(at("alpha"), network::direction::to_manager);
  CHECK(until([&] { return agent_status("alpha") == agent_status::online; }, 10s));
}

TEST_CASE_METHOD(stage, "servers of an agent that is away keep their state and show that it is away",
                 "[sim][manager][acc-34]") {
  running("pz1");
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  advance(60s);
  auto s = ask<server_view>("server.get", get_server{"pz1"});
  REQUIRE(s.has_value());
  CHECK(s->status == server_status::running);
  CHECK(s->agent_status == agent_status::unreachable);
  at("alpha").start();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::online; }));
  CHECK(ask<server_view>("server.get", get_server{"pz1"})->agent_status == agent_status::online);
}

TEST_CASE_METHOD(stage, "a second agent of the same name is refused while the first lives",
                 "[sim][manager][acc-18][fc-41]") {
  running("pz1");
  sim::host other("impostor");
  sim::agent second(time, chance, net, other, {.name = "alpha"});
  second.start();
  REQUIRE(until([&] { return second.final_refusal(); }, 10s));
  CHECK(agent_status("alpha") == agent_status::online);
  CHECK(at("alpha").in_session());
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
}

TEST_CASE_METHOD(stage, "a second agent of the same name is admitted when the first is dead",
                 "[sim][manager][acc-18]") {
  running("pz1");
  net.silent_loss = true;  // the manager does not notice that the connection ended
  at("alpha").crash();
  sim::agent second(time, chance, net, on("alpha"), {.name = "alpha"});
  second.start();
  REQUIRE(until([&] { return second.in_session(); }, 20s));
  CHECK_FALSE(second.final_refusal());
  CHECK(agent_status("alpha") == agent_status::online);
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
  second.crash();
  advance(1s);
}

TEST_CASE_METHOD(stage,
                 "an agent that is started again is welcomed after its first hello, as soon as its old connection ends",
                 "[sim][manager][acc-18][fc-35]") {
  running("pz1");
  net.silent_loss = true;
  const auto old = at("alpha").wire();
  at("alpha").crash();
  at("alpha").start();
  advance(100ms);  // its hello has arrived, and waits until the old connection is settled
  REQUIRE_FALSE(at("alpha").in_session());
  net.to_manager_lost({old});
  CHECK(until([&] { return at("alpha").in_session(); }, 500ms));
}

TEST_CASE_METHOD(stage, "an agent that dials again replaces its own session at once", "[sim][manager][fc-35]") {
  running("pz1");
  for (int i = 0; i < 5; ++i) {
    at("alpha").disconnect();
    REQUIRE(until([&] { return !at("alpha").in_session(); }, 5s));
    REQUIRE(until([&] { return at("alpha").in_session(); }, 5s));
  }
  advance(5s);
  CHECK(agent_status("alpha") == agent_status::online);
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
}

TEST_CASE_METHOD(stage, "agents of the last run that stay away become unreachable", "[sim][manager]") {
  running("pz1");
  crash_manager();
  at("alpha").crash();
  boot();
  CHECK(until([&] { return agent_status("alpha") == agent_status::unreachable; }, 10s));
}

TEST_CASE_METHOD(stage, "an agent can be forgotten when it has no servers, and may connect again",
                 "[sim][manager][fc-36]") {
  running("pz1");
  CHECK(code(ask<agent_view>("agent.rm", remove_agent{"alpha", true})) == "wrong_state");
  REQUIRE(finish("purge", purge_server{"pz1", true, false, true}).has_value());
  CHECK(code(ask<agent_view>("agent.rm", remove_agent{"alpha", true})) == "wrong_state");  // connected
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  CHECK(ask<agent_view>("agent.rm", remove_agent{"alpha", true}).has_value());
  CHECK(ask<agent_list>("agent.ls", list_agents{})->agents.empty());
  at("alpha").start();
  REQUIRE(until([&] { return at("alpha").in_session(); }));
  running("pz2");
}

TEST_CASE_METHOD(stage, "a forgotten agent may connect again after a restart of the manager", "[sim][manager]") {
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  REQUIRE(ask<agent_view>("agent.rm", remove_agent{"alpha", true}).has_value());
  crash_manager();
  boot();
  CHECK(ask<agent_list>("agent.ls", list_agents{})->agents.empty());
  at("alpha").start();
  REQUIRE(until([&] { return at("alpha").in_session(); }));
  running("pz1");
}

TEST_CASE_METHOD(stage, "another hello of a live agent makes no second session", "[sim][manager]") {
  const auto arrivals = facts<agent_connected>();
  for (int i = 0; i < 20; ++i) at("alpha").hello();
  advance(3s);
  CHECK(facts<agent_connected>() == arrivals);
  CHECK(at("alpha").in_session());
}

TEST_CASE_METHOD(stage, "a clock that steps does not make agents silent", "[sim][manager][acc-34]") {
  const auto entries = audit.log().size();
  for (const auto step : {duration(6h), duration(-3h), duration(5s)}) {
    wall.set_by(step);
    advance(5s);
    CHECK(agent_status("alpha") == agent_status::online);
  }
  CHECK(facts<agent_lost>() + facts<agent_suspected>() == 0);
  CHECK(audit.log().size() <= entries + 1);
}

TEST_CASE_METHOD(stage, "agents obey a manager whose store was restored from a backup, since it raises its term",
                 "[sim][manager][fc-54]") {
  running("pz1");
  const auto obeyed = on("alpha").term;
  at("alpha").crash();
  on("alpha").term = obeyed + 20;  // from the manager processes after the backup
  at("alpha").start();
  REQUIRE(until([&] { return at("alpha").in_session(); }, 5s));
  CHECK(manager->world().term > obeyed + 20);
  CHECK(on("alpha").term == manager->world().term);
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
  crash_manager();
  boot();
  CHECK(manager->world().term > obeyed + 21);  // durable
  REQUIRE(until([&] { return at("alpha").in_session(); }, 5s));
}

TEST_CASE_METHOD(stage, "an agent that obeyed this very term before the restore gets a higher one",
                 "[sim][manager][fc-54]") {
  const auto term = manager->world().term.load();
  sim::host& beta = (add_host("beta"), on("beta"));
  REQUIRE(until([&] { return at("beta").in_session(); }));
  CHECK(manager->world().term == term);
  at("beta").crash();
  crash_manager();
  boot();
  beta.term = manager->world().term;
  at("beta").start();
  REQUIRE(until([&] { return at("beta").in_session(); }, 5s));
  CHECK(manager->world().term == term + 2);
}

TEST_CASE_METHOD(stage, "messages of an ended session are answered, so that the agent reconnects at once",
                 "[sim][manager][fc-35]") {
  net.hold(at("alpha"), network::direction::to_manager);
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }, 10s));
  net.release(at("alpha"), network::direction::to_manager);
  CHECK(until([&] { return agent_status("alpha") == agent_status::online; }, 1500ms));
}
