// Short stories of one server whose data is moved to another root.
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

const move_server to_new{"", "/mnt/new"};

command_result switched_report(const fixture& x, observation after) {
  auto r = result_of(x.s.op.value().id, std::move(after));
  r.attempt = x.s.op->attempt;
  r.data_root = "/mnt/new";
  return r;
}

}  // namespace

TEST_CASE("move: the record names the new root before the old tree may be removed", "[unit][core][fc-23]") {
  fixture x(record());
  const auto asked = x.ask(to_new);
  const auto* c = effect_in<send_command>(asked);
  REQUIRE(c);
  CHECK(c->kind == command_kind::move);
  CHECK(c->data_from == "/srv/zedops");
  CHECK(c->data_to == "/mnt/new");
  CHECK(c->container_id == "c0ffee");
  CHECK(x.s.data_path == "/srv/zedops");
  x.progress("copying", 40);
  CHECK(x.s.data_path == "/srv/zedops");

  const auto d = x.give(reported{switched_report(x, saw(container_state::running, data_state::present, "new1d"))});
  CHECK(x.s.data_path == "/mnt/new");
  CHECK(x.s.container_id == "new1d");
  REQUIRE(x.s.op);
  CHECK(x.s.op->step == "cleaning");
  const auto* clean = effect_in<send_command>(d);
  REQUIRE(clean);
  CHECK(clean->kind == command_kind::drop_source);
  CHECK(clean->attempt == 2);
  CHECK(clean->data_from == "/srv/zedops");
  CHECK(effect_in<watch>(d));  // its agent has to observe the new tree from now on

  x.finish(saw(container_state::running, data_state::present, "new1d"));
  CHECK(!x.s.op);
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.desired == desired_state::running);
  CHECK(x.s.data_path == "/mnt/new");
}

TEST_CASE("move: a stopped server stays stopped, a missing one missing", "[unit][core][fc-23]") {
  fixture stopped(record(server_status::stopped));
  stopped.ask(to_new);
  stopped.give(reported{switched_report(stopped, saw(container_state::created, data_state::present, "new1d"))});
  stopped.finish(saw(container_state::created, data_state::present, "new1d"));
  CHECK(stopped.s.status == server_status::stopped);
  CHECK(stopped.s.desired == desired_state::stopped);
  CHECK(stopped.s.data_path == "/mnt/new");

  auto missing = missing_server();
  missing.ask(to_new);
  missing.give(reported{switched_report(missing, saw_nothing())});
  missing.finish(saw_nothing());
  CHECK(missing.s.status == server_status::missing);
  CHECK(missing.s.data_path == "/mnt/new");
}

TEST_CASE("move: after a failure the old path and the old container remain", "[unit][core][fc-23]") {
  fixture x(record());
  x.ask(to_new);
  x.finish(saw(container_state::running), trouble(ec::store_full));
  CHECK(!x.s.op);
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.data_path == "/srv/zedops");
  CHECK(x.s.last_error->code == ec::store_full);
}

TEST_CASE("move: an unsuitable data path is refused with the reason", "[unit][core][fc-23]") {
  struct row {
    const char* path;
    const char* word;
  };
  for (const auto& r :
       {row{"/etc/zedops", "belongs to the system"}, row{"relative", "not absolute"}, row{"/mnt/../etc", "component"},
        row{"/", "root of the file system"}, row{"", "not absolute"}, row{"/srv/zedops", "already"},
        row{"/srv//zedops/", "already"}, row{"/srv/zedops/pz-one/sub", "would move"}}) {
    fixture x(record());
    const auto d = x.ask(move_server{"", r.path});
    INFO(r.path);
    REQUIRE(d.refusal);
    CHECK(d.refusal->code == ec::bad_request);
    CHECK(mentions(d.refusal->message, {r.word}));
    CHECK(x.s.data_path == "/srv/zedops");
    CHECK(!effect_in<send_command>(d));
  }
}

TEST_CASE("move: without a container it needs data that was seen", "[unit][core][fc-23]") {
  auto none = missing_server(data_state::absent);
  CHECK(code_of(none.ask(to_new)) == "no_data");
  auto unknown = missing_server(data_state::unknown);
  CHECK(code_of(unknown.ask(to_new)) == "data_unknown");
}

TEST_CASE("move: it can be cancelled until the switch, and ends as cancelled when everything is rolled back",
          "[unit][core][fc-23][fc-21]") {
  fixture x(record());
  x.ask(to_new);
  x.progress("copying", 40);
  const auto id = x.s.op->id;
  const auto d = x.give(cancel_requested{id, "ann"});
  CHECK(!d.refusal);
  REQUIRE(effect_in<withdraw_command>(d));
  CHECK(x.s.op);  // until its agent has rolled everything back
  const auto ended = x.finish(saw(container_state::running), trouble(ec::cancelled));
  CHECK(fact_in<operation_ended>(ended)->status == op_status::cancelled);
  CHECK(x.s.data_path == "/srv/zedops");
  CHECK(!x.s.last_error);

  fixture late(record());
  late.ask(to_new);
  late.give(reported{switched_report(late, saw(container_state::running, data_state::present, "new1d"))});
  const auto refused = late.give(cancel_requested{late.s.op->id, "ann"});
  CHECK(code_of(refused) == "wrong_state");
  CHECK(late.s.op);
}

TEST_CASE("move: while its agent is away it waits, and goes on with the command due next", "[unit][core][fc-23]") {
  for (bool switched : {false, true}) {
    fixture x(record());
    x.ask(to_new);
    if (switched) x.give(reported{switched_report(x, saw(container_state::running, data_state::present, "new1d"))});
    x.cx.agent_online = false;
    x.wait(24h);
    REQUIRE(x.s.op);
    CHECK(x.s.op->step == step_waiting);
    const auto back = x.agent_back();
    const auto* c = effect_in<send_command>(back);
    REQUIRE(c);
    CHECK(c->kind == (switched ? command_kind::drop_source : command_kind::move));
    CHECK(c->attempt == (switched ? 2u : 1u));
  }
}

TEST_CASE("move: a repeated report of the copy does not count as the end", "[unit][core][fc-23]") {
  fixture x(record());
  x.ask(to_new);
  const auto report = switched_report(x, saw(container_state::running, data_state::present, "new1d"));
  x.give(reported{report});
  const auto again = x.give(reported{report});
  CHECK(again.facts.empty());
  CHECK(again.effects.empty());
  CHECK(x.s.op);
}

TEST_CASE("move: an old tree that cannot be removed does not fail the move, and is named", "[unit][core][fc-23]") {
  fixture x(record());
  x.ask(to_new);
  x.give(reported{switched_report(x, saw(container_state::running, data_state::present, "new1d"))});
  const auto d = x.finish(saw(container_state::running, data_state::present, "new1d"), trouble(ec::forbidden));
  const auto* e = fact_in<operation_ended>(d);
  REQUIRE(e);
  CHECK(e->status == op_status::succeeded);
  CHECK(mentions(e->note, {"/srv/zedops/pz-one", "by hand"}));
  CHECK(x.s.data_path == "/mnt/new");
}

TEST_CASE("move: a late report that the agent had switched is accepted, unless something has succeeded since",
          "[unit][core][fc-23]") {
  fixture x(record());
  x.ask(to_new);
  const auto report = switched_report(x, saw(container_state::running, data_state::present, "new1d"));
  x.wait(24h);
  REQUIRE(!x.s.op);
  REQUIRE(x.s.data_path == "/srv/zedops");
  x.give(reported{report});
  CHECK(x.s.data_path == "/mnt/new");

  fixture later(record());  // something has succeeded since: the old report is ignored
  later.ask(to_new);
  const auto old = switched_report(later, saw(container_state::running, data_state::present, "new1d"));
  later.wait(24h);
  later.ask(restart_server{});
  later.finish(saw(container_state::running));
  later.give(reported{old});
  CHECK(later.s.data_path == "/srv/zedops");
}

TEST_CASE("move: a dry run lists what is copied where and what is removed", "[unit][core][fc-23]") {
  auto s = record();
  s.data_bytes = 3 << 20;
  fixture x(s);
  const auto before = x.s;
  const auto d = decide(before, requested{to_new, {{"o1"}, "ann", {}, 1}}, x.cx);
  std::string text;
  for (const auto& line : plan_text(before, d)) text += line + "\n";
  CHECK(mentions(text, {"stop it", "/srv/zedops/pz-one (3.0 MiB", "/mnt/new/pz-one", "size and hash", "then remove"}));
}
