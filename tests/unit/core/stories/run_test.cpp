// Short stories of one server: starting, stopping, replacing and changing it.
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

TEST_CASE("start: a stopped server starts in the same container", "[unit][core][acc-36]") {
  fixture x(record(server_status::stopped));
  const auto d = x.ask(start_server{});
  const auto* c = effect_in<send_command>(d);
  REQUIRE(c);
  CHECK(c->kind == command_kind::run);
  CHECK(c->container_id == "c0ffee");
  CHECK(x.s.desired == desired_state::running);
  x.finish(saw(container_state::running));
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == "c0ffee");
}

TEST_CASE("start: a missing server with data is recreated from the record", "[unit][core][acc-37][acc-10]") {
  auto x = missing_server();
  const auto before = x.s;
  const auto d = x.ask(start_server{});
  const auto* c = effect_in<send_command>(d);
  REQUIRE(c);
  CHECK(c->kind == command_kind::run);
  CHECK(c->container_id.empty());
  CHECK(c->demand == data_demand::present);
  CHECK(c->pull == pull_policy::if_missing);
  CHECK(!d.fresh_start);
  x.finish(saw(container_state::running, data_state::present, "new1d"));
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == "new1d");
  CHECK(x.s.ports == before.ports);
  CHECK(x.s.env == before.env);
  CHECK(x.s.image_tag == before.image_tag);
}

TEST_CASE("start: without data it says so and changes nothing", "[unit][core][acc-38]") {
  auto x = missing_server(data_state::absent);
  const auto before = x.s;
  const auto d = x.ask(start_server{});
  REQUIRE(d.refusal);
  CHECK(d.refusal->message == "Cannot start server, no data found");
  CHECK(x.s.status == before.status);
  CHECK(x.s.desired == before.desired);
  CHECK(x.s.revision == before.revision);
}

TEST_CASE("start --fresh: it begins with empty directories and says so", "[unit][core][acc-39]") {
  auto x = missing_server(data_state::absent);
  const auto d = x.ask(start_server{"", true});
  CHECK(!d.refusal);
  CHECK(d.fresh_start);
  REQUIRE(effect_in<send_command>(d));
  CHECK(effect_in<send_command>(d)->demand == data_demand::any);
}

TEST_CASE("recreate: after a failure the server is missing with the error, and a later start works",
          "[unit][core][acc-40]") {
  auto x = missing_server();
  x.ask(recreate_server{});
  x.finish(saw_nothing(), trouble());
  CHECK(x.s.status == server_status::missing);
  REQUIRE(x.s.last_error);
  CHECK(x.s.last_error->code == ec::engine_error);
  CHECK(!x.s.last_error->operation.empty());
  x.ask(start_server{});
  x.finish(saw(container_state::running, data_state::present, "second"));
  CHECK(x.s.status == server_status::running);
  CHECK(!x.s.last_error);
}

TEST_CASE("rebuild: an existing container is replaced after a pull, a missing one is created",
          "[unit][core][acc-42][acc-43][fc-14]") {
  fixture x(record());
  const auto replaced = x.ask(rebuild_server{});
  const auto* c = effect_in<send_command>(replaced);
  REQUIRE(c);
  CHECK(c->kind == command_kind::replace);
  CHECK(c->container_id == "c0ffee");
  CHECK(c->pull == pull_policy::always);
  for (const server_request& r : {server_request{rebuild_server{}}, server_request{recreate_server{}}}) {
    auto y = missing_server();
    const auto made = y.ask(r);
    REQUIRE(effect_in<send_command>(made));
    CHECK(effect_in<send_command>(made)->kind == command_kind::run);
  }
}

TEST_CASE("rebuild: after a failure the server has its old container, as observed", "[unit][core][acc-42][fc-14]") {
  fixture x(record());
  x.ask(rebuild_server{});
  x.finish(saw(container_state::running), trouble(ec::pull_failed));
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == "c0ffee");
  CHECK(x.s.last_error->code == ec::pull_failed);
}

TEST_CASE("rebuild: it is not disturbed by observations meanwhile", "[unit][core][acc-28][fc-12]") {
  fixture x(record());
  x.ask(rebuild_server{});
  const auto before = x.s;
  x.see(saw_nothing());
  x.give(unseen{trouble()});
  CHECK(x.s == before);
}

TEST_CASE("restart: it keeps container, ports and data", "[unit][core][acc-45]") {
  fixture x(record());
  const auto before = x.s;
  const auto d = x.ask(restart_server{});
  REQUIRE(effect_in<send_command>(d));
  CHECK(effect_in<send_command>(d)->kind == command_kind::restart);
  CHECK(effect_in<send_command>(d)->container_id == before.container_id);
  x.finish(saw(container_state::running));
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == before.container_id);
  CHECK(x.s.ports == before.ports);
  CHECK(x.s.data == before.data);
}

TEST_CASE("stop: a server stopped by a user is not started again", "[unit][core][acc-35][fc-59]") {
  auto s = record();
  s.recovery = recovery_policy::automatic;
  fixture x(s);
  x.ask(stop_server{});
  x.finish(saw(container_state::exited));
  CHECK(x.s.status == server_status::stopped);
  CHECK(x.s.desired == desired_state::stopped);
  x.see(saw_nothing());
  x.agent_back();
  CHECK(x.s.status == server_status::missing);
  CHECK(!x.s.op);
}

TEST_CASE("stop: with the agent away it is kept and sent on its return", "[unit][core][fc-38]") {
  fixture x(record(), false);
  x.ask(stop_server{});
  CHECK(x.s.op->step == step_waiting);
  const auto d = x.agent_back();
  REQUIRE(effect_in<send_command>(d));
  CHECK(effect_in<send_command>(d)->kind == command_kind::stop);
  CHECK(x.s.op->deadline == x.cx.now + row_of(op_kind::stop).time_max);
}

TEST_CASE("two starts at once: one wins, and the other's error names it", "[unit][core][fc-13][acc-6]") {
  fixture x(record(server_status::stopped));
  x.ask(start_server{});
  const auto second = x.ask(start_server{});
  CHECK(code_of(second) == "busy");
  CHECK(second.refusal->operation == x.s.op->id.value);
  x.finish(saw(container_state::running));
  CHECK(x.s.status == server_status::running);
}

TEST_CASE("edit: it is applied by the next container, and shown as pending until then", "[unit][core][acc-10]") {
  fixture x(record());
  edit_server e;
  e.config["MAX"] = "32";
  e.unset = {"RCON_PASSWORD"};
  x.ask(e);
  CHECK(x.s.pending_rebuild);
  CHECK(x.s.env == std::map<std::string, std::string>{{"MAX", "32"}, {"SERVER_NAME", "one"}});
  CHECK(x.s.status == server_status::running);
  x.ask(restart_server{});
  x.finish(saw(container_state::running));
  CHECK(x.s.pending_rebuild);
  x.ask(rebuild_server{});
  x.finish(saw(container_state::running, data_state::present, "new1d"));
  CHECK(!x.s.pending_rebuild);
  CHECK(x.s.env.at("MAX") == "32");
}

TEST_CASE("edit: of an outdated copy is refused", "[unit][core][fc-13]") {
  fixture x(record());
  edit_server e;
  e.image_tag = "42";
  e.revision = x.s.revision;
  CHECK(code_of(x.ask(e)) == "ok");
  CHECK(code_of(x.ask(e)) == "wrong_state");
}

TEST_CASE("recovery: automatic recreates a lost container, manual leaves it to the user", "[unit][core][acc-35]") {
  auto s = record();
  fixture manual(s);
  manual.see(saw_nothing());
  CHECK(!manual.s.op);
  s.recovery = recovery_policy::automatic;
  fixture x(s);
  const auto d = x.see(saw_nothing());
  REQUIRE(x.s.op);
  CHECK(x.s.op->kind == op_kind::recreate);
  CHECK(x.s.op->actor == "system:recovery");
  CHECK(effect_in<send_command>(d)->demand == data_demand::present);
  x.finish(saw(container_state::running, data_state::present, "again"));
  CHECK(x.s.status == server_status::running);
}

TEST_CASE("recovery: a container lost while the agent was away is recreated when the agent has reported",
          "[unit][core][acc-35][fc-38]") {
  auto s = record(server_status::missing);
  s.recovery = recovery_policy::automatic;
  fixture x(s, false);
  x.give(agent_ready{});
  CHECK(!x.s.op);
  x.agent_back();
  REQUIRE(x.s.op);
  CHECK(x.s.op->kind == op_kind::recreate);
}

TEST_CASE("recovery: never without data, never on unknown data", "[unit][core][acc-35][acc-39][fc-2]") {
  for (auto data : {data_state::unknown, data_state::absent, data_state::empty}) {
    auto s = record();
    s.recovery = recovery_policy::automatic;
    fixture x(s);
    x.see(saw_nothing(data));
    CHECK(x.s.status == server_status::missing);
    CHECK(!x.s.op);
  }
}

TEST_CASE("recovery: a failed one is tried again later, not at once", "[unit][core][acc-35]") {
  auto s = record();
  s.recovery = recovery_policy::automatic;
  fixture x(s);
  x.see(saw_nothing());
  x.finish(saw_nothing(), trouble());
  x.see(saw_nothing());
  CHECK(!x.s.op);
  x.cx.now += recovery_retry;
  x.see(saw_nothing());
  CHECK(x.s.op);
}

namespace {

// Created, running, and its directories still empty.
fixture bare_server() {
  auto x = created_server();
  x.finish(saw(container_state::running, data_state::empty));
  return x;
}

}  // namespace

TEST_CASE("data: a server that never had any is replaced, started and recovered without --fresh",
          "[unit][core][acc-39][fc-3]") {
  auto x = bare_server();
  REQUIRE(x.s.past == data_past::none);
  SECTION("rebuild") {
    const auto d = x.ask(rebuild_server{});
    REQUIRE(effect_in<send_command>(d));
    CHECK(effect_in<send_command>(d)->demand == data_demand::any);
  }
  SECTION("start after docker rm") {
    x.see(saw_nothing(data_state::empty));
    REQUIRE(x.s.status == server_status::missing);
    const auto d = x.ask(start_server{});
    REQUIRE(effect_in<send_command>(d));
    CHECK(effect_in<send_command>(d)->demand == data_demand::any);
    CHECK_FALSE(d.fresh_start);
  }
  SECTION("recovery") {
    x.s.recovery = recovery_policy::automatic;
    const auto d = x.see(saw_nothing(GENERATE(data_state::empty, data_state::absent)));
    REQUIRE(effect_in<send_command>(d));
    CHECK(effect_in<send_command>(d)->demand == data_demand::any);
  }
  SECTION("restore") {
    x.ask(remove_server{});
    x.finish(saw_nothing(data_state::empty));
    REQUIRE(x.s.status == server_status::deleted);
    CHECK(effect_in<send_command>(x.ask(restore_server{})));
  }
}

TEST_CASE("data: once seen it is demanded for ever, unless a user starts fresh", "[unit][core][fc-3]") {
  auto x = bare_server();
  x.see(saw(container_state::running, data_state::present));
  x.see(saw(container_state::running, GENERATE(data_state::empty, data_state::absent)));
  CHECK(x.s.past == data_past::some);
  CHECK(effect_in<send_command>(x.ask(rebuild_server{}))->demand == data_demand::present);
  x.finish(saw(container_state::running, data_state::empty), trouble(ec::no_data));
  CHECK(effect_in<send_command>(x.ask(rebuild_server{"", true}))->demand == data_demand::any);
  x.finish(saw(container_state::running, data_state::empty, "second"));
  CHECK(x.s.past == data_past::none);
  CHECK(effect_in<send_command>(x.ask(rebuild_server{}))->demand == data_demand::any);
}

TEST_CASE("data: a record from before this field existed goes by the last observation", "[unit][core][fc-3]") {
  auto s = record();
  s.past = data_past::unknown;
  s.data = data_state::empty;
  fixture x(s);
  CHECK(effect_in<send_command>(x.ask(rebuild_server{}))->demand == data_demand::any);
  s.data = GENERATE(data_state::present, data_state::absent, data_state::unknown);
  fixture y(s);
  CHECK(effect_in<send_command>(y.ask(rebuild_server{}))->demand == data_demand::present);
  s.data = data_state::empty;
  s.stale = true;
  fixture z(s);
  CHECK(effect_in<send_command>(z.ask(rebuild_server{}))->demand == data_demand::present);
}

TEST_CASE("start: a server is shown as running while it still has to prove that it stays up", "[unit][core]") {
  auto x = created_server();
  command_progress p;
  p.op = x.s.op->id;
  p.step = std::string(step_proving);
  p.seen = saw(container_state::running, data_state::empty);
  x.give(progressed{p});
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == "c0ffee");
  CHECK_FALSE(x.s.has_run);
  REQUIRE(x.s.op);
  SECTION("it does") {
    const auto d = x.finish(saw(container_state::running, data_state::empty));
    CHECK(x.s.status == server_status::running);
    CHECK(x.s.has_run);
    CHECK_FALSE(fact_in<status_changed>(d));  // it is already shown as running
  }
  SECTION("it does not: the create has failed and is resumed in place") {
    x.finish(saw(container_state::exited, data_state::empty), trouble());
    CHECK(x.s.status == server_status::failed);
    CHECK_FALSE(x.s.has_run);
    CHECK(effect_in<send_command>(x.ask(start_server{})));
  }
}
