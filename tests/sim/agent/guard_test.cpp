// The agent on its own: who is started again, after which pause, and who is left alone.
#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

namespace {

struct guard_world : agent_world {
  std::string box = docker.make("box-s1", labels_of("s1"), container_state::running);
  guard_world() { host.data["s1"] = data_state::present; }
  void guards(crash_policy policy = crash_policy::on_failure) {
    welcome({guarded("s1", box, policy)});
    link_is(false);
  }
  bool runs(const std::string& id) { return docker.containers.at(id).view.state == container_state::running; }
  // What is reported to the manager when it comes back with the same records.
  std::vector<incident> comes_back(std::vector<known_server> servers) {
    const auto from = mark();
    welcome(std::move(servers));
    advance(1500ms);
    std::vector<incident> out;
    for (auto& m : all<incidents>(from)) out.insert(out.end(), m.list.begin(), m.list.end());
    return out;
  }
  static std::vector<incident_kind> kinds(const std::vector<incident>& list) {
    std::vector<incident_kind> out;
    for (auto& i : list) out.push_back(i.kind);
    return out;
  }
};

}  // namespace

TEST_CASE_METHOD(
    guard_world,
    "guard: after a crash without a manager the restart is immediate, the next delayed, both reported later",
    "[sim][agent][fc-38]") {
  guards();
  const auto when = wall();
  docker.die(box, 1);
  settle();
  advance(10ms);
  CHECK(runs(box));
  docker.die(box, 1);
  settle();
  CHECK_FALSE(runs(box));
  advance(900ms);
  CHECK_FALSE(runs(box));
  advance(200ms);
  CHECK(runs(box));
  const auto told = comes_back({guarded("s1", box)});
  REQUIRE(kinds(told) == std::vector{incident_kind::exited, incident_kind::restarted, incident_kind::exited,
                                     incident_kind::restarted});
  CHECK(told[0].seq == 1);
  CHECK(told[0].at == when);
  CHECK(told[0].exit_code == 1);
  CHECK(told[0].crashes == 1);
  CHECK(told[0].next_in == 1ms);
  CHECK(told[1].seq == 2);
  CHECK(told[2].crashes == 2);
  CHECK(told[2].next_in == 1s);
  CHECK(told[3].at >= when + 1s);
}

TEST_CASE_METHOD(guard_world, "guard: an incident is reported until it is acknowledged, then forgotten for good",
                 "[sim][agent][fc-38]") {
  guards();
  docker.die(box, 1);
  advance(1500ms);
  REQUIRE(comes_back({guarded("s1", box)}).size() == 2);
  auto from = mark();
  advance(3s);
  CHECK(all<incidents>(from).empty());
  advance(2s);
  REQUIRE(all<incidents>(from).size() == 1);
  CHECK(all<incidents>(from)[0].list.size() == 2);
  say(incidents_taken{1});
  CHECK(all<incidents>(from).back().list.size() == 1);
  say(incidents_taken{2});
  kill();
  spawn();
  CHECK(comes_back({guarded("s1", box)}).empty());
  docker.die(box, 1);
  from = mark();
  advance(500ms);
  REQUIRE(all<incidents>(from).size() == 1);
  CHECK(all<incidents>(from)[0].list[0].seq == 3);  // numbers are never used twice
}

TEST_CASE_METHOD(
    guard_world,
    "guard: pauses grow to their cap, and after too many crashes a server stays down until a user starts it",
    "[sim][agent][fc-56]") {
  guards();
  docker.die(box, 1);
  settle();
  advance(10ms);
  REQUIRE(runs(box));
  for (auto pause : {1s, 2s}) {
    docker.die(box, 1);
    settle();
    advance(pause - 200ms);
    REQUIRE_FALSE(runs(box));
    advance(400ms);
    REQUIRE(runs(box));
  }
  docker.die(box, 1);
  settle();
  advance(60s);
  CHECK_FALSE(runs(box));
  auto told = comes_back({guarded("s1", box)});
  REQUIRE(told.size() == 8);
  CHECK(told.back().kind == incident_kind::gave_up);
  CHECK(told.back().crashes == 4);
  CHECK_FALSE(told.back().detail.empty());
  auto c = command("op1", "s1");
  c.container_id = box;
  say(c);
  REQUIRE(runs(box));
  docker.die(box, 1);
  settle();
  advance(1200ms);
  CHECK(runs(box));  // the crash history was cleared
}

TEST_CASE_METHOD(guard_world, "guard: a healthy run clears the crashes before it", "[sim][agent][fc-56]") {
  guards();
  for (int i = 0; i < 3; ++i) {
    docker.die(box, 1);
    advance(4s);
    REQUIRE(runs(box));
  }
  advance(300s);
  docker.die(box, 1);
  settle();
  advance(1200ms);
  CHECK(runs(box));
}

TEST_CASE_METHOD(guard_world, "guard: a container that a user stopped or killed is not restarted",
                 "[sim][agent][fc-59]") {
  guards(crash_policy::always);
  SECTION("docker stop") {
    docker.kill(box, 15);
    advance(20s);  // it needs that long to save
    docker.die(box, 0);
  }
  SECTION("docker kill") {
    docker.kill(box, 9);
    docker.die(box, 137);
  }
  settle();
  advance(60s);
  CHECK_FALSE(runs(box));
  const auto told = comes_back({guarded("s1", box)});
  REQUIRE(kinds(told) == std::vector{incident_kind::exited});
  CHECK(told[0].detail.find("by hand") != std::string::npos);
}

TEST_CASE_METHOD(guard_world, "guard: a reload signal does not explain an exit, nor does a stop before the last start",
                 "[sim][agent][fc-59]") {
  guards();
  SECTION("reload") { docker.kill(box, 1); }
  SECTION("stopped and started by hand") {
    docker.kill(box, 15);
    docker.die(box, 0);
    settle();
    advance(500ms);
    docker.start_container(box, {}, [](auto) {});
    settle();
    advance(500ms);
  }
  docker.die(box, 1);
  settle();
  advance(1200ms);
  CHECK(runs(box));
}

TEST_CASE_METHOD(guard_world, "guard: each crash policy restarts what it promises", "[sim][agent][fc-59]") {
  struct row {
    crash_policy policy;
    int64_t code;
    bool again;
  };
  for (const auto& r : {row{crash_policy::engine, 1, false}, row{crash_policy::leave, 1, false},
                        row{crash_policy::on_failure, 0, false}, row{crash_policy::on_failure, 137, true},
                        row{crash_policy::always, 0, true}}) {
    docker.containers.at(box).view.state = container_state::running;
    guards(r.policy);
    docker.die(box, r.code);
    settle();
    advance(5s);
    INFO(name_of(r.policy) << " with " << r.code);
    CHECK(runs(box) == r.again);
    auto told = comes_back({guarded("s1", box, r.policy)});
    CHECK(told.empty() == (r.policy == crash_policy::engine));
    if (!told.empty()) say(incidents_taken{told.back().seq});
  }
}

TEST_CASE_METHOD(guard_world, "guard: a container that should not run is left alone", "[sim][agent][fc-59]") {
  auto k = guarded("s1", box);
  SECTION("because a user wants it stopped") { k.wanted_running = false; }
  SECTION("because it is not ours") { docker.containers.at(box).view.labels.clear(); }
  SECTION("because it is set aside") { docker.containers.at(box).view.name = "box-s1.old-op7"; }
  welcome({k});
  docker.die(box, 1);
  settle();
  advance(10s);
  CHECK_FALSE(runs(box));
}

TEST_CASE_METHOD(guard_world, "guard: a stop holds even if the manager dies in the middle, also after a restart",
                 "[sim][agent][fc-59][fc-10]") {
  welcome({guarded("s1", box)});
  auto c = command("op1", "s1", command_kind::stop);
  c.container_id = box;
  lanes.hold = true;
  say(c);
  link_is(false);
  lanes.hold = false;
  lanes.release();
  settle();
  CHECK_FALSE(runs(box));
  advance(30s);
  kill();
  docker.die(box, 1);  // a new exit, as a restarting Engine would show it
  spawn();
  advance(30s);
  CHECK_FALSE(runs(box));
}

TEST_CASE_METHOD(guard_world, "guard: an exit in the middle of a restart belongs to the command", "[sim][agent]") {
  guards();
  welcome({guarded("s1", box)});
  auto c = command("op1", "s1", command_kind::restart);
  c.container_id = box;
  say(c);
  REQUIRE(all<command_result>().size() == 1);
  CHECK(runs(box));
  advance(10s);
  CHECK(docker.count("start") == 1);
  CHECK(all<incidents>().empty());
}

TEST_CASE_METHOD(guard_world, "guard: an agent that restarts without a manager goes on from its notes",
                 "[sim][agent][fc-56]") {
  guards();
  SECTION("with a start that is owed") {
    docker.die(box, 1);
    settle();
    kill();
  }
  SECTION("with a crash that no agent saw") {
    kill();
    docker.die(box, 1);
  }
  spawn();
  advance(3s);
  CHECK(runs(box));
  docker.die(box, 1);
  settle();
  advance(700ms);
  CHECK_FALSE(runs(box));  // it is the second crash: one second
  advance(1s);
  CHECK(runs(box));
  CHECK(comes_back({guarded("s1", box)}).size() == 4);
}

TEST_CASE_METHOD(guard_world, "guard: an exit that was handled is not handled again by a restarted agent",
                 "[sim][agent][fc-59]") {
  guards();
  docker.kill(box, 15);
  docker.die(box, 143);
  settle();
  for (int i = 0; i < 2; ++i) {
    kill();
    spawn();
    advance(40s);
    CHECK_FALSE(runs(box));
  }
  CHECK(comes_back({guarded("s1", box)}).size() == 1);
}

TEST_CASE_METHOD(guard_world, "guard: a start that fails is tried again, then given up", "[sim][agent]") {
  guards();
  docker.start_fails = true;
  docker.die(box, 1);
  advance(60s);
  auto told = comes_back({guarded("s1", box)});
  REQUIRE(told.size() == 5);
  CHECK(told[1].kind == incident_kind::restart_failed);
  CHECK(told[1].next_in == 1s);
  CHECK(told[1].detail.find("no such program") != std::string::npos);
  CHECK(told.back().kind == incident_kind::gave_up);
}

TEST_CASE_METHOD(guard_world, "guard: a container that is gone is not started", "[sim][agent]") {
  guards();
  docker.die(box, 1);
  settle();
  docker.destroy(box);
  settle();
  advance(5s);
  CHECK(docker.count("start") == 0);
}

TEST_CASE_METHOD(guard_world, "guard: rules that the manager changes apply at once", "[sim][agent]") {
  guards(crash_policy::leave);
  welcome({guarded("s1", box, crash_policy::leave)});
  say(watch_servers{{guarded("s1", box, crash_policy::always)}, {}});
  docker.die(box, 0);
  settle();
  advance(1200ms);
  CHECK(runs(box));
  docker.die(box, 0);
  settle();
  say(watch_servers{{guarded("s1", box, crash_policy::leave)}, {}});  // a start was owed, but is not any more
  advance(10s);
  CHECK_FALSE(runs(box));
}

TEST_CASE_METHOD(guard_world, "guard: a command waits for a start that is under way", "[sim][agent]") {
  guards();
  welcome({guarded("s1", box)});
  docker.die(box, 1);
  settle();
  docker.holds_starts = true;
  advance(1200ms);
  auto c = command("op1", "s1", command_kind::stop);
  c.container_id = box;
  say(c);
  CHECK(all<command_result>().empty());
  docker.let_starts_go();
  settle();
  REQUIRE(all<command_result>().size() == 1);
  CHECK_FALSE(runs(box));
  advance(20s);
  CHECK_FALSE(runs(box));
}

TEST_CASE_METHOD(guard_world, "guard: a disk that refuses notes prevents no restart, and no number is used twice",
                 "[sim][agent][fc-63]") {
  guards();
  welcome({guarded("s1", box)});
  for (uint64_t n = 1; n <= 10; ++n) store.fail_commit(n, {ec::internal, "the disk says no", {}, {}});
  const auto from = mark();
  docker.die(box, 1);
  settle();
  advance(1500ms);
  CHECK(runs(box));
  CHECK(all<incidents>(from).empty());  // until stored they could be lost, and their numbers used again
  advance(15s);
  REQUIRE_FALSE(all<incidents>(from).empty());
  CHECK(all<incidents>(from)[0].list.size() == 2);
}

TEST_CASE_METHOD(guard_world, "guard: a crash after the host's clock was set back is a crash", "[sim][agent][fc-62]") {
  guards();
  docker.die(box, 1);
  settle();
  advance(10ms);
  REQUIRE(runs(box));
  docker.clock = [this] { return wall() - 2h; };
  docker.die(box, 1);
  settle();
  advance(1500ms);
  CHECK(runs(box));
}
