#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

namespace {

struct crash {};

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
  // The process, that is: in the middle of a move, after this effect.
  void be_cut_short(const std::string& when) {
    env->crash_point = [when](std::string_view effect) {
      if (effect == when) throw crash{};
    };
    say(move("op2"));
    be_born_again();
  }
  void be_born_again() {
    kill();
    spawn();
    welcome({known("s1", old)});
  }
  // As before: one container, the old one, under its name, running, and no copy.
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

TEST_CASE_METHOD(moving, "agent: after a failed copy the old container is started again", "[sim][agent][fc-23]") {
  run_one();
  host.copy_fails = error{ec::store_full, "no room is left", "free some", {}};
  say(move("op2"));
  check_put_back();
  CHECK(last().failure->code == ec::store_full);
  CHECK(host.copying == std::vector<std::string>{"copy", "drop"});
}

TEST_CASE_METHOD(moving, "agent: a move whose new container dies is rolled back even if the Engine fails at that, too",
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

TEST_CASE_METHOD(moving, "agent: a move and a replacement whose Engine goes away are rolled back when it is back",
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

TEST_CASE_METHOD(moving, "agent: a move reports its steps, and where the data is afterwards", "[sim][agent][fc-23]") {
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

TEST_CASE_METHOD(moving, "agent: copying occupies no lane of other servers", "[sim][agent][fc-23]") {
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

TEST_CASE_METHOD(moving, "agent: a stopped server that is started by hand during its move stays where it is",
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

TEST_CASE_METHOD(moving, "agent: a container that runs on the old tree after the switch is kept, and so is the tree",
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

TEST_CASE_METHOD(moving, "agent: an interrupted move that is then given up is rolled back as soon as the agent knows",
                 "[sim][agent][fc-23]") {
  run_one();
  const std::string when = GENERATE("stopped", "copied", "placed", "renamed", "created");
  const bool withdrawn = GENERATE(true, false);
  INFO(when << (withdrawn ? ", withdrawn" : ", followed by another command"));
  be_cut_short(when);
  CHECK(docker.containers.at(old).view.state == container_state::exited);
  if (withdrawn) {
    say(cancel_command{{"op2"}});
    check_put_back();
    CHECK(last().failure->code == ec::cancelled);
    const auto calls = docker.calls.size();
    say(cancel_command{{"op2"}});
    CHECK(docker.calls.size() == calls);
    return;
  }
  say(command("op3", "s1"));
  const auto results = all<command_result>();
  REQUIRE(results.size() >= 2);
  CHECK(results[results.size() - 2].op.value == "op2");
  CHECK(last().op.value == "op3");
  CHECK_FALSE(last().failure);
  REQUIRE(docker.containers.size() == 1);
  CHECK(docker.containers.at(old).view.name == "box-s1");
  CHECK(docker.containers.at(old).view.state == container_state::running);
  CHECK(host.copy == host::copy_stage::none);
}

TEST_CASE_METHOD(moving, "agent: a withdrawn move that had switched before its interruption goes on", "[sim][agent]") {
  run_one();
  be_cut_short("switched");
  say(cancel_command{{"op2"}});
  CHECK_FALSE(last().failure);
  CHECK(last().data_root == "/mnt/new");
  CHECK(host.copy == host::copy_stage::placed);
  CHECK_FALSE(docker.containers.contains(old));
}

TEST_CASE_METHOD(moving, "agent: a copy that could not be removed is removed by the next move or purge",
                 "[sim][agent][fc-23]") {
  run_one();
  host.copy_fails = error{ec::store_full, "no room is left", "free some", {}};
  host.while_copying = [&] { docker.down = true; };
  say(move("op2"));
  REQUIRE(last().failure);
  CHECK(last().failure->message.find("its copy is left in /mnt/new") != std::string::npos);
  CHECK(host.dropped.empty());
  docker.down = false;
  host.copy_fails.reset();
  host.while_copying = nullptr;
  auto next = move("op3");
  SECTION("of the same process") {}
  SECTION("of the next one") { be_born_again(); }
  SECTION("a purge") {
    next.kind = command_kind::purge;
    next.plan.data = next.source;
  }
  say(next);
  INFO((last().failure ? last().failure->message : ""));
  CHECK_FALSE(last().failure);
  REQUIRE_FALSE(host.dropped.empty());
  CHECK(host.dropped.front() == "op2");
}

TEST_CASE_METHOD(moving, "agent: what was kept of a move, because it may hold more than the original, stays",
                 "[sim][agent][fc-23]") {
  run_one();
  be_cut_short("started");
  say(cancel_command{{"op2"}});
  CHECK(host.copying.back() == "keep");
  host.copy = host::copy_stage::partial;  // so it is seen on the disk
  auto purge = move("op3");
  purge.kind = command_kind::purge;
  purge.remove_data = true;
  purge.plan.data = purge.source;
  say(purge);
  CHECK_FALSE(last().failure);
  CHECK(host.dropped == std::vector<std::string>{"op2"});  // when it was kept
}
