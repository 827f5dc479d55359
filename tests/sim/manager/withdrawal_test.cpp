// Commands whose operation has ended at the manager, and operations whose agent left while working on them: with the
// real agent and with the simulated one.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

namespace {

// A host whose agent is made of the real shells.
struct real_stage : world {
  real_stage() : world(3) {
    boot();
    // Else every stop gets the time of its plan.
    shorten_stops(manager->world().templates.at("project-zomboid"));
    add_real_host("alpha");
    REQUIRE(until([&] { return there(); }));
    advance(2s);
  }
  ~real_stage() {
    audit.read_log(nullptr);
    CHECK(report() == "");
  }
  bool there() { return agents.at("alpha")->in_session() && agent_status("alpha") == agent_status::online; }
  bool is(const std::string& name, server_status wanted) { return status(name) == wanted && !server(name).op; }
  void create(const std::string& name) {
    REQUIRE(finish("create", a_server(name, "alpha")).has_value());
    REQUIRE(is(name, server_status::running));
  }
};

}  // namespace

TEST_CASE_METHOD(real_stage, "the real agent takes a server through its whole life", "[sim][manager][agent]") {
  create("pz1");
  CHECK(on("alpha").containers.size() == 1);
  REQUIRE(finish("stop", stop_server{"pz1"}).has_value());
  CHECK(is("pz1", server_status::stopped));
  REQUIRE(finish("start", start_server{"pz1"}).has_value());
  REQUIRE(finish("rebuild", rebuild_server{"pz1"}).has_value());
  REQUIRE(finish("restart", restart_server{"pz1"}).has_value());
  CHECK(is("pz1", server_status::running));
  CHECK(on("alpha").containers.size() == 1);
  REQUIRE(finish("rm", remove_server{"pz1"}).has_value());
  CHECK(on("alpha").containers.empty());
  REQUIRE(finish("restore", restore_server{"pz1"}).has_value());
  CHECK(is("pz1", server_status::running));
  REQUIRE(finish("purge", purge_server{"pz1", true, false, true}).has_value());
  CHECK(is("pz1", server_status::purged));
  CHECK(on("alpha").containers.empty());
  CHECK(on("alpha").trees.empty());
}

TEST_CASE_METHOD(real_stage, "a purge that was given up while it waited at the agent never happens later",
                 "[sim][manager][agent][acc-64]") {
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) names.push_back("pz" + std::to_string(i));
  for (const auto& n : names) create(n);
  for (const auto& n : names) REQUIRE(finish("rm", remove_server{n}).has_value());
  // Four purges hang in the Engine and hold all lanes; the fifth waits behind them until its time is over.
  on("alpha").engine_hangs = true;
  for (const auto& n : names) REQUIRE(operate("purge", purge_server{n, true, false, true}).has_value());
  std::string late;
  REQUIRE(until(
      [&] {
        for (const auto& n : names)
          if (is(n, server_status::deleted)) late = n;
        return !late.empty();
      },
      40s));
  REQUIRE(server(late).last_error->code == ec::timeout);
  REQUIRE(operate("restore", restore_server{late}).has_value());
  on("alpha").engine_hangs = false;
  REQUIRE(until([&] { return is(late, server_status::running); }, 60s));
  advance(60s);
  CHECK(is(late, server_status::running));
  CHECK(on("alpha").data_of(late) == data_state::present);
}

TEST_CASE_METHOD(stage, "a purge past its deadline is stopped at its next step, even if its withdrawal was lost",
                 "[sim][manager][acc-64]") {
  deleted("pz1");
  at("alpha").gives_up = false;
  on("alpha").engine_hangs = true;
  REQUIRE(operate("purge", purge_server{"pz1", true, false, true}).has_value());
  const bool lost = GENERATE(false, true);
  REQUIRE(until([&] { return server("pz1").op && server("pz1").op->deadline - wall.wall() < 1s; }, 400s));
  if (lost) net.hold(at("alpha"), network::direction::to_agent);
  REQUIRE(until([&] { return status("pz1") == server_status::deleted; }, 400s));
  if (lost) {
    at("alpha").disconnect();  // what was held is lost with the connection
    net.release(at("alpha"), network::direction::to_agent);
    advance(1s);
  }
  REQUIRE(until([&] { return at("alpha").in_session() && agent_status("alpha") == agent_status::online; }, 20s));
  REQUIRE(operate("restore", restore_server{"pz1"}).has_value());
  advance(2s);
  on("alpha").engine_hangs = false;
  REQUIRE(until([&] { return status("pz1") == server_status::running && !server("pz1").op; }, 60s));
  advance(30s);
  CHECK(on("alpha").data_of("pz1") == data_state::present);
}

TEST_CASE_METHOD(real_stage, "an operation whose agent was lost in the middle is completed on its return",
                 "[sim][manager][agent][acc-51][acc-55][acc-60]") {
  struct row {
    const char* verb;
    server_status before, after;
  };
  const auto r = GENERATE(row{"stop", server_status::running, server_status::stopped},
                          row{"rm", server_status::running, server_status::deleted},
                          row{"restore", server_status::deleted, server_status::running},
                          row{"purge", server_status::running, server_status::purged});
  INFO(r.verb);
  manager->world().rules.change([](auto& p) { p.retention = 24h; });  // else it ends before the agent is back
  create("pz1");
  if (r.before == server_status::deleted) REQUIRE(finish("rm", remove_server{"pz1"}).has_value());
  const std::string verb = r.verb;
  on("alpha").engine_hangs = true;  // so that it is surely in progress
  result<operation_reply> reply = verb == "stop"      ? operate("stop", stop_server{"pz1"})
                                  : verb == "rm"      ? operate("rm", remove_server{"pz1"})
                                  : verb == "restore" ? operate("restore", restore_server{"pz1"})
                                                      : operate("purge", purge_server{"pz1", true, false, true});
  REQUIRE(reply.has_value());
  advance(2s);
  agents.at("alpha")->crash();
  on("alpha").engine_hangs = false;
  REQUIRE(until([&] { return server("pz1").op && server("pz1").op->step == step_waiting; }, 300s));
  advance(10min);
  REQUIRE(server("pz1").op);
  CHECK(server("pz1").op->id == reply->operation.id);
  agents.at("alpha")->start();
  CHECK(until([&] { return is("pz1", r.after); }, 60s));
}

TEST_CASE_METHOD(stage, "several clients with one key at once get one operation", "[sim][manager][acc-9]") {
  running("pz1");
  std::vector<std::string> all;
  for (int i = 0; i < 6; ++i) all.push_back(send("server.stop", stop_server{"pz1"}, {.key = "k", .wait = i % 2 == 0}));
  REQUIRE(until([&] { return std::all_of(all.begin(), all.end(), [&](const auto& r) { return answered(r); }); }));
  std::set<std::string> operations;
  for (const auto& r : all) {
    auto reply = answer<operation_reply>(r);
    REQUIRE(reply.has_value());
    operations.insert(reply->operation.id.value);
  }
  CHECK(operations.size() == 1);
  CHECK(facts<operation_accepted>() == 2);  // the create, and one stop
}
