// Short stories of one server: deleting, restoring and purging it.
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

const purge_server purge_all{"", true, false, true};
const purge_server purge_keeping{"", true, true, false};

send_command sent(const decision& d) {
  const auto* c = effect_in<send_command>(d);
  REQUIRE(c);
  return *c;
}

}  // namespace

TEST_CASE("rm: it marks the server, removes the container, and keeps record, name, ports and data",
          "[unit][core][acc-49]") {
  fixture x(record());
  const auto before = x.s;
  const auto c = sent(x.ask(remove_server{}));
  CHECK(x.s.status == server_status::deleting);
  CHECK(x.s.deleted_at == noon);
  CHECK(x.s.purge_at == noon + x.cx.retention);
  CHECK(c.kind == command_kind::remove);
  CHECK(!c.remove_data);
  x.finish(saw_nothing());
  CHECK(x.s.status == server_status::deleted);
  CHECK(x.s.container_id.empty());
  CHECK(x.s.name == before.name);
  CHECK(x.s.ports == before.ports);
  CHECK(x.s.data == data_state::present);
}

TEST_CASE("rm: with the agent away it is accepted, executed on its return, and never undone by an observation",
          "[unit][core][acc-51][fc-26]") {
  fixture x(record(), false);
  x.ask(remove_server{});
  CHECK(x.s.op->step == step_waiting);
  x.wait(48h);
  CHECK(x.s.status == server_status::deleting);
  x.see(saw(container_state::running));
  CHECK(x.s.status == server_status::deleting);
  CHECK(sent(x.agent_back()).kind == command_kind::remove);
  CHECK(x.s.op->step == "sent");
  x.finish(saw_nothing());
  CHECK(x.s.status == server_status::deleted);
}

TEST_CASE("rm: one that failed is tried again whenever the container is seen", "[unit][core][acc-51][fc-29]") {
  fixture x(record());
  x.ask(remove_server{});
  x.finish(saw(container_state::running), trouble());
  CHECK(x.s.status == server_status::deleting);
  CHECK(x.s.last_error);
  x.see(saw(container_state::running));
  REQUIRE(x.s.op);
  CHECK(x.s.op->kind == op_kind::remove);
  CHECK(x.s.op->actor == "system:reconcile");
  x.finish(saw_nothing());
  CHECK(x.s.status == server_status::deleted);
  CHECK(!x.s.last_error);
}

TEST_CASE("rm: one that timed out while the agent was away is still executed at the next observation",
          "[unit][core][acc-51][fc-26]") {
  fixture x(record(), false);
  x.ask(remove_server{});
  x.wait(waiting_max);
  CHECK(!x.s.op);
  CHECK(x.s.status == server_status::deleting);
  x.cx.agent_online = true;
  x.see(saw(container_state::running));
  REQUIRE(x.s.op);
  x.finish(saw_nothing());
  CHECK(x.s.status == server_status::deleted);
}

TEST_CASE("rm: a container of a deleted server that reappears is removed again",
          "[unit][core][acc-28][acc-51][fc-26]") {
  fixture x(record(server_status::deleted));
  x.see(saw(container_state::running));
  CHECK(x.s.status == server_status::deleting);
  REQUIRE(x.s.op);
  CHECK(x.s.op->kind == op_kind::remove);
  CHECK(x.s.desired == desired_state::deleted);
}

TEST_CASE("cancel: a request that still waits for its agent is undone completely", "[unit][core][fc-21]") {
  for (const server_request& r :
       {server_request{remove_server{}}, server_request{purge_all}, server_request{stop_server{}}}) {
    fixture x(record(), false);
    const auto before = x.s;
    x.ask(r);
    const auto d = x.give(cancel_requested{x.s.op->id, "ann"});
    CHECK(!d.refusal);
    CHECK(fact_in<operation_ended>(d)->status == op_status::cancelled);
    CHECK(x.s.status == before.status);
    CHECK(x.s.desired == before.desired);
    CHECK(x.s.deleted_at == never);
    CHECK(x.s.purge_at == never);
    CHECK(!x.s.op);
  }
}

TEST_CASE("cancel: an operation that the agent is working on is not cancelled", "[unit][core][fc-21]") {
  fixture x(record());
  x.ask(remove_server{});
  CHECK(code_of(x.give(cancel_requested{x.s.op->id, "ann"})) == "wrong_state");
  CHECK(code_of(x.give(cancel_requested{{"o-other"}, "ann"})) == "wrong_state");
  CHECK(x.s.op);
}

TEST_CASE("restore: from deleted to running in one request", "[unit][core][acc-52]") {
  fixture x(record(server_status::deleted));
  const auto c = sent(x.ask(restore_server{}));
  CHECK(x.s.deleted_at == never);
  CHECK(c.kind == command_kind::run);
  x.finish(saw(container_state::running));
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.desired == desired_state::running);
}

TEST_CASE("restore: when the container cannot be created the server is missing, and start recovers it",
          "[unit][core][acc-53]") {
  fixture x(record(server_status::deleted));
  x.ask(restore_server{});
  x.finish(saw_nothing(), trouble());
  CHECK(x.s.status == server_status::missing);
  CHECK(x.s.deleted_at == never);
  CHECK(code_of(x.ask(start_server{})) == "ok");
}

TEST_CASE("restore: without data gives missing and says how to start over", "[unit][core][acc-54]") {
  auto s = record(server_status::deleted);
  s.data = data_state::absent;
  fixture x(s);
  const auto d = x.ask(restore_server{});
  CHECK(!d.refusal);
  CHECK(x.s.status == server_status::missing);
  CHECK(!x.s.op);
  CHECK(mentions(fact_in<operation_ended>(d)->note, {"--fresh"}));
  CHECK(!effect_in<send_command>(d));

  fixture y(record(server_status::deleted));  // the data disappeared in between
  y.ask(restore_server{});
  const auto late = y.finish(saw_nothing(data_state::absent), trouble(ec::no_data));
  CHECK(y.s.status == server_status::missing);
  CHECK(fact_in<operation_ended>(late)->status == op_status::succeeded);
}

TEST_CASE("restore: with the agent away it is executed on its return", "[unit][core][acc-55][fc-33]") {
  fixture x(record(server_status::deleted), false);
  x.ask(restore_server{});
  CHECK(x.s.op->step == step_waiting);
  x.wait(48h);
  CHECK(sent(x.agent_back()).kind == command_kind::run);
  x.finish(saw(container_state::running));
  CHECK(x.s.status == server_status::running);
}

TEST_CASE("purge: it needs its confirmation and exactly one choice about the data", "[unit][core][acc-59]") {
  for (const auto& r : {purge_server{"", false, true, false}, purge_server{"", true, true, true},
                        purge_server{"", true, false, false}}) {
    fixture x(record(server_status::deleted));
    CHECK(code_of(x.ask(r)) == "bad_request");
    CHECK(x.s.status == server_status::deleted);
  }
}

TEST_CASE("purge: the record is removed last, after the agent has verified", "[unit][core][acc-57]") {
  fixture x(record());
  const auto d = x.ask(purge_all);
  CHECK(sent(d).kind == command_kind::purge);
  CHECK(sent(d).remove_data);
  CHECK(x.s.status == server_status::deleting);
  CHECK(!fact_in<server_purged>(d));
  const auto end = x.finish(saw_nothing(data_state::absent));
  REQUIRE(fact_in<server_purged>(end));
  CHECK(fact_in<server_purged>(end)->data_removed);
  CHECK(fact_in<server_purged>(end)->kept_path.empty());
  CHECK(effect_in<forget>(end));
  CHECK(x.s.status == server_status::purged);
}

TEST_CASE("purge: kept data is remembered by its path", "[unit][core][acc-58][fc-30]") {
  for (auto data : {data_state::present, data_state::unknown}) {  // unseen does not mean gone
    fixture x(record());
    CHECK(!sent(x.ask(purge_keeping)).remove_data);
    const auto end = x.finish(saw_nothing(data));
    CHECK(fact_in<server_purged>(end)->kept_path == "/srv/zedops/pz-one");
    CHECK(!fact_in<server_purged>(end)->data_removed);
  }
  fixture none(record());
  none.ask(purge_keeping);
  const auto end = none.finish(saw_nothing(data_state::absent));
  CHECK(fact_in<server_purged>(end)->kept_path.empty());
}

TEST_CASE("purge: after a failed one the server is back with the reason", "[unit][core][acc-57][fc-29]") {
  fixture x(record());
  x.ask(purge_all);
  x.finish(saw_nothing(), trouble());
  CHECK(x.s.status == server_status::missing);
  CHECK(x.s.desired == desired_state::running);
  CHECK(x.s.last_error);

  fixture y(record(server_status::deleted));
  y.ask(purge_all);
  y.finish(saw_nothing(), trouble());
  CHECK(y.s.status == server_status::deleted);
  CHECK(y.s.desired == desired_state::deleted);
  CHECK(y.s.purge_at != never);
}

TEST_CASE("purge: with the agent away it waits, and the record does not claim that anything is removed",
          "[unit][core][acc-60][fc-28]") {
  fixture x(record(), false);
  x.ask(purge_all);
  x.wait(48h);
  CHECK(x.s.status == server_status::deleting);
  CHECK(x.s.op->step == step_waiting);
  CHECK(sent(x.agent_back()).remove_data);
  x.finish(saw_nothing(data_state::absent));
  CHECK(x.s.status == server_status::purged);
}

TEST_CASE("retention: a deleted server is purged with its data when the time is over", "[unit][core][acc-62][fc-60]") {
  fixture x(record());
  x.ask(remove_server{});
  x.finish(saw_nothing());
  CHECK(next_due(x.s) == noon + x.cx.retention);
  CHECK(x.wait(x.cx.retention - 1ms).facts.empty());
  const auto c = sent(x.wait(1ms));
  CHECK(c.kind == command_kind::purge);
  CHECK(c.remove_data);
  CHECK(x.s.op->actor == "system:retention");
  x.finish(saw_nothing(data_state::absent));
  CHECK(x.s.status == server_status::purged);
}

TEST_CASE("retention: it waits for an agent that is away", "[unit][core][acc-63]") {
  fixture x(record(server_status::deleted), false);
  CHECK(x.wait(48h).facts.empty());
  CHECK(x.s.status == server_status::deleted);
  x.cx.agent_online = true;
  x.wait(0ms);
  CHECK(x.s.op);
}

TEST_CASE("retention: a purge that failed is tried again later, not at once", "[unit][core][acc-63]") {
  fixture x(record(server_status::deleted));
  x.wait(48h);
  x.finish(saw_nothing(), trouble(ec::data_unknown));
  REQUIRE(x.s.status == server_status::deleted);
  CHECK(next_due(x.s) > x.cx.now);
  CHECK(x.wait(0ms).facts.empty());
  x.wait(next_due(x.s) - x.cx.now);
  REQUIRE(x.s.op);
  CHECK(x.s.op->kind == op_kind::purge);
}

TEST_CASE("retention: a server restored before the deadline is not purged by a timer that was set before",
          "[unit][core][acc-64][fc-13]") {
  const auto s = record(server_status::deleted);
  fixture x(s);
  x.cx.now = s.purge_at - 1s;
  x.ask(restore_server{});
  x.finish(saw(container_state::running));
  x.cx.now = s.purge_at;
  CHECK(x.give(tick{}).facts.empty());
  CHECK(x.s.status == server_status::running);
  CHECK(next_due(x.s) == never);
}

TEST_CASE("retention: a clock that was set back purges nothing", "[unit][core][fc-62]") {
  fixture x(record(server_status::deleted));
  x.cx.now = noon - 30 * 24h;
  CHECK(x.give(tick{}).facts.empty());
}

TEST_CASE("plan: it lists what would happen without doing it", "[unit][core][acc-59]") {
  const auto s = record();
  context cx;
  cx.now = noon;
  cx.agent_online = true;
  const auto d = decide(s, requested{purge_all, {{"o1"}, "ann", {}, 1}}, cx);
  std::string text;
  for (const auto& line : plan_text(s, d)) text += line + "\n";
  CHECK(mentions(text, {"running -> deleting", "purge container c0ffee", "remove all data"}));
}
