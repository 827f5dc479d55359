// The host or its Engine came up: servers that should run are started again, in their order.
#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

namespace {

struct boot_world : agent_world {
  std::vector<known_server> servers;

  std::string add(const std::string& name, crash_policy policy = crash_policy::on_failure, int32_t priority = 0) {
    const auto id = docker.make("box-" + name, labels_of(name), container_state::running);
    host.data[name] = data_state::present;
    servers.push_back(guarded(name, id, policy));
    servers.back().priority = priority;
    return id;
  }
  void guards() {
    welcome(servers);
    link_is(false);
  }
  bool runs(const std::string& id) { return docker.containers.at(id).view.state == container_state::running; }
  // All containers end with everything else; their events are lost.
  void host_reboots(int64_t code = 137) {
    kill();
    for (auto& [id, c] : docker.containers) docker.die(id, code);
    docker.calls.clear();
    boot_id = "boot-2";
    spawn();
  }
  // The Engine stops its containers, as it does, and is gone for a while.
  void engine_restarts() {
    docker.down = true;
    docker.end_stream();
    settle();
    for (auto& [id, c] : docker.containers) {
      c.view.state = container_state::exited;
      c.view.exit_code = 0;
      c.view.finished_at = wall();
    }
    docker.down = false;
    docker.calls.clear();
    advance(10s);
  }
  std::vector<incident> told() {
    const auto from = mark();
    welcome(servers);
    advance(1500ms);
    std::vector<incident> out;
    for (auto& m : all<incidents>(from)) out.insert(out.end(), m.list.begin(), m.list.end());
    return out;
  }
};

}  // namespace

TEST_CASE_METHOD(boot_world,
                 "boot: servers that should run are started by priority, a few at once, and reported with progress",
                 "[sim][agent][acc-80]") {
  boot_starts = 2;
  add("zebra");
  add("ant");
  add("moose", crash_policy::always, 5);
  add("newt", crash_policy::leave);  // it is not restarted after crashes, but this was none
  const auto stopped = add("stopped");
  servers.back().wanted_running = false;
  const auto engines = add("engines", crash_policy::engine);
  guards();
  host_reboots();
  CHECK(docker.calls == std::vector<std::string>{"start box-moose", "start box-ant"});
  advance(2500ms);
  CHECK(docker.calls.size() == 4);
  advance(30s);
  CHECK(docker.calls ==
        std::vector<std::string>{"start box-moose", "start box-ant", "start box-newt", "start box-zebra"});
  CHECK_FALSE(runs(stopped));
  CHECK_FALSE(runs(engines));  // the Engine restarts it by its own rule
  const auto list = told();
  REQUIRE(list.size() == 4);
  for (auto& i : list) CHECK(i.kind == incident_kind::boot_started);
  CHECK(list[2].detail == "3 of 4 after the host came up");
}

TEST_CASE_METHOD(boot_world, "boot: an agent that only restarts itself starts nothing that was stopped on request",
                 "[sim][agent][fc-59]") {
  const auto box = add("s1");
  guards();
  docker.kill(box);
  docker.die(box, 0);
  settle();
  kill();
  docker.calls.clear();
  spawn();
  advance(60s);
  CHECK(docker.calls.empty());
}

TEST_CASE_METHOD(boot_world, "boot: an agent that dies between the starts goes on with the rest", "[sim][agent]") {
  boot_starts = 1;
  const auto a = add("a"), b = add("b"), c = add("c");
  guards();
  host_reboots(0);
  CHECK(docker.calls == std::vector<std::string>{"start box-a"});
  kill();
  spawn();
  advance(30s);
  CHECK(runs(a));
  CHECK(runs(b));
  CHECK(runs(c));
}

TEST_CASE_METHOD(boot_world, "boot: a server whose data is not visible is started as soon as the data appears",
                 "[sim][agent][fc-2]") {
  const auto box = add("s1");
  guards();
  host.mounted = false;
  host_reboots();
  advance(90s);
  CHECK(docker.calls.empty());
  host.mounted = true;
  advance(31s);
  CHECK(runs(box));
  const auto list = told();
  REQUIRE(list.size() == 2);
  CHECK(list[0].kind == incident_kind::boot_failed);
  CHECK(list[1].kind == incident_kind::boot_started);
}

TEST_CASE_METHOD(boot_world, "boot: a failed start is repeated by the crash policy, or only reported", "[sim][agent]") {
  auto policy = crash_policy::on_failure;
  SECTION("tried again") {}
  SECTION("only reported") { policy = crash_policy::leave; }
  const auto box = add("s1", policy);
  guards();
  docker.start_fails = true;
  host_reboots();
  docker.start_fails = false;
  advance(10s);
  CHECK(runs(box) == (policy == crash_policy::on_failure));
  const auto list = told();
  REQUIRE_FALSE(list.empty());
  CHECK(list.front().kind == incident_kind::boot_failed);
}

TEST_CASE_METHOD(boot_world, "boot: containers that ended with their Engine are started again when it is back",
                 "[sim][agent][fc-61]") {
  const auto a = add("a"), b = add("b", crash_policy::always), c = add("c", crash_policy::leave);
  guards();
  engine_restarts();
  CHECK(runs(a));  // although it ended in order: no user stopped it
  CHECK(runs(b));
  CHECK_FALSE(runs(c));
  const auto list = told();
  REQUIRE_FALSE(list.empty());
  CHECK(std::count_if(list.begin(), list.end(), [](auto& i) {
          return i.detail.find("after the Docker Engine came back") != std::string::npos;
        }) == 2);
}

TEST_CASE_METHOD(boot_world,
                 "boot: containers that the Engine stops on its own shutdown do not count as stopped by a user",
                 "[sim][agent][fc-61]") {
  const auto box = add("s1");
  guards();
  docker.kill(box);
  docker.die(box, 0);
  settle();
  SECTION("the Engine goes away right after the stop") {
    engine_restarts();
    CHECK(runs(box));
  }
  SECTION("it goes away much later: a user stopped the container") {
    advance(60s);
    const auto exit_at = docker.containers.at(box).view.finished_at;
    docker.down = true;
    docker.end_stream();
    settle();
    docker.down = false;
    docker.containers.at(box).view.finished_at = exit_at;
    advance(40s);
    CHECK_FALSE(runs(box));
  }
}
