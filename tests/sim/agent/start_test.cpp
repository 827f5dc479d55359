// Starting, and what is checked before something that runs is stopped or removed.
#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

TEST_CASE_METHOD(agent_world, "agent: a server that is paused is saved before it is stopped", "[sim][agent][fc-8]") {
  welcome();
  say(command("op1", "s1"));
  const auto id = docker.containers.begin()->first;
  docker.containers[id].addresses["lan"] = "10.0.0.2";
  docker.containers[id].view.state = container_state::paused;
  docker.calls.clear();
  auto c = command("op2", "s1", command_kind::stop);
  c.plan.stop.rcon = {27015, "secret", {"save"}, 1s, 3s};
  say(c);
  CHECK(docker.calls == std::vector<std::string>{"console save at 10.0.0.2:27015", "stop box-s1"});
  CHECK(all<command_result>().back().note == "saved; stopped cleanly after 0 s");
}

TEST_CASE_METHOD(agent_world,
                 "agent: after a start whose answer is lost it checks the container, and does not remove a running one",
                 "[sim][agent][fc-61]") {
  welcome();
  SECTION("it was started") {
    docker.loses_start_answers = true;
    say(command("op1", "s1"));
    const auto r = all<command_result>().back();
    CHECK_FALSE(r.failure);
    CHECK(r.after.view.state == container_state::running);
  }
  SECTION("it was not: a container that never ran is removed") {
    docker.start_fails = true;
    say(command("op1", "s1"));
    CHECK(all<command_result>().back().failure);
    CHECK(docker.containers.empty());
  }
}

TEST_CASE_METHOD(agent_world, "agent: a container that was started has to stay up for the settle time",
                 "[sim][agent]") {
  welcome();
  auto c = command("op1", "s1");
  c.plan.settle = 2s;
  duration paused{};
  std::function<void()> meanwhile = [] {};
  env->clock.pause = [&, pause = env->clock.pause](auto d) {
    paused += std::chrono::duration_cast<duration>(d);
    pause(d);
    meanwhile();
  };
  const auto id = [&] { return docker.containers.begin()->first; };
  SECTION("it does, and its state is reported before") {
    say(c);
    CHECK_FALSE(all<command_result>().back().failure);
    CHECK(paused == 2s);
    const auto said = all<command_progress>().back();
    CHECK(said.step == "proving");
    REQUIRE(said.seen);
    CHECK(said.seen->view.state == container_state::running);
  }
  SECTION("it reports healthy before that") {
    meanwhile = [&] { docker.containers[id()].view.health = health_state::healthy; };
    say(c);
    CHECK_FALSE(all<command_result>().back().failure);
    CHECK(paused == 100ms);
  }
  SECTION("it ends") {
    meanwhile = [&] {
      if (docker.containers[id()].view.state == container_state::running) docker.die(id(), 9);
    };
    say(c);
    REQUIRE(all<command_result>().back().failure);
    CHECK(all<command_result>().back().failure->message ==
          "the container did not stay up: it ended with exit code 9; its last words: hello");
  }
  SECTION("the Engine restarts it") {
    meanwhile = [&] { docker.containers[id()].view.restarts = 2; };
    say(c);
    REQUIRE(all<command_result>().back().failure);
    CHECK(all<command_result>().back().failure->message.find("the Engine restarted it 2 times already") !=
          std::string::npos);
  }
}

TEST_CASE_METHOD(agent_world, "agent: a running server holds its own ports, also while it is restarted or replaced",
                 "[sim][agent]") {
  welcome();
  auto c = command("op1", "s1");
  c.plan.container.ports = {{21000, 21000, protocol::udp, {}}};
  say(c);
  REQUIRE_FALSE(all<command_result>().back().failure);
  c.op = {"op2"};
  c.kind = GENERATE(command_kind::restart, command_kind::replace);
  c.container_id = docker.containers.begin()->first;
  say(c);
  INFO((all<command_result>().back().failure ? all<command_result>().back().failure->message : ""));
  CHECK_FALSE(all<command_result>().back().failure);
  auto other = command("op3", "s2");
  other.plan.container.ports = c.plan.container.ports;
  say(other);
  REQUIRE(all<command_result>().back().failure);
  CHECK(all<command_result>().back().failure->code == ec::port_conflict);
}

TEST_CASE_METHOD(agent_world, "agent: data that is gone is noticed before anything is stopped for a restart",
                 "[sim][agent][fc-3]") {
  welcome();
  say(command("op1", "s1"));
  host.data["s1"] = GENERATE(data_state::absent, data_state::empty);
  host.mounted = GENERATE(true, false);
  docker.calls.clear();
  auto c = command("op2", "s1", GENERATE(command_kind::restart, command_kind::replace));
  c.container_id = docker.containers.begin()->first;
  c.demand = data_demand::present;
  say(c);
  REQUIRE(all<command_result>().back().failure);
  CHECK(all<command_result>().back().failure->code == (host.mounted ? ec::no_data : ec::data_unknown));
  CHECK(docker.calls.empty());
  CHECK(docker.containers.begin()->second.view.state == container_state::running);
}

TEST_CASE_METHOD(agent_world, "agent: a stopped server whose data is gone is not started without the fresh flag",
                 "[sim][agent][fc-3]") {
  welcome();
  say(command("op1", "s1"));
  say(command("op2", "s1", command_kind::stop));
  host.data["s1"] = data_state::empty;
  auto c = command("op3", "s1");
  c.demand = data_demand::present;
  say(c);
  REQUIRE(all<command_result>().back().failure);
  CHECK(all<command_result>().back().failure->hint.find("zedctl server start --fresh s1") != std::string::npos);
  c = command("op4", "s1");
  say(c);
  CHECK_FALSE(all<command_result>().back().failure);
}

TEST_CASE_METHOD(agent_world,
                 "agent: what an interrupted replacement left is settled in favour of the running container",
                 "[sim][agent][fc-14]") {
  welcome();
  auto made = labels_of("s1");
  const auto old = docker.make("box-s1.old-op1", made, container_state::exited);
  const auto fresh = docker.make("box-s1", made, GENERATE(container_state::running, container_state::exited));
  const bool lives = docker.containers[fresh].view.state == container_state::running;
  auto c = command("op2", "s1");
  c.container_id = old;  // the replacement was never reported
  SECTION("on the same data") {
    say(c);
    INFO((all<command_result>().back().failure ? all<command_result>().back().failure->message : ""));
    CHECK_FALSE(all<command_result>().back().failure);
    REQUIRE(docker.containers.size() == 1);
    CHECK(docker.containers.begin()->first == (lives ? fresh : old));
    CHECK(docker.containers.begin()->second.view.name == "box-s1");
    CHECK(docker.containers.begin()->second.view.state == container_state::running);
    CHECK(docker.count("stop box-s1") == 0);
  }
  SECTION("on other data: only the user can decide") {
    c.plan.container.mounts = {{"/srv/s1/data", "/data", false}};
    say(c);
    CHECK(all<command_result>().back().failure.has_value() == lives);
    CHECK(docker.containers.size() == (lives ? 2u : 1u));
    if (lives) CHECK(docker.containers.at(fresh).view.state == container_state::running);
  }
}

TEST_CASE_METHOD(agent_world, "agent: after a replacement whose old container stays, the new one is reported",
                 "[sim][agent][fc-14]") {
  welcome();
  say(command("op1", "s1"));
  const auto old = docker.containers.begin()->first;
  docker.remove_fails = true;
  auto c = command("op2", "s1", command_kind::replace);
  c.container_id = old;
  say(c);
  const auto r = all<command_result>().back();
  CHECK_FALSE(r.failure);
  CHECK(r.note.find("could not be removed") != std::string::npos);
  CHECK(r.after.view.id != old);
  CHECK(r.after.view.state == container_state::running);
}

TEST_CASE_METHOD(agent_world, "agent: a purge checks the owner of a root that the agent does not remember",
                 "[sim][agent][fc-2]") {
  welcome();
  host.data["s1"] = data_state::present;
  host.root_owner = GENERATE(true, false) ? state->id().value : "another";
  auto c = command("op1", "s1", command_kind::purge);
  c.plan.data.root = "/mnt/other";
  c.remove_data = true;
  say(c);
  const auto r = all<command_result>().back();
  INFO((r.failure ? r.failure->message : ""));
  CHECK(host.data.contains("s1") == (host.root_owner == "another"));
  CHECK((r.bytes_removed.value_or(0) > 0) == (host.root_owner != "another"));
}

TEST_CASE_METHOD(agent_world, "agent: a server that is unpaused is not judged by its earlier restarts",
                 "[sim][agent][fc-8]") {
  welcome();
  say(command("op1", "s1"));
  auto& box = docker.containers.begin()->second.view;
  box.state = container_state::paused;
  box.restarts = 4;
  auto c = command("op2", "s1");
  c.plan.settle = 2s;
  const bool again = GENERATE(false, true);
  env->clock.pause = [&, pause = env->clock.pause](auto d) {
    pause(d);
    if (again) box.restarts = 5;
  };
  say(c);
  INFO((all<command_result>().back().failure ? all<command_result>().back().failure->message : ""));
  CHECK(all<command_result>().back().failure.has_value() == again);
}

TEST_CASE_METHOD(agent_world, "agent: a replacement removes the former image if the pull took its name away",
                 "[sim][agent][fc-14]") {
  struct row {
    const char* what;
    std::string made_of;
    bool has_other_name, is_used, is_the_same;
    size_t removals;
    bool is_pulled = true;
  };
  const auto r =
      GENERATE(row{"its name was moved", "game:1", false, false, false, 1},
               row{"the registry is away: somebody else has moved it", "game:1", false, false, false, 0, false},
               row{"another container uses it: the Engine refuses", "game:1", false, true, false, 1},
               row{"it has another name", "game:1", true, false, false, 0},
               row{"it is what the new container runs, too", "game:1", false, false, true, 0},
               row{"its container was made by its id", "sha256:one", false, false, false, 0},
               row{"its container was made by a part of its id", "on", false, false, false, 0},
               row{"its container was made by its digest", "game@sha256:d1", false, false, false, 0});
  INFO(r.what);
  welcome();
  say(command("op1", "s1"));
  const auto old = docker.containers.begin()->first;
  docker.images.insert("one");
  docker.containers[old].image_id = "sha256:one";
  docker.containers[old].view.image = r.made_of;
  if (r.has_other_name) {
    docker.images.insert("game:stable");
    docker.image_ids["game:stable"] = "sha256:one";
  }
  if (r.is_used) docker.containers[docker.make("other", {}, container_state::exited)].image_id = "sha256:one";
  if (r.is_pulled) docker.pullable = {"game:1"};
  env->crash_point = [&](std::string_view effect) {
    if (effect != "proved") return;
    for (auto& [id, c] : docker.containers)
      if (c.view.name == "box-s1") c.image_id = r.is_the_same ? "sha256:one" : "sha256:game:1";
  };
  auto c = command("op2", "s1", command_kind::replace);
  c.container_id = old;
  c.plan.pull = pull_policy::always;
  say(c);
  const auto said = all<command_result>().back();
  CHECK_FALSE(said.failure);
  CHECK((said.note.find("image") == std::string::npos) == r.is_pulled);  // else: the local one was used
  CHECK_FALSE(docker.containers.contains(old));
  CHECK(docker.count("pull game:1") == 1);
  CHECK(docker.count("remove image") == r.removals);
  CHECK(docker.count("remove image sha256:one") == r.removals);
}
