// Short stories of one server: how it is created, and what is refused.
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

TEST_CASE("create: answers with an operation at once and runs when the agent says so", "[unit][core][acc-4][acc-1]") {
  fixture x;
  const auto d = x.create(new_record());
  REQUIRE(!d.refusal);
  REQUIRE(x.s.status == server_status::creating);
  REQUIRE(x.s.op);
  CHECK(x.s.op->kind == op_kind::create);
  CHECK(x.s.deleted_at == never);
  CHECK(x.s.data == data_state::unknown);
  const auto* c = effect_in<send_command>(d);
  REQUIRE(c);
  CHECK(c->kind == command_kind::run);
  CHECK(c->demand == data_demand::any);
  CHECK(effect_in<watch>(d));

  x.finish(saw(container_state::running));
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == "c0ffee");
  CHECK(!x.s.op);
}

TEST_CASE("create: a failure leaves failed with the reason, and an observation does not clear it",
          "[unit][core][acc-46][fc-16][fc-47]") {
  auto x = created_server();
  x.finish(saw_nothing(data_state::empty), trouble(ec::pull_failed));
  REQUIRE(x.s.status == server_status::failed);
  REQUIRE(x.s.last_error);
  CHECK(x.s.last_error->code == ec::pull_failed);
  x.see(saw_nothing(data_state::empty));
  CHECK(x.s.status == server_status::failed);
  CHECK(x.s.last_error);

  const auto before = x.s;
  x.ask(start_server{});
  REQUIRE(x.s.op);
  CHECK(x.s.op->fresh);
  x.finish(saw(container_state::running));
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.id == before.id);
  CHECK(x.s.name == before.name);
  CHECK(x.s.ports == before.ports);
  CHECK(!x.s.last_error);
}

TEST_CASE("create: while its agent is away it is refused and leaves nothing", "[unit][core][acc-7]") {
  fixture x(blank(), false);
  CHECK(code_of(x.create(new_record())) == "agent_unreachable");
  CHECK(x.s.id.empty());
}

TEST_CASE("create: a restarted manager sends the same command again, never a second one",
          "[unit][core][acc-48][fc-10]") {
  auto x = created_server();
  fixture reborn(x.s);  // the record is all that a restart has
  const auto d = reborn.agent_back();
  const auto* c = effect_in<send_command>(d);
  REQUIRE(c);
  CHECK(c->op == x.s.op->id);
  CHECK(c->attempt == 1);
  auto same = command_for(x.s, *x.s.op, x.cx);
  same.again = true;
  CHECK(*c == same);
  CHECK(d.facts.empty());
}

TEST_CASE("create: a server does not stay creating for ever", "[unit][core][acc-48][fc-10]") {
  auto x = created_server();
  const auto time_max = row_of(op_kind::create).time_max;
  CHECK(next_due(x.s) == noon + time_max);
  x.wait(time_max - 1ms);
  CHECK(x.s.status == server_status::creating);
  const auto d = x.wait(1ms);
  CHECK(x.s.status == server_status::failed);
  CHECK(x.s.last_error->code == ec::timeout);
  CHECK(effect_in<request_sync>(d));
}

TEST_CASE("create: while a pull reports progress it is not given up, a silent one is", "[unit][core][fc-11][fc-18]") {
  auto x = created_server();
  for (uint32_t minute = 0; minute < 60; ++minute) {
    x.wait(1min);
    REQUIRE(x.s.op);
    x.progress("pulling", minute);
  }
  CHECK(x.s.op->progress == 59);
  CHECK(x.s.op->step == "pulling");
  x.wait(stall_max);
  CHECK(!x.s.op);
  CHECK(mentions(x.s.last_error->message, {"pulling"}));
}

TEST_CASE("create: a result that comes after the deadline still counts", "[unit][core][fc-11][acc-31]") {
  auto x = created_server();
  const auto op = x.s.op->id;
  x.wait(1h);
  REQUIRE(x.s.status == server_status::failed);
  const auto d = x.give(reported{result_of(op, saw(container_state::running))});
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == "c0ffee");
  CHECK(!x.s.last_error);
  CHECK(d.why.kind == cause_kind::report);
}

TEST_CASE("create: for an existing record it is refused with a remedy", "[unit][core][acc-5][acc-100]") {
  fixture x(record());
  const auto d = x.create(new_record());
  CHECK(code_of(d) == "already_exists");
  CHECK(!d.refusal->hint.empty());
}

TEST_CASE("refusal: it names the state and what is permitted in it", "[unit][core][acc-7][acc-44]") {
  auto x = missing_server();
  const auto d = x.ask(restart_server{});
  REQUIRE(d.refusal);
  CHECK(mentions(d.refusal->message, {"missing", "running"}));
  CHECK(mentions(d.refusal->hint, {"start", "recreate", "rm"}));
  CHECK(!mentions(d.refusal->hint, {"stop"}));
}

TEST_CASE("request: a repeated one is answered with the same operation", "[unit][core][acc-6]") {
  fixture x(record());
  const requested r{stop_server{}, {{"o-same"}, "ann", "key", 5}};
  x.give(r);
  const auto before = x.s;
  const auto again = x.give(r);
  CHECK(!again.refusal);
  CHECK(again.facts.empty());
  CHECK(x.s == before);
}

TEST_CASE("request: a key that was used for another request is refused, each time with its own audit record",
          "[unit][core][acc-9]") {
  fixture x(record());
  x.give(requested{stop_server{}, {{"o-same"}, "ann", "key", 5}});
  std::vector<std::string> subjects;
  for (int i = 0; i < 2; ++i) {
    const auto d = x.give(requested{restart_server{}, {{"o-same"}, "ann", "key", 6}});
    CHECK(code_of(d) == "bad_request");
    REQUIRE(x.log.back().facts.size() == 1);
    subjects.push_back(x.log.back().facts.front().subject);
    CHECK(x.log.back().facts.front().subject_seq == 1);
  }
  CHECK(subjects[0] != subjects[1]);
  CHECK(subjects[0] != "operation.o-same");
  CHECK(x.s.op->id.value == "o-same");
}
