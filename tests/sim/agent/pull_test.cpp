// With real lanes: a pull that hangs occupies its own lane and nothing else.
#include <condition_variable>

#include "actors/agent/lanes/lane_run.hpp"
#include "actors/agent/lanes/workers.hpp"
#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

TEST_CASE("agent: a long pull does not delay the stop of another server, and can be cancelled",
          "[sim][agent][acc-17][fc-37]") {
  fake_docker docker;
  fake_host host;
  fake_console console{docker};
  store::memory_store store;
  auto state = std::move(agent::agent_state::open(store, 1, 2).value());
  REQUIRE(state->belong_to("m1"));
  agent::step_env env{docker, host, console, *state, agent::real_clocks(), {}};
  auto running = docker.make("box-s2", agent_world::labels_of("s2"), container_state::running);
  docker.holds_pulls = true;

  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, command_result> results;
  std::vector<command_progress> progress;
  agent::worker_pool lanes("lane", 4);
  auto launch = [&](run_command c) {
    auto a = std::make_shared<agent::active_command>();
    a->command = std::move(c);
    a->report = std::make_shared<agent::reporter>(
        a->command,
        [&](command_progress p) {
          std::lock_guard guard(mutex);
          progress.push_back(p);
          changed.notify_all();
        },
        env.clock.steady);
    lanes.run([&, a] {
      auto r = agent::run_lane(env, *a);
      std::lock_guard guard(mutex);
      results[a->command.op.value] = r;
      changed.notify_all();
    });
    return a;
  };
  auto wait = [&](auto holds, std::chrono::milliseconds within) {
    std::unique_lock guard(mutex);
    return changed.wait_for(guard, within, holds);
  };
  auto pulls = agent_world::command("pull", "s1");
  pulls.plan.container.image = "game:2";
  auto pulling = launch(pulls);
  REQUIRE(wait([&] { return !progress.empty() && progress.back().step == "pulling"; }, 5s));
  launch(agent_world::command("stop", "s2", command_kind::stop));
  REQUIRE(wait([&] { return results.contains("stop"); }, 2s));
  CHECK_FALSE(results["stop"].failure);
  CHECK_FALSE(results.contains("pull"));
  SECTION("once the Engine answers, it goes on") {
    docker.let_pulls_go();
    REQUIRE(wait([&] { return results.contains("pull"); }, 5s));
    INFO((results["pull"].failure ? results["pull"].failure->message : ""));
    CHECK_FALSE(results["pull"].failure);
  }
  SECTION("cancelled, it ends") {
    pulling->cancel.cancel();
    REQUIRE(wait([&] { return results.contains("pull"); }, 5s));
    CHECK(results["pull"].failure->code == ec::cancelled);
    CHECK(docker.count("create") == 0);
  }
}
