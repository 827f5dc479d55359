// A kind of entity that the manager does not know goes through all of it: journal, catalog, registry, its actor,
// supervision, deadlines, operations, events, history, time travel, recovery, trimming.
#include "tests/sim/note/note.hpp"

#include <caf/all.hpp>

#include "actors/manager/entities/entity_shell.hpp"
#include "actors/manager/records/as_of.hpp"
#include "tests/sim/support/world_fixture.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::sim;
using namespace std::chrono_literals;
using namespace zedops::msg;

namespace {

size_t rings = 0;
bool crash_next = false;

struct note_shell : manager::entity_shell<note_shell, note::note, note::ring> {
  note::context context_for(const note::input&) const { return {world->clock.now()}; }
  note::decision decide(const note::input& what, const note::context& cx) const {
    if (std::exchange(crash_next, false)) throw std::runtime_error("as the test wants it");
    return note::decide(model(), what, cx);
  }
  std::vector<std::string> plan_text(const note::decision& d) const {
    return {std::to_string(d.facts.size()) + " facts"};
  }
  void run(const note::ring&) const { ++rings; }
};

const extra_kind notes{
    {&rt::kind_of<note::note>, store::table::claims, manager::spawn_entity<note_shell>},
    []() -> std::unique_ptr<manager::any_records> { return std::make_unique<manager::records_of<note::note>>(); }};

struct with_notes : world {
  with_notes() {
    more_kinds.push_back(notes);
    audit.enabled = false;  // the auditor checks servers and agents only
    rings = 0;
    crash_next = false;
    boot();
    settle();
  }
  rt::entity_reply tell(const std::string& id, note::input what, bool makes = false, bool dry_run = false) {
    rt::entity_call call{id, std::any(std::move(what)), dry_run};
    call.makes = makes;
    auto registry = manager->node().registry();
    caf::scoped_actor self{caf::actor_cast<caf::actor>(registry)->home_system(), true};
    auto answer = self->request(registry, caf::infinite, std::move(call));
    settle();
    rt::entity_reply out;
    answer.receive([&](rt::entity_reply& r) { out = std::move(r); },
                   [&](const caf::error& e) {
                     out.failure = error{ec::internal, to_string(e), "", {}};
                   });
    return out;
  }
  rt::entity_reply write(const std::string& id, const std::string& text, duration after = 5s) {
    return tell(id, note::write{id, text, {"o-" + id}, after}, true);
  }
  std::shared_ptr<const note::note> at(const std::string& id) { return records().find<note::note>(id); }
};

}  // namespace

TEST_CASE_METHOD(with_notes, "note: written, due, published and burnt, and every view of the manager shows it",
                 "[sim][manager]") {
  auto made = write("n1", "hello");
  REQUIRE_FALSE(made.failure);
  REQUIRE(made.operation.has_value());
  CHECK(made.operation->target.value == "n1");
  CHECK(at("n1")->text == "hello");
  CHECK(records().operation_owner({"o-n1"}).id() == "n1");
  auto op = ask<operation_view>("op.get", get_operation{"o-n1"});
  REQUIRE(op.has_value());
  CHECK(op->status == op_status::accepted);
  const auto wait = send("op.wait", wait_operation{"o-n1"});
  const auto written = wall.now();
  advance(6s);  // the sweeper's tick
  CHECK(at("n1")->published);
  CHECK(rings == 1);
  auto ended = answer<operation_view>(wait);
  REQUIRE(ended.has_value());
  CHECK(ended->status == op_status::succeeded);
  auto list = ask<operation_list>("op.ls", list_operations{});
  REQUIRE(list.has_value());
  CHECK(list->operations.size() == 1);

  auto replay = ask<event_page>("event.replay", replay_events{{}, "note.n1", {}, 100});
  REQUIRE(replay.has_value());
  CHECK(replay->events.size() == 1);
  auto chain = manager::recent_entries(manager->world(), at("n1"), 10);
  REQUIRE(chain.has_value());
  CHECK(chain->entries.size() == 2);
  auto then = manager::record_at(manager->world(), at("n1"), "n1", written);
  REQUIRE(then.has_value());
  CHECK_FALSE(then->as<note::note>()->published);
  CHECK(then->as<note::note>()->op.has_value());

  REQUIRE_FALSE(tell("n1", note::burn{}).failure);
  CHECK(tell("n1", core::tick{}).failure->code == ec::not_found);
  CHECK_FALSE(write("n2", "hello").failure);  // its text is free again
}

TEST_CASE_METHOD(with_notes, "note: a text in use, a wrong input and a dry run change nothing", "[sim][manager]") {
  REQUIRE_FALSE(write("n1", "hello").failure);
  const auto before = manager->world().last_seq.load();
  auto second = write("n2", "hello");
  REQUIRE(second.failure);
  CHECK(second.failure->message.find("another note says 'hello'") != std::string::npos);
  auto dry = tell("n3", note::write{"n3", "other", {"o-n3"}, 1s}, true, true);
  CHECK(dry.plan == std::vector<std::string>{"1 facts"});
  CHECK_FALSE(at("n3"));
  auto again = write("n1", "more");
  CHECK(again.failure->code == ec::already_exists);
  rt::entity_call foreign{std::string("n1"), std::any(core::input{core::tick{}})};
  caf::anon_send(manager->node().registry(), std::move(foreign));
  settle();
  CHECK(manager->world().last_seq.load() == before);
}

TEST_CASE_METHOD(with_notes, "note: op.cancel cancels it like any operation", "[sim][manager]") {
  REQUIRE_FALSE(write("n1", "hello", 1h).failure);
  auto cancelled = ask<operation_view>("op.cancel", cancel_operation{"o-n1"});
  REQUIRE(cancelled.has_value());
  CHECK(cancelled->status == op_status::cancelled);
  CHECK_FALSE(at("n1")->published);
}

TEST_CASE_METHOD(with_notes, "note: it survives a crash of its actor and of the manager", "[sim][manager]") {
  REQUIRE_FALSE(write("n1", "hello", 20s).failure);
  crash_next = true;
  CHECK(tell("n1", core::tick{}).failure);
  advance(2s);
  CHECK_FALSE(tell("n1", core::tick{}).failure);
  CHECK(manager->world().actor_restarts == 1);
  crash_manager();
  boot();
  settle();
  REQUIRE(at("n1"));
  CHECK(at("n1")->op.has_value());
  CHECK(records().operation_owner({"o-n1"}).id() == "n1");
  CHECK(write("n2", "hello").failure->code == ec::already_exists);
  advance(25s);
  CHECK(at("n1")->published);
  CHECK_FALSE(at("n1")->op);
}

TEST_CASE_METHOD(with_notes, "note: a removed note leaves the store when its history was trimmed", "[sim][manager]") {
  REQUIRE_FALSE(write("n1", "hello").failure);
  REQUIRE_FALSE(tell("n1", note::burn{}).failure);
  REQUIRE(at("n1"));
  for (int i = 0; i < 20; ++i) REQUIRE_FALSE(write("n1" + std::to_string(i), std::to_string(i)).failure);
  manager->world().rules.change([](auto& r) { r.history_max = 5; });
  advance(200s);
  CHECK_FALSE(at("n1"));
  CHECK(at("n10"));
}
