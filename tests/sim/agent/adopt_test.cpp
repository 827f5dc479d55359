// Adopting a container, on an Engine that goes away at the worst moments.
#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

namespace {

struct crash {};

struct adopting : agent_world {
  std::string original;
  std::optional<size_t> back_after;  // pauses until the Engine answers again
  std::string gone_at, dies_at;      // effects

  adopting() {
    original = docker.make("by-hand", {}, container_state::running);
    docker.containers[original].mounts = {{"/home/me/saves", "/data", false}};
    watch_over();
  }
  void watch_over() {
    env->crash_point = [this](std::string_view effect) {
      if (effect == gone_at) docker.down = true;
      if (effect == dies_at) throw crash{};
    };
    env->clock.pause = [this, pause = env->clock.pause](auto d) {
      pause(d);
      if (back_after && (*back_after)-- == 0) {
        docker.down = false;
        back_after.reset();
      }
    };
  }
  run_command adopt() {
    auto c = command("op1", "s1", command_kind::adopt);
    c.plan.data = {"/srv", "s1", {{"data", "/srv/s1/data", true}}, {}};
    c.plan.container.mounts = {{"/srv/s1/data", "/data", false}};
    c.original = original;
    return c;
  }
  command_result last() {
    const auto r = all<command_result>();
    REQUIRE_FALSE(r.empty());
    return r.back();
  }
  container_state state_of_original() { return docker.containers.at(original).view.state; }
};

}  // namespace

TEST_CASE_METHOD(adopting, "agent: an adoption whose Engine goes away is rolled back when the Engine is back",
                 "[sim][agent][fc-24]") {
  welcome();
  gone_at = GENERATE("stopped", "copied", "placed", "created", "started");
  INFO(gone_at);
  back_after = 20;  // some ten seconds
  say(adopt());
  REQUIRE(last().failure);
  INFO(last().failure->message);
  CHECK(last().untouched);
  CHECK(docker.containers.size() == 1);
  CHECK(state_of_original() == container_state::running);
  CHECK(host.copy == host::copy_stage::none);
}

TEST_CASE_METHOD(adopting, "agent: when the Engine does not come back, the error names what is left",
                 "[sim][agent][fc-24]") {
  welcome();
  gone_at = "copied";
  say(adopt());
  REQUIRE(last().failure);
  CHECK_FALSE(last().untouched);
  CHECK(last().failure->message.find("the copy is left in /srv") != std::string::npos);
  CHECK(std::count(host.copying.begin(), host.copying.end(), "drop") == 0);
}

TEST_CASE_METHOD(adopting, "agent: restarted in the middle of an adoption, it waits for an absent Engine and goes on",
                 "[sim][agent][fc-24]") {
  welcome();
  dies_at = GENERATE("copied", "created", "switched");
  const bool comes_back = GENERATE(true, false);
  INFO(dies_at << (comes_back ? "" : ", never"));
  say(adopt());
  kill();
  spawn();
  watch_over();
  dies_at.clear();
  docker.down = true;
  if (comes_back) back_after = 20;
  link_is(true);
  say(msg::welcome{state->id(), "m1", 1, 7, {}});
  say(adopt());
  if (!comes_back) {
    REQUIRE(last().failure);
    INFO(last().failure->message);
    CHECK_FALSE(last().untouched);
    CHECK(last().failure->message.find("may be stopped, and renamed to box-s1.old-op1") != std::string::npos);
    CHECK(last().failure->hint.find("start it") != std::string::npos);
    return;
  }
  INFO((last().failure ? last().failure->message : ""));
  CHECK_FALSE(last().failure);
  REQUIRE(docker.containers.size() == 1);
  CHECK(docker.containers.begin()->second.view.name == "box-s1");
  CHECK(docker.containers.begin()->second.view.state == container_state::running);
}

TEST_CASE_METHOD(adopting, "agent: an original that is started while it is copied is not adopted",
                 "[sim][agent][fc-24]") {
  welcome();
  env->crash_point = [this](std::string_view effect) {
    if (effect == "copied") docker.start_container(original, {}, [](auto) {});  // by hand
  };
  say(adopt());
  REQUIRE(last().failure);
  CHECK(last().failure->message.find("was started meanwhile") != std::string::npos);
  CHECK(last().untouched);
  CHECK(state_of_original() == container_state::running);
  CHECK(docker.containers.size() == 1);
}

TEST_CASE_METHOD(
    adopting, "agent: an adoption cancelled while it waits for its turn is rolled back, even if begun before a crash",
    "[sim][agent][fc-24]") {
  welcome();
  const bool begun = GENERATE(true, false);
  INFO((begun ? "begun" : "new"));
  if (begun) {
    dies_at = "copied";
    say(adopt());
    REQUIRE(state_of_original() == container_state::exited);
    kill();
    spawn();
    watch_over();
    dies_at.clear();
    link_is(true);
    say(msg::welcome{state->id(), "m1", 1, 7, {}});
  }
  lanes.hold = true;
  for (const auto* other : {"s2", "s3"}) {  // as many as copy at once
    auto c = command(std::string("op-") + other, other, command_kind::adopt);
    c.original = "nowhere";
    say(c);
  }
  say(adopt());
  say(cancel_command{{"op1"}});
  lanes.hold = false;
  lanes.release();
  settle();
  const auto results = all<command_result>();
  const auto mine = std::find_if(results.rbegin(), results.rend(), [](auto& r) { return r.op.value == "op1"; });
  REQUIRE(mine != results.rend());
  REQUIRE(mine->failure);
  CHECK(mine->failure->code == ec::cancelled);
  CHECK(mine->untouched);
  CHECK(state_of_original() == container_state::running);
  CHECK(host.copy == host::copy_stage::none);
}

TEST_CASE_METHOD(adopting, "agent: a volume that the Engine mounts only while its container runs is not adopted",
                 "[sim][agent][fc-24]") {
  welcome();
  auto& c = docker.containers[original];
  c.mounts.clear();
  c.volumes = {{"/var/lib/docker/volumes/saves/_data", "/data", false}};
  c.volume_names = {"saves"};
  const bool plain = GENERATE(true, false);
  if (!plain) docker.volume_options["saves"] = {{"type", "nfs"}, {"device", ":/exports/saves"}};
  say(adopt());
  CHECK(last().failure.has_value() != plain);
  if (plain) return;
  CHECK(last().untouched);
  CHECK(last().failure->message.find("its data is not accessible once it stops") != std::string::npos);
  CHECK(docker.count("stop") == 0);
  CHECK(state_of_original() == container_state::running);
}

TEST_CASE_METHOD(adopting, "agent: an adoption fails when part of the data is gone once the original has stopped",
                 "[sim][agent][fc-24]") {
  welcome();
  host.size_after_stop = host::copy_size{0, 1};
  env->crash_point = [this](std::string_view effect) { host.stopped = host.stopped || effect == "stopped"; };
  say(adopt());
  REQUIRE(last().failure);
  CHECK(last().failure->code == ec::data_unknown);
  CHECK(last().failure->message.find("1000 B in 3 files") != std::string::npos);
  CHECK(last().untouched);
  CHECK(state_of_original() == container_state::running);
}

TEST_CASE_METHOD(adopting, "agent: an interrupted adoption that is then given up restores the original",
                 "[sim][agent][fc-24]") {
  welcome();
  dies_at = GENERATE("copied", "placed", "created");
  INFO(dies_at);
  say(adopt());
  REQUIRE(state_of_original() == container_state::exited);
  kill();
  spawn();
  watch_over();
  dies_at.clear();
  welcome({known("s1")});
  say(cancel_command{{"op1"}});
  REQUIRE(last().failure);
  CHECK(last().failure->code == ec::cancelled);
  CHECK(last().untouched);
  CHECK(docker.containers.size() == 1);
  CHECK(state_of_original() == container_state::running);
  CHECK(host.copy == host::copy_stage::none);
}
