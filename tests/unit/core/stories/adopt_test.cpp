// Short stories of a container that was made by hand and becomes a server.
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

command_result told(const fixture& x, observation after, std::optional<error> failure = {}) {
  auto r = result_of(x.s.op.value().id, std::move(after), std::move(failure));
  r.attempt = x.s.op->attempt;
  return r;
}

fixture adopting(desired_state wish = desired_state::running) {
  fixture x;
  auto s = new_record();
  s.desired = wish;
  x.adopt(s);
  return x;
}

}  // namespace

TEST_CASE("adopt: the record exists at once, and the command names the container", "[unit][core][fc-24]") {
  fixture x;
  const auto d = x.adopt(new_record());
  CHECK(x.s.status == server_status::creating);
  const auto* c = effect_in<send_command>(d);
  REQUIRE(c);
  CHECK(c->kind == command_kind::adopt);
  CHECK(c->original == "f0re1gn");
  CHECK(c->container_id.empty());
  CHECK(c->pull == pull_policy::if_missing);  // the image that ran, not a newer one
  CHECK(c->demand == data_demand::present);   // never with empty directories instead
  CHECK(x.s.op->original == "f0re1gn");
  x.progress("copying", 40);
  CHECK(x.s.status == server_status::creating);

  x.finish(saw(container_state::running));
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == "c0ffee");
  CHECK(!x.s.op);
}

TEST_CASE("adopt: a container that was stopped gives a stopped server", "[unit][core][fc-24]") {
  auto x = adopting(desired_state::stopped);
  x.finish(saw(container_state::created));
  CHECK(x.s.status == server_status::stopped);
  CHECK(x.s.desired == desired_state::stopped);
}

TEST_CASE("adopt: a failure that left nothing leaves no server, and its name and ports are free",
          "[unit][core][fc-24]") {
  for (auto code : {ec::engine_error, ec::cancelled}) {
    auto x = adopting();
    const auto op = x.s.op->id;
    auto r = told(x, saw_nothing(data_state::absent), trouble(code));
    r.untouched = true;
    const auto d = x.give(reported{r});
    CHECK(x.s.status == server_status::purged);
    CHECK(effect_in<forget>(d));
    const auto* end = fact_in<operation_ended>(d);
    REQUIRE(end);
    CHECK(end->id == op);
    CHECK(end->status == (code == ec::cancelled ? op_status::cancelled : op_status::failed));
    CHECK(end->failure.has_value() == (code != ec::cancelled));
  }
}

TEST_CASE("adopt: a failure that left something keeps the record for a user, and nothing starts it",
          "[unit][core][fc-24]") {
  struct row {
    const char* what;
    observation after;
    bool untouched;
    server_status then;
  };
  for (const auto& r : {row{"its copy", saw_nothing(data_state::present), false, server_status::missing},
                        row{"nobody knows", could_not_look(), false, server_status::missing},
                        row{"a container", saw(container_state::running), true, server_status::running}}) {
    INFO(r.what);
    auto x = adopting();
    x.s.recovery = recovery_policy::automatic;
    auto report = told(x, r.after, trouble());
    report.untouched = r.untouched;
    x.give(reported{report});
    CHECK(x.s.status == r.then);
    CHECK(x.s.desired == desired_state::stopped);
    CHECK(x.s.last_error);
    const auto later = x.see(r.after);
    CHECK(!effect_in<send_command>(later));  // no recovery
  }
  auto x = adopting();
  x.give(reported{told(x, saw_nothing(data_state::absent), trouble())});
  CHECK(code_of(x.ask(start_server{})) == "no_data");  // no silent start with empty directories
}

TEST_CASE("adopt: it goes on when the agent is back, and is withdrawn when it was given up", "[unit][core][fc-24]") {
  auto x = adopting();
  const auto sent = x.s.op->attempt;
  x.cx.agent_online = false;
  x.wait(7h);
  REQUIRE(x.s.op);
  CHECK(x.s.op->step == step_waiting);
  const auto back = x.agent_back();
  const auto* again = effect_in<send_command>(back);
  REQUIRE(again);
  CHECK(again->attempt == sent);
  CHECK(again->original == "f0re1gn");
  const auto over = x.wait(7h);
  CHECK(!x.s.op);
  CHECK(effect_in<withdraw_command>(over));
  CHECK(x.s.status == server_status::missing);
  CHECK(x.s.desired == desired_state::stopped);
}

TEST_CASE("adopt: it can be cancelled while its agent is connected", "[unit][core][fc-24]") {
  auto x = adopting();
  const auto d = x.give(cancel_requested{x.s.op->id, "ann"});
  CHECK(!d.refusal);
  CHECK(effect_in<withdraw_command>(d));
  REQUIRE(x.s.op);
  CHECK(x.s.op->step == "cancelling");
  x.cx.agent_online = false;
  CHECK(code_of(x.give(cancel_requested{x.s.op->id, "ann"})) == "agent_unreachable");
}

TEST_CASE("adopt, move: an agent that dies during the rollback is sent the cancellation again",
          "[unit][core][fc-23][fc-24]") {
  for (const bool adopts : {true, false}) {
    auto x = adopts ? adopting() : fixture(record());
    if (!adopts) x.ask(move_server{"", "/mnt/new"});
    x.give(cancel_requested{x.s.op->id, "ann"});
    x.progress("copying", 60);  // progress that was on its way
    CHECK(x.s.op->step == "cancelling");
    x.cx.agent_online = false;
    const auto back = x.agent_back();
    REQUIRE(back.effects.size() == 2);  // in this order
    CHECK(std::holds_alternative<send_command>(back.effects[0]));
    CHECK(std::holds_alternative<withdraw_command>(back.effects[1]));
    CHECK(x.s.op->step == "cancelling");
  }
}

TEST_CASE("adopt: while its agent is away nothing is begun", "[unit][core][fc-24]") {
  fixture x(blank(), false);
  CHECK(code_of(x.adopt(new_record())) == "agent_unreachable");
  CHECK(x.s.id.empty());
}
