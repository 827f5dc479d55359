// Short stories of commands without a report: their agent is lost, or their deadline has passed.
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

const purge_server purge_all{"", true, false, true};

std::string withdrawn(const decision& d) {
  const auto* w = effect_in<withdraw_command>(d);
  return w ? w->op.value : "";
}

fixture for_request(const server_request& r) {
  fixture x(record(std::holds_alternative<restore_server>(r) ? server_status::deleted : server_status::running));
  REQUIRE(!x.ask(r).refusal);
  return x;
}

}  // namespace

TEST_CASE("lost agent: a request that waits for an absent agent also waits when the agent leaves in the middle",
          "[unit][core][acc-51][acc-55][acc-60]") {
  struct row {
    server_request what;
    command_kind sent_again;
  };
  for (const auto& r : {row{stop_server{}, command_kind::stop}, row{remove_server{}, command_kind::remove},
                        row{restore_server{}, command_kind::run}, row{purge_all, command_kind::purge}}) {
    auto x = for_request(r.what);
    INFO(name_of(x.s.op->kind));
    const auto id = x.s.op->id;
    x.progress("stopping", 30);
    x.cx.agent_online = false;
    const auto d = x.wait(1h);
    REQUIRE(x.s.op);
    CHECK(x.s.op->id == id);
    CHECK(x.s.op->step == step_waiting);
    CHECK(x.s.op->deadline == x.cx.now + waiting_max);
    CHECK(d.effects.empty());
    const auto back = x.agent_back();
    const auto* c = effect_in<send_command>(back);
    REQUIRE(c);
    CHECK(c->kind == r.sent_again);
    CHECK(c->op == id);
    CHECK(c->attempt == 1);  // the agent repeats its report if it is done already
    CHECK(x.s.op->deadline < x.cx.now + waiting_max);
  }
}

TEST_CASE("lost agent: a request that is refused without an agent fails at its deadline when the agent leaves",
          "[unit][core][fc-10]") {
  for (const server_request& r : {server_request{restart_server{}}, server_request{rebuild_server{}}}) {
    auto x = for_request(r);
    const auto id = x.s.op->id.value;
    x.cx.agent_online = false;
    CHECK(withdrawn(x.wait(1h)) == id);
    CHECK(!x.s.op);
  }
}

TEST_CASE("lost agent: an operation whose agent never comes back is given up in the end", "[unit][core][fc-10]") {
  auto x = for_request(purge_all);
  const auto id = x.s.op->id.value;
  x.cx.agent_online = false;
  x.wait(1h);
  const auto d = x.wait(waiting_max);
  CHECK(!x.s.op);
  CHECK(fact_in<operation_ended>(d)->failure->code == ec::agent_unreachable);
  CHECK(withdrawn(d) == id);  // it had been sent
}

TEST_CASE("deadline: a command whose operation has ended is withdrawn from the agent", "[unit][core][acc-64]") {
  auto x = for_request(purge_all);
  const auto id = x.s.op->id.value;
  const auto d = x.wait(1h);
  CHECK(fact_in<operation_ended>(d)->failure->code == ec::timeout);
  CHECK(withdrawn(d) == id);
  CHECK(effect_in<request_sync>(d));

  fixture never(record(), false);  // nothing was sent, so nothing is withdrawn
  never.ask(remove_server{});
  CHECK(withdrawn(never.wait(waiting_max)) == "");
}

TEST_CASE("late report: one of a withdrawn or refused command without an observation changes nothing",
          "[unit][core][acc-30]") {
  fixture x(record());
  auto withdrawn_unseen = result_of({"o-past"}, could_not_look(), trouble(ec::cancelled));
  CHECK(x.give(reported{withdrawn_unseen}).facts.empty());
  CHECK(!x.s.stale);
}

TEST_CASE("cancel: a waiting restore goes back to deleted, with its full retention again", "[unit][core][fc-21]") {
  fixture x(record(server_status::deleted), false);
  x.ask(restore_server{});
  REQUIRE(x.s.status == server_status::missing);
  x.wait(48h);
  const auto d = x.give(cancel_requested{x.s.op->id, "ann"});
  CHECK(!d.refusal);
  CHECK(x.s.status == server_status::deleted);
  CHECK(x.s.desired == desired_state::deleted);
  CHECK(x.s.deleted_at == x.cx.now);
  CHECK(x.s.purge_at == x.cx.now + x.cx.retention);
}

TEST_CASE("cancel: a sent operation of a lost agent is given up, and withdrawn on the agent's return",
          "[unit][core][fc-21][acc-24]") {
  const server_request all[] = {purge_all, stop_server{}, remove_server{}, move_server{"", "/mnt/new"}};
  for (const auto& what : all) {
    auto x = for_request(what);
    const auto id = x.s.op->id;
    x.cx.agent_online = false;
    x.wait(24h);
    REQUIRE(x.s.op->step == step_waiting);
    CHECK(code_of(x.give(cancel_requested{id, "ann"})) == "ok");
    REQUIRE(!x.s.op);
    CHECK((x.s.status == server_status::running || x.s.status == server_status::deleted));
    REQUIRE(x.s.last_error);
    CHECK(mentions(x.s.last_error->message, {"given up by ann"}));
    const auto back = x.agent_back();
    REQUIRE(effect_in<withdraw_command>(back));
    CHECK(effect_in<withdraw_command>(back)->op == id);
    // It was done after all.
    x.give(seen{saw_nothing(data_state::absent), cause_kind::sync, {}});
    CHECK(x.s.data == data_state::absent);
  }
}

TEST_CASE("given up with its host: the record is removed without its agent", "[unit][core][acc-57]") {
  for (bool busy : {true, false}) {
    fixture x(record(), true);
    if (busy) x.ask(stop_server{});
    CHECK(code_of(x.give(given_up{"ann", "host1"})) == "wrong_state");  // its agent is connected
    x.cx.agent_online = false;
    const auto d = x.give(given_up{"ann", "host1"});
    CHECK(code_of(d) == "ok");
    CHECK(effect_in<forget>(d));
    CHECK(x.s.status == server_status::purged);
    REQUIRE(fact_in<server_purged>(d));
    CHECK_FALSE(fact_in<server_purged>(d)->data_removed);
    CHECK((fact_in<operation_ended>(d) != nullptr) == busy);
    if (busy) CHECK(mentions(fact_in<operation_ended>(d)->failure->message, {"host1", "given up by ann"}));
  }
}

TEST_CASE("refusal: a command that the agent did not begin is sent again instead of ending its operation",
          "[unit][core][acc-24]") {
  for (const auto kind :
       {agent_refusal::outdated, agent_refusal::lanes_full, agent_refusal::stopping, agent_refusal::withdrawn}) {
    INFO(name_of(kind));
    auto x = for_request(stop_server{});
    x.cx.term = 8;
    const auto id = x.s.op->id;
    auto r = result_of(id, could_not_look(), trouble(ec::not_leader));
    r.refusal = kind;
    for (const uint64_t term : {6, 8}) {
      r.term = term;
      const auto d = x.give(reported{r});
      CHECK(d.facts.empty());
      CHECK(effect_in<request_sync>(d));
      REQUIRE(x.s.op);
    }
    CHECK(effect_in<send_command>(x.agent_back())->op == id);
    x.finish(saw(container_state::exited));
    CHECK(x.s.status == server_status::stopped);
  }
}

TEST_CASE("refusal: an agent that cannot store ends operations of this term only, not of another",
          "[unit][core][acc-24]") {
  auto x = for_request(stop_server{});
  x.cx.term = 8;
  auto r = result_of(x.s.op->id, could_not_look(), trouble(ec::store_full));
  r.refusal = agent_refusal::not_kept;
  r.term = 6;
  CHECK(x.give(reported{r}).facts.empty());
  REQUIRE(x.s.op);
  r.term = 8;
  CHECK(fact_in<operation_ended>(x.give(reported{r}))->failure->code == ec::store_full);
}

TEST_CASE("refusal: a command cancelled before it began ends as cancelled, in the term that cancelled it",
          "[unit][core][move]") {
  fixture x(record(server_status::stopped));
  x.cx.term = 8;
  REQUIRE(!x.ask(move_server{"", "/mnt/new"}).refusal);
  const auto id = x.s.op->id;
  x.give(cancel_requested{id, "ann"});
  auto r = result_of(id, could_not_look(), trouble(ec::cancelled));
  r.refusal = agent_refusal::withdrawn;
  r.term = 6;
  CHECK(x.give(reported{r}).facts.empty());
  r.term = 8;
  CHECK(fact_in<operation_ended>(x.give(reported{r}))->status == op_status::cancelled);
}

TEST_CASE("report: finished work counts, whichever term of the manager requested it", "[unit][core][acc-24]") {
  auto x = for_request(stop_server{});
  x.cx.term = 8;
  auto r = result_of(x.s.op->id, saw(container_state::exited));
  r.term = 6;
  CHECK(fact_in<operation_ended>(x.give(reported{r}))->status == op_status::succeeded);
}

TEST_CASE("own operations: an id is not used again after the store was restored to an earlier revision",
          "[unit][core]") {
  const auto recovery = [](uint64_t term) {
    auto s = record(server_status::missing);
    s.recovery = recovery_policy::automatic;
    fixture x(s);
    x.cx.term = term;
    x.agent_back();
    return x.s.op.value().id;
  };
  CHECK(recovery(6) == recovery(6));
  CHECK(recovery(6) != recovery(8));
}
