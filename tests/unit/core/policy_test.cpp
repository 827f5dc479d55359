// The small policies: liveness, restart limits, and the table of operations.
#include "actors/core/agent/liveness.hpp"
#include "actors/core/server/restart_tracker.hpp"
#include "messages/api/operations.hpp"
#include "tests/support/catch.hpp"

using namespace zedops::core;
using namespace zedops::msg;
using namespace std::chrono_literals;

TEST_CASE("liveness: suspect after two missed pings, unreachable after three seconds", "[unit][core][acc-34][fc-34]") {
  const liveness_policy p;
  CHECK(judge(p, 0ms) == agent_status::online);
  CHECK(judge(p, 1999ms) == agent_status::online);
  CHECK(judge(p, 2s) == agent_status::suspect);
  CHECK(judge(p, 2999ms) == agent_status::suspect);
  CHECK(judge(p, 3s) == agent_status::unreachable);
  CHECK(judge(p, 24h) == agent_status::unreachable);
}

TEST_CASE("restart tracker: it gives up after too many crashes within the window, and forgets old ones",
          "[unit][core][acc-80]") {
  restart_tracker t({3, 60s, 200ms, 30s});
  CHECK(t.on_crash(0s) == 200ms);
  CHECK(t.on_crash(1s) == 400ms);
  CHECK(t.on_crash(2s) == 800ms);
  CHECK(!t.on_crash(3s));
  CHECK(!t.on_crash(60s));
  CHECK(t.on_crash(61s) == 800ms);  // the first one is out of the window, two are still in it
  CHECK(t.on_crash(300s) == 200ms);
}

TEST_CASE("restart tracker: the pause between starts is bounded", "[unit][core][acc-80]") {
  restart_tracker t({100, 3600s, 200ms, 30s});
  std::chrono::milliseconds last{};
  for (int i = 0; i < 100; ++i) {
    const auto pause = t.on_crash(std::chrono::seconds(i));
    REQUIRE(pause);
    REQUIRE(*pause >= last);
    REQUIRE(*pause <= 30s);
    last = *pause;
  }
  CHECK(last == 30s);
  CHECK(!t.on_crash(101s));
}

TEST_CASE("operations: the table's texts are complete and its words are the known verbs",
          "[unit][core][acc-7][acc-70]") {
  for (const auto& row : operation_table) {
    INFO(row.word());
    CHECK(!row.help.empty());
    CHECK(!row.done.empty());
    CHECK(row.time_max > 0ms);
  }
  CHECK(verbs_allowed(server_status::running) ==
        std::vector<std::string>{"stop", "restart", "rebuild", "recreate", "edit", "rm", "purge", "move"});
  CHECK(verbs_allowed(server_status::missing) ==
        std::vector<std::string>{"start", "rebuild", "recreate", "edit", "rm", "purge", "move"});
  CHECK(verbs_allowed(server_status::deleted) == std::vector<std::string>{"restore", "purge"});
  CHECK(verbs_allowed(server_status::creating).empty());
  CHECK(states_text(in({server_status::stopped, server_status::missing, server_status::failed})) ==
        "stopped, missing or failed");
  CHECK(states_text(in({server_status::running})) == "running");
}
