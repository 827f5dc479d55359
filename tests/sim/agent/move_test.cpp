#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

namespace {

struct moving : agent_world {
  std::string old;

  run_command move(const std::string& op) {
    auto c = command(op, "s1", command_kind::move);
    c.source = c.plan.data;
    c.plan.data.root = "/mnt/new";
    c.plan.data.dirs.clear();
    c.container_id = old;
    return c;
  }
  void run_one() {
    welcome();
    say(command("op1", "s1"));
    REQUIRE(docker.containers.size() == 1);
    old = docker.containers.begin()->first;
    host.copying.clear();
  }
  command_result last() {
    const auto r = all<command_result>();
    REQUIRE_FALSE(r.empty());
    return r.back();
  }
  // Just as before: one container, the old one, under its name, running, and no copy.
  void check_put_back() {
    REQUIRE(docker.containers.size() == 1);
    CHECK(docker.containers.begin()->first == old);
    CHECK(docker.containers.begin()->second.view.name == "box-s1");
    CHECK(docker.containers.begin()->second.view.state == container_state::running);
    CHECK(host.copy == host::copy_stage::none);
    REQUIRE(last().failure);
    CHECK(last().data_root.empty());
  }
};

}  // namespace

TEST_CASE_METHOD(moving, "agent: a copy that fails starts the old container again", "[sim][agent][fc-23]") {
  run_one();
  host.copy_fails = error{ec::store_full, "no room is left", "free some", {}};
  say(move("op2"));
  check_put_back();
  CHECK(last().failure->code == ec::store_full);
  CHECK(host.copying == std::vector<std::string>{"copy", "drop"});
}

TEST_CASE_METHOD(moving, "agent: a move whose new container dies, on an Engine that fails at putting back, too",
                 "[sim][agent][fc-23]") {
  run_one();
  docker.dies_at_start = true;
  docker.rename_fails = {false, true, true};
  say(move("op2"));
  CHECK(docker.rename_fails.empty());
  REQUIRE(docker.containers.size() == 1);
  CHECK(docker.containers.begin()->first == old);
  CHECK(docker.containers.begin()->second.view.name == "box-s1");
  CHECK(host.copying == std::vector<std::string>{"copy", "place", "drop"});
}

TEST_CASE_METHOD(moving, "agent: a move and a replacement whose Engine goes away are put back when it is there again",
                 "[sim][agent][fc-14][fc-23]") {
  run_one();
  const bool moves = GENERATE(true, false);
  const std::string gone_at = GENERATE("stopped", "renamed", "created");
  INFO((moves ? "move, " : "replace, ") << gone_at);
  env->crash_point = [&](std::string_view effect) { docker.down = docker.down || effect == gone_at; };
  size_t pauses = 0;
  env->clock.pause = [&, pause = env->clock.pause](auto d) {
    pause(d);
    if (++pauses == 20) docker.down = false;  // after some ten seconds
  };
  auto c = move("op2");
  if (!moves) {
    c = command("op2", "s1", command_kind::replace);
    c.container_id = old;
  }
  say(c);
  check_put_back();
  CHECK(pauses >= 20);
}

TEST_CASE_METHOD(moving, "agent: a move is told where it stands, and where the data is afterwards",
                 "[sim][agent][fc-23]") {
  run_one();
  const auto since = mark();
  say(move("op2"));
  CHECK_FALSE(last().failure);
  CHECK(last().data_root == "/mnt/new");
  CHECK(host.copying == std::vector<std::string>{"copy", "place"});
  std::vector<std::string> steps;
  for (const auto& p : all<command_progress>(since)) steps.push_back(p.step);
  for (const char* step : {"copying", "verifying", "switching", "proving"}) {
    CAPTURE(step);
    CHECK(std::find(steps.begin(), steps.end(), step) != steps.end());
  }
  auto clean = move("op2");
  clean.kind = command_kind::drop_source;
  clean.attempt = 2;
  host.data["s1"] = data_state::present;
  say(clean);
  CHECK_FALSE(last().failure);
  CHECK(host.copying.back() == "finish");
}

TEST_CASE_METHOD(moving, "agent: copying takes no lane from other servers", "[sim][agent][fc-23]") {
  run_one();
  lanes.hold = true;
  say(move("op2"));
  say(command("op3", "s2"));
  say(command("op4", "s3"));
  CHECK(lanes.held.size() == 3);  // all of them have begun
  lanes.release();
  settle();
  CHECK(docker.count("create") == 4);
}

TEST_CASE_METHOD(moving, "agent: a stopped server that somebody starts while it is moved stays where it is",
                 "[sim][agent][fc-23]") {
  run_one();
  say(command("op2", "s1", command_kind::stop));
  const std::string when = GENERATE("copied", "placed", "renamed", "created");
  INFO(when);
  env->crash_point = [&](std::string_view effect) {
    if (effect == when) docker.start_container(old, {}, [](auto) {});
  };
  say(move("op3"));
  REQUIRE(last().failure);
  CHECK(last().failure->message.find("was started meanwhile") != std::string::npos);
  check_put_back();
}

TEST_CASE_METHOD(moving, "agent: what runs on the old tree after the switch is neither removed nor its tree dropped",
                 "[sim][agent][fc-23]") {
  run_one();
  env->crash_point = [&](std::string_view effect) {
    if (effect == "switched") docker.start_container(old, {}, [](auto) {});
  };
  const auto c = move("op2");
  say(c);
  CHECK_FALSE(last().failure);
  CHECK(docker.containers.at(old).view.state == container_state::running);
  auto clean = c;
  clean.kind = command_kind::drop_source;
  clean.attempt = 2;
  host.data["s1"] = data_state::present;
  say(clean);
  REQUIRE(last().failure);
  CHECK(last().failure->code == ec::wrong_state);
  CHECK(host.data.contains("s1"));
}
