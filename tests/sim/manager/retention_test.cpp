// A deleted server is purged when its retention is over, never earlier, whatever clocks do.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

TEST_CASE_METHOD(stage, "a deleted server is purged with its data after the retention",
                 "[sim][manager][acc-62][fc-60]") {
  auto s = deleted("pz1");
  advance(rules.retention - 10s);
  CHECK(status("pz1") == server_status::deleted);
  REQUIRE(until([&] { return status("pz1") == server_status::purged; }, 30s));
  CHECK(wall.now() >= s.purge_at);
  CHECK(on("alpha").data_of("pz1") == data_state::absent);
  auto other = a_server("pz1", "alpha");
  other.game_port = s.ports.front().number;
  CHECK(finish("create", other).has_value());
}

TEST_CASE_METHOD(stage, "retention waits for an agent that is away", "[sim][manager][acc-63]") {
  deleted("pz1");
  at("alpha").crash();
  advance(rules.retention + 60s);
  CHECK(status("pz1") == server_status::deleted);
  CHECK(on("alpha").data_of("pz1") == data_state::present);
  at("alpha").start();
  CHECK(until([&] { return status("pz1") == server_status::purged; }, 30s));
}

TEST_CASE_METHOD(stage, "a server restored in the last second is not purged", "[sim][manager][acc-64][fc-13]") {
  auto s = deleted("pz1");
  REQUIRE(until([&] { return wall.now() >= s.purge_at - 200ms; }, rules.retention));
  REQUIRE(operate("restore", restore_server{"pz1"}).has_value());
  advance(5min);
  CHECK(status("pz1") == server_status::running);
  CHECK(on("alpha").data_of("pz1") == data_state::present);
  CHECK(facts<server_purged>() == 0);
}

TEST_CASE_METHOD(stage, "of a restore and a purge by retention at the same moment one wins completely",
                 "[sim][manager][acc-64]") {
  for (int i = 0; i < 8; ++i) {
    const auto name = "pz" + std::to_string(i);
    auto s = deleted(name);
    any_order = true;
    REQUIRE(until([&] { return wall.now() >= s.purge_at - 50ms; }, rules.retention));
    auto r = send("server.restore", restore_server{name});
    advance(20s);
    REQUIRE(answered(r));
    if (answer<operation_reply>(r)) {
      CHECK(status(name) == server_status::running);
      CHECK(on("alpha").data_of(name) == data_state::present);
    } else {
      CHECK(status(name) == server_status::purged);
    }
    any_order = false;
  }
}

TEST_CASE_METHOD(stage, "a clock that is set back delays a purge and never hastens it",
                 "[sim][manager][acc-62][fc-62]") {
  auto s = deleted("pz1");
  const auto began = time.now();
  wall.set_by(-1h);
  advance(60s);
  crash_manager();  // the new process begins with the wall clock an hour behind the record
  boot();
  REQUIRE(until([&] { return at("alpha").in_session(); }));
  advance(rules.retention - 90s);
  CHECK(status("pz1") == server_status::deleted);
  CHECK(until([&] { return status("pz1") == server_status::purged; }, rules.retention + 2h));
  CHECK(time.now() - began >= rules.retention - 1s);
  CHECK(time.now() - began <= rules.retention + 5min);
}

TEST_CASE_METHOD(stage, "retention continues after a restart of the manager", "[sim][manager][acc-62]") {
  deleted("pz1");
  crash_manager();
  advance(rules.retention + 10s);
  boot();
  CHECK(until([&] { return status("pz1") == server_status::purged; }, 30s));
}

TEST_CASE_METHOD(stage, "a purge by retention that fails is tried again later", "[sim][manager][acc-63]") {
  deleted("pz1");
  on("alpha").disk_mounted = false;
  advance(rules.retention + 60s);
  CHECK(status("pz1") == server_status::deleted);
  CHECK(server("pz1").last_error.has_value());
  on("alpha").disk_mounted = true;
  CHECK(until([&] { return status("pz1") == server_status::purged; }, 10min));
}

TEST_CASE_METHOD(stage, "overdue deleted servers of a host that is away are skipped until it is back",
                 "[sim][manager][acc-63][fc-60]") {
  const auto gone = deleted("pz1");
  const auto& records = manager->world().records;
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  advance(rules.retention + 60s);
  CHECK(records.due(wall.now(), 10).empty());
  at("alpha").start();
  CHECK(until([&] { return status("pz1") == server_status::purged; }, 30s));
}

TEST_CASE_METHOD(stage, "a clock that leaps past every retention purges nothing until it has run evenly for a while",
                 "[sim][manager][acc-62][fc-62]") {
  manager->world().rules.change([](auto& p) { p.clock_trust = 10min; });
  deleted("pz1");
  wall.set_by(100 * 24h);
  advance(9min);
  CHECK(status("pz1") == server_status::deleted);
  CHECK(on("alpha").data_of("pz1") == data_state::present);
  SECTION("the clock is corrected, and everything is kept until the time has really come") {
    wall.set_by(-100 * 24h);
    advance(2h);
    CHECK(status("pz1") == server_status::deleted);
    CHECK(finish("restore", restore_server{"pz1"}).has_value());
  }
  SECTION("the new time is right, and the purge comes late") {
    CHECK(until([&] { return status("pz1") == server_status::purged; }, 5min));
  }
}
