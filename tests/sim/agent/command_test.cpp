#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

TEST_CASE_METHOD(agent_world, "agent: a command that is sent again repeats its report and is not executed twice",
                 "[sim][agent][fc-11]") {
  welcome();
  auto c = command("op1", "s1");
  say(c);
  REQUIRE(all<command_result>().size() == 1);
  CHECK_FALSE(all<command_result>()[0].failure);
  CHECK(docker.count("create") == 1);
  SECTION("in the same process") { say(c); }
  SECTION("after its crash") {
    kill();
    spawn();
    welcome({known("s1")});
    say(c);
  }
  auto results = all<command_result>();
  REQUIRE(results.size() == 2);
  CHECK(results[1].after.view.id == results[0].after.view.id);
  CHECK(docker.count("create") == 1);
  CHECK(docker.count("start") == 1);
}

TEST_CASE_METHOD(agent_world, "agent: while it runs, the same command again attaches to it", "[sim][agent]") {
  welcome();
  lanes.hold = true;
  auto c = command("op1", "s1");
  say(c);
  say(c);
  CHECK(lanes.held.size() == 1);
  lanes.hold = false;
  lanes.release();
  settle();
  CHECK(all<command_result>().size() == 1);
  CHECK(docker.count("create") == 1);
}

TEST_CASE_METHOD(agent_world, "agent: a command that waited under an earlier term is executed for the next one",
                 "[sim][agent][fc-54]") {
  welcome({}, 6);
  lanes.hold = true;
  auto c = command("op1", "s1");
  c.term = 6;
  SECTION("in its lane") { say(c); }
  SECTION("behind another command") {
    auto first = command("op0", "s1", command_kind::stop);
    first.term = 6;
    say(first);
    say(c);
  }
  link_is(false);
  welcome({known("s1")}, 8);
  auto from = mark();
  c.term = 8;
  say(c);  // sent again, as after every sync
  lanes.hold = false;
  for (int i = 0; i < 3; ++i) {
    lanes.release();
    settle();
    say(c);
  }
  const auto results = all<command_result>(from);
  REQUIRE_FALSE(results.empty());
  for (const auto& r : results) {
    if (r.op.value != "op1") continue;
    INFO((r.failure ? r.failure->message : "done"));
    CHECK((r.refusal == agent_refusal::outdated || !r.failure));
    CHECK(r.term == (r.refusal == agent_refusal::outdated ? 6 : 8));
  }
  CHECK(results.back().op.value == "op1");
  CHECK_FALSE(results.back().failure);
  CHECK(docker.count("create") == 1);
}

TEST_CASE_METHOD(agent_world, "agent: every refusal is marked as one, with the term that it answers",
                 "[sim][agent][fc-54]") {
  welcome({}, 5);
  const auto refused_with = [&](const run_command& c) {
    const auto from = mark();
    say(c);
    REQUIRE(all<command_result>(from).size() == 1);
    const auto r = all<command_result>(from)[0];
    CHECK(r.failure);
    CHECK(r.term == c.term);
    return r.refusal;
  };
  auto c = command("old", "s1");
  c.term = 4;
  CHECK(refused_with(c) == agent_refusal::outdated);
  lanes.hold = true;
  for (int i = 0; i < 20; ++i) {
    c = command("op" + std::to_string(i), "s" + std::to_string(i));
    c.term = 5;
    say(c);
  }
  const auto from = mark();
  say(cancel_command{{"op19"}});
  REQUIRE(all<command_result>(from).size() == 1);
  CHECK(all<command_result>(from)[0].refusal == agent_refusal::withdrawn);
  CHECK(all<command_result>(from)[0].term == 5);
  caf::anon_send(core, agent::stop_atom::value);
  settle();
  c = command("late", "s99");
  c.term = 5;
  CHECK(refused_with(c) == agent_refusal::stopping);
}

TEST_CASE_METHOD(agent_world, "agent: a result is not repeated for another server under the same operation",
                 "[sim][agent]") {
  welcome();
  say(command("op1", "s1"));
  const auto from = mark();
  say(command("op1", "s2"));  // the store was restored from a backup, and the client asked once more
  REQUIRE(all<command_result>(from).size() == 1);
  CHECK(all<command_result>(from)[0].server.value == "s2");
  CHECK(docker.count("create") == 2);
}

TEST_CASE_METHOD(agent_world, "agent: a command begun by a process that died is executed again and converges",
                 "[sim][agent][acc-48][fc-10][fc-20]") {
  welcome();
  auto c = command("op1", "s1");
  struct crash {};
  lanes.hold = true;
  say(c);
  env->crash_point = [](std::string_view at) {
    if (at == "created") throw crash{};
  };
  auto job = std::move(lanes.held.front());
  lanes.held.clear();
  CHECK_THROWS_AS(job(), crash);
  job = nullptr;
  kill();
  lanes.hold = false;
  spawn();
  REQUIRE(state->find({"op1"}));
  CHECK_FALSE(state->find({"op1"})->result);
  welcome();
  say(c);
  auto r = all<command_result>();
  REQUIRE(r.size() == 1);
  CHECK_FALSE(r[0].failure);
  CHECK(docker.containers.size() == 1);
  CHECK(docker.count("create") == 1);
}

TEST_CASE_METHOD(agent_world,
                 "agent: a failing disk refuses a new command for good, but only postpones one that began before",
                 "[sim][agent][acc-48]") {
  const auto refused_with = [&](const run_command& c) {
    const auto from = mark();
    store.fail_commit(1, {ec::internal, "the disk says no", {}, {}});
    say(c);
    return all<command_result>(from)[0].refusal;
  };
  welcome();
  CHECK(refused_with(command("never-begun", "s1")) == agent_refusal::not_kept);
  auto c = command("op1", "s1");
  say(c);
  c.attempt = 2;
  CHECK(refused_with(c) == agent_refusal::lanes_full);
}

TEST_CASE_METHOD(agent_world, "agent: a command of a lower term is refused and touches nothing",
                 "[sim][agent][fc-54]") {
  welcome({}, 5);
  auto c = command("op1", "s1");
  c.term = 4;
  say(c);
  auto r = all<command_result>();
  REQUIRE(r.size() == 1);
  REQUIRE(r[0].failure);
  CHECK(r[0].failure->code == ec::not_leader);
  CHECK(docker.calls.empty());
  c.term = 6;
  c.op = {"op2"};
  say(c);
  CHECK(state->term() == 6);
  CHECK(docker.count("create") == 1);
}

TEST_CASE_METHOD(agent_world, "agent: a pull for one server delays no stop and no list of another",
                 "[sim][agent][acc-17][fc-37]") {
  auto c = docker.make("box-s2", labels_of("s2"), container_state::running);
  welcome({known("s2", c)});
  lanes.hold = true;
  say(command("pulls", "s1"));
  auto pulling = std::move(lanes.held);
  lanes.held.clear();
  lanes.hold = false;
  auto from = mark();
  say(command("stop", "s2", command_kind::stop));
  REQUIRE(all<command_result>(from).size() == 1);
  CHECK(all<command_result>(from)[0].op.value == "stop");
  say(sync_query{1, false, {}, {}});
  CHECK(all<inventory>(from).size() == 1);
  for (auto& w : pulling) w();
  settle();
  CHECK(all<command_result>(from).size() == 2);
}

TEST_CASE_METHOD(agent_world,
                 "agent: commands for one server run one after the other, and a new one cancels those before it",
                 "[sim][agent][fc-13]") {
  welcome();
  say(command("a", "s1"));
  lanes.hold = true;
  say(command("b", "s1", command_kind::restart));
  say(command("c", "s1", command_kind::restart));  // never begins
  say(command("d", "s1", command_kind::stop));
  CHECK(lanes.held.size() == 1);
  lanes.release();
  settle();
  CHECK(lanes.held.size() == 1);
  lanes.release();
  settle();
  auto r = all<command_result>();
  REQUIRE(r.size() == 4);
  CHECK(r[1].op.value == "c");
  CHECK(r[1].failure->code == ec::cancelled);
  CHECK(r[2].op.value == "b");  // had begun: ended before its first step
  CHECK(r[2].failure->code == ec::cancelled);
  CHECK(r[3].op.value == "d");
  CHECK(r[3].after.view.state == container_state::exited);
  CHECK(docker.count("stop") == 1);
}

TEST_CASE_METHOD(agent_world, "agent: a purge that is withdrawn before it reached the data leaves the data",
                 "[sim][agent][acc-64]") {
  welcome();
  say(command("a", "s1"));
  host.data["s1"] = data_state::present;
  auto purge = command("p", "s1", command_kind::purge);
  purge.remove_data = true;
  // While it removes the container the manager gives the purge up; a restore may follow.
  std::vector<to_agent> news;
  SECTION("with its withdrawal") { news = {cancel_command{{"p"}}}; }
  SECTION("whose withdrawal was lost: the next operation implies it") {
    auto restore = command("r", "s1");
    restore.demand = data_demand::present;
    news = {restore};
  }
  env->crash_point = [&](std::string_view at) {
    if (at == "removed")
      for (const auto& m : std::exchange(news, {})) say(m);
  };
  lanes.hold = true;
  say(purge);
  lanes.hold = false;
  lanes.release();
  settle();
  auto r = all<command_result>();
  REQUIRE(r.size() >= 2);
  CHECK(r[1].op.value == "p");
  REQUIRE(r[1].failure);
  CHECK(r[1].failure->code == ec::cancelled);
  CHECK(host.data.at("s1") == data_state::present);
  if (r.size() > 2) CHECK_FALSE(r[2].failure);
}

TEST_CASE_METHOD(agent_world, "agent: a purge with data reports which backups it has left", "[sim][agent][fc-31]") {
  welcome();
  say(command("a", "s1"));
  host.data["s1"] = data_state::present;
  host.kept_backups = "/srv/s1/backups";
  auto purge = command("p", "s1", command_kind::purge);
  purge.remove_data = true;
  say(purge);
  auto r = all<command_result>();
  REQUIRE(r.size() == 2);
  CHECK_FALSE(r[1].failure);
  CHECK(r[1].after.data == data_state::absent);
  CHECK(r[1].note.ends_with("; its backups are kept in /srv/s1/backups"));
}

TEST_CASE_METHOD(agent_world, "agent: a stop saves over RCON first, on the container's address in its network",
                 "[sim][agent][acc-16]") {
  welcome();
  auto c = command("op1", "s1");
  c.plan.container.networks = {"game-net", "backend"};
  c.plan.stop.network = "backend";
  c.plan.stop.rcon = {27015, "secret", {"save"}, 1s, 3s};
  c.plan.stop.then = {{27015, "secret", {"quit"}, 1s, 0s}};
  say(c);
  docker.calls.clear();
  c.op = {"op2"};
  c.kind = command_kind::stop;
  SECTION("reachable") {
    say(c);
    CHECK(docker.calls ==
          std::vector<std::string>{"console save at 10.0.0.2:27015", "console quit at 10.0.0.2:27015", "stop box-s1"});
    CHECK(all<command_result>().back().note == "saved; stopped cleanly after 0 s");
  }
  SECTION("not reachable: noted, and stopped all the same") {
    console.refuses = true;
    say(c);
    CHECK(docker.calls == std::vector<std::string>{"stop box-s1"});
    CHECK(all<command_result>().back().note == "not saved: no connection to 10.0.0.2; stopped cleanly after 0 s");
    CHECK_FALSE(all<command_result>().back().failure);
  }
}

TEST_CASE_METHOD(agent_world, "agent: progress names its steps in order and never falls", "[sim][agent]") {
  welcome();
  say(command("op1", "s1"));
  std::vector<std::string> steps;
  uint32_t last = 0;
  for (auto& p : all<command_progress>()) {
    CHECK(p.progress >= last);
    last = p.progress;
    if (steps.empty() || steps.back() != p.step) steps.push_back(p.step);
  }
  CHECK(steps == std::vector<std::string>{"preparing", "creating", "starting", "proving"});
}

TEST_CASE_METHOD(agent_world, "agent: a waiting command can be cancelled, one that has begun ends before its next step",
                 "[sim][agent]") {
  welcome();
  lanes.hold = true;
  say(command("a", "s1"));
  say(command("b", "s1"));
  say(cancel_command{{"b"}});
  auto r = all<command_result>();
  REQUIRE(r.size() == 1);
  CHECK(r[0].op.value == "b");
  CHECK(r[0].failure->code == ec::cancelled);
  say(cancel_command{{"a"}});
  lanes.release();
  settle();
  r = all<command_result>();
  REQUIRE(r.size() == 2);
  CHECK(r[1].failure->code == ec::cancelled);
  CHECK(docker.calls.empty());
}

TEST_CASE_METHOD(agent_world, "agent: results wait while the link is full", "[sim][agent]") {
  welcome();
  link.full = true;
  say(command("op1", "s1"));
  CHECK(all<command_result>().empty());
  link.full = false;
  advance(1500ms);
  CHECK(all<command_result>().size() == 1);
}

TEST_CASE_METHOD(agent_world,
                 "agent: while the Engine is away commands fail with the reason, and the container is unknown",
                 "[sim][agent][fc-61]") {
  welcome();
  docker.down = true;
  say(command("op1", "s1"));
  auto r = all<command_result>();
  REQUIRE(r.size() == 1);
  CHECK(r[0].failure->code == ec::engine_error);
  CHECK(r[0].failure->operation == "op1");
  CHECK(r[0].after.container == presence::unknown);
}

TEST_CASE_METHOD(agent_world, "agent: a container that ends at once is reported with its last lines, and kept",
                 "[sim][agent]") {
  welcome();
  docker.dies_at_start = true;
  say(command("op1", "s1"));
  auto r = all<command_result>();
  REQUIRE(r.size() == 1);
  REQUIRE(r[0].failure);
  CHECK(r[0].failure->message == "the container did not stay up: it ended with exit code 3; its last words: hello");
  CHECK(r[0].after.view.state == container_state::exited);
}

TEST_CASE_METHOD(agent_world, "agent: a report lists every call to the Engine, how and when it ended, and no secret",
                 "[sim][agent]") {
  welcome();
  advance(1s);  // time begins at zero, which would be "never"
  auto c = command("op1", "s1");
  c.plan.container.env = {{"ADMIN_PASSWORD", "hunter2"}};
  say(c);
  auto r = all<command_result>();
  REQUIRE(r.size() == 1);
  REQUIRE_FALSE(r[0].failure);
  const auto& calls = r[0].calls;
  const auto find = [&](const std::string& begin) {
    auto i = std::find_if(calls.begin(), calls.end(), [&](auto& x) { return x.call.starts_with(begin); });
    REQUIRE(i != calls.end());
    return *i;
  };
  CHECK(find("create " + c.plan.container.name).status == 201);
  CHECK(find("start ").status == 204);
  CHECK(find("list containers").status == 200);
  for (const auto& x : calls) {
    CHECK(x.problem.empty());
    CHECK(x.at != never);
    CHECK(x.call.find("hunter2") == std::string::npos);
  }

  docker.start_fails = true;
  docker.die(r[0].after.view.id, 0);
  say(command("op2", "s1"));
  r = all<command_result>();
  REQUIRE(r.size() == 2);
  REQUIRE(r[1].failure);
  const auto& failed = r[1].calls;
  auto start = std::find_if(failed.begin(), failed.end(), [](auto& x) { return x.call.starts_with("start "); });
  REQUIRE(start != failed.end());
  CHECK(start->status == 0);
  CHECK(start->problem == "cannot start: no such program");
}

TEST_CASE_METHOD(agent_world, "agent: of very many calls to the Engine the newest are reported", "[sim][agent]") {
  welcome();
  auto c = command("op1", "s1");
  for (size_t i = 0; i < engine_calls_max + 10; ++i)
    docker.make("other" + std::to_string(i), labels_of("s1"), container_state::created);
  say(c);
  auto r = all<command_result>();
  REQUIRE(r.size() == 1);
  CHECK(r[0].calls.size() == engine_calls_max);
}

TEST_CASE_METHOD(agent_world, "agent: an old container is restored even if the Engine fails at that, too",
                 "[sim][agent][fc-14]") {
  welcome();
  say(command("op1", "s1"));
  REQUIRE(docker.containers.size() == 1);
  const auto old = docker.containers.begin()->second.view;
  docker.dies_at_start = true;
  docker.rename_fails = {false, true, true};
  auto c = command("op2", "s1");
  c.kind = command_kind::replace;
  c.container_id = old.id;
  say(c);
  auto r = all<command_result>();
  REQUIRE(r.size() == 2);
  REQUIRE(r[1].failure);
  CHECK(docker.rename_fails.empty());
  REQUIRE(docker.containers.size() == 1);
  CHECK(docker.containers.begin()->second.view.id == old.id);
  CHECK(docker.containers.begin()->second.view.name == old.name);
  CHECK(r[1].failure->message.find("the old container is back") != std::string::npos);
}
