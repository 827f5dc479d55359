// One scenario again and again, with the n-th write to a disk going wrong, for n = 1, 2, 3 ... until no write is left
// to go wrong. Whatever goes wrong, the scenario completes when its steps are repeated, and no rule is broken.
#include <optional>

#include "tests/sim/support/agents/real_agent.hpp"
#include "tests/sim/support/world_fixture.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::sim;

namespace {

struct life : world {
  life() : world(5) {
    core_loss_is_a_crash = true;
    boot();
    add_real_host("alpha");
    ready();
  }
  void ready() {
    until([&] { return manager && agents.at("alpha")->in_session() && agent_status("alpha") == agent_status::online; });
  }
  // A client that does not give up: it repeats its request, under a new key after a refusal, until the server has the
  // wanted status.
  template <class Body>
  bool insist(const std::string& verb, const Body& body, server_status wanted) {
    constexpr int tries_max = 8;
    for (int i = 0; i < tries_max; ++i) {
      if (!manager) boot();
      ready();
      // A server that failed for good is started from its record, as a user would do it.
      const auto now = status("pz1");
      const call_options how{.key = verb + std::to_string(i), .wait = true};
      if (i > 0 && (now == server_status::failed || now == server_status::missing))
        (void)send("server.start", start_server{"pz1"}, how);
      else (void)send("server." + verb, body, how);
      const auto arrived = [&] { return status("pz1") == wanted && !server("pz1").op && !server("pz1").id.empty(); };
      if (until([&] { return !manager || arrived(); }, 40s) && manager) return true;
    }
    return false;
  }
  std::string scenario() {
    if (!insist("create", a_server("pz1", "alpha"), server_status::running)) return "create";
    if (!insist("rebuild", rebuild_server{"pz1"}, server_status::running)) return "rebuild";
    if (!insist("stop", stop_server{"pz1"}, server_status::stopped)) return "stop";
    if (!insist("rm", remove_server{"pz1"}, server_status::deleted)) return "rm";
    if (!insist("restore", restore_server{"pz1"}, server_status::running)) return "restore";
    if (!insist("purge", purge_server{"pz1", true, false, true}, server_status::purged)) return "purge";
    return {};
  }
};

// Returns how many faults there were until the scenario went through without one.
uint64_t every_write(const std::function<void(life&, uint64_t nth)>& arm, const std::function<bool(life&)>& struck) {
  constexpr uint64_t writes_max = 400;
  for (uint64_t n = 1; n < writes_max; ++n) {
    INFO("write " << n);
    life x;
    arm(x, n);
    CHECK(x.scenario() == "");
    x.advance(15s);
    CHECK(x.on("alpha").containers.empty());
    CHECK(x.on("alpha").trees.empty());
    x.audit.look_at_promises();
    CHECK(x.report() == "");
    if (!struck(x)) return n - 1;
  }
  return writes_max;
}

}  // namespace

TEST_CASE("whichever write of the manager fails, nothing acknowledged is lost and the scenario completes",
          "[sim][anomaly][fc-63]") {
  uint64_t armed_after = 0;
  const auto faults = every_write(
      [&](life& x, uint64_t n) {
        armed_after = x.db.attempts() + n;
        x.db.fail_commit(n, {ec::internal, "the disk says no", "", {}});
      },
      [&](life& x) { return x.db.attempts() >= armed_after; });
  CHECK(faults > 20);
}

TEST_CASE("whichever write the manager dies in, nothing acknowledged is lost and the scenario completes",
          "[sim][anomaly][acc-48][fc-10]") {
  for (auto kept : {store::crash_keeps::nothing, store::crash_keeps::everything}) {
    const auto faults = every_write(
        [&](life& x, uint64_t n) {
          x.db.crash_in_commit(n, kept);
          x.store_may_crash = true;
        },
        [](life& x) { return x.crashes > 0; });
    CHECK(faults > 20);
  }
}

TEST_CASE("whichever write of the agent fails or kills it, the scenario completes", "[sim][anomaly][acc-48]") {
  for (int mode = 0; mode < 3; ++mode) {
    uint64_t armed_after = 0;
    const auto writes = [](life& x) { return dynamic_cast<real_agent&>(*x.agents.at("alpha")).state_writes(); };
    const auto faults = every_write(
        [&](life& x, uint64_t n) {
          armed_after = writes(x) + n;
          auto& a = *x.agents.at("alpha");
          if (mode == 0) a.fail_write(n);
          else a.die_in_write(n, mode == 1);
        },
        [&](life& x) { return writes(x) >= armed_after; });
    INFO("mode " << mode);
    CHECK(faults > 8);
  }
}

TEST_CASE("wherever between two effects the agent dies, the scenario completes", "[sim][anomaly][acc-48]") {
  const auto deaths = [](life& x) { return dynamic_cast<real_agent&>(*x.agents.at("alpha")).deaths_at_effects(); };
  const auto faults = every_write([](life& x, uint64_t n) { x.agents.at("alpha")->die_at_effect(n); },
                                  [&](life& x) { return deaths(x) > 0; });
  CHECK(faults > 20);
}
