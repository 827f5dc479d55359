#include "actors/agent/agent_state.hpp"

#include "persistence/memory_store.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::agent;
using namespace zedops::msg;

namespace {

std::unique_ptr<agent_state> reopen(store::memory_store& s, uint64_t random = 1) {
  return std::move(agent_state::open(s, random, random).value());
}

run_command command(const std::string& op, uint32_t attempt = 1) {
  run_command c;
  c.op = {op};
  c.attempt = attempt;
  c.server = {"s1"};
  return c;
}

command_result result_of(const run_command& c, const std::string& note) {
  command_result r;
  r.op = c.op;
  r.attempt = c.attempt;
  r.server = c.server;
  r.note = note;
  r.after.container = presence::present;
  r.after.view.id = "c1";
  return r;
}

}  // namespace

TEST_CASE("agent state: identity, manager and roots outlive the process", "[unit][agent][fc-41]") {
  store::memory_store s;
  auto id = reopen(s, 1)->id();
  CHECK_FALSE(id.empty());
  auto state = reopen(s, 2);
  CHECK(state->id() == id);
  CHECK(state->manager_id().empty());
  REQUIRE(state->belong_to("m1"));
  CHECK(state->belong_to("m1"));
  auto other = state->belong_to("m2");
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ec::wrong_state);
  CHECK_FALSE(state->used_root("/srv"));
  REQUIRE(state->remember_root("/srv"));
  auto again = reopen(s);
  CHECK(again->manager_id() == "m1");
  CHECK(again->used_root("/srv"));
}

TEST_CASE("agent state: the highest term counts, also after a restart", "[unit][agent][fc-54]") {
  store::memory_store s;
  REQUIRE(reopen(s)->obey(7));
  auto state = reopen(s);
  CHECK(state->term() == 7);
  CHECK(state->obey(7));
  auto lower = state->obey(6);
  REQUIRE_FALSE(lower);
  CHECK(lower.error().code == ec::not_leader);
  CHECK(state->obey(8));
}

TEST_CASE("agent state: the journal distinguishes begun from done, keeps notes, and survives", "[unit][agent][fc-10]") {
  store::memory_store s;
  {
    auto state = reopen(s);
    CHECK_FALSE(state->find({"op1"}));
    REQUIRE(state->begin(command("op1")));
    REQUIRE(state->note({"op1"}, "was\nrunning"));
  }
  auto state = reopen(s);
  auto e = state->find({"op1"});
  REQUIRE(e);
  CHECK_FALSE(e->result);
  CHECK(e->note == "was\nrunning");
  REQUIRE(state->begin(command("op1", 2)));
  CHECK(state->find({"op1"})->note == "was\nrunning");
  REQUIRE(state->finish(result_of(command("op1", 2), "done")));
  auto done = reopen(s)->find({"op1"});
  REQUIRE(done->result);
  CHECK(done->attempt == 2);
  CHECK(done->result->note == "done");
  CHECK(done->result->after.view.id == "c1");
}

TEST_CASE("agent state: the journal is bounded, and what has not ended is never forgotten", "[unit][agent]") {
  store::memory_store s;
  auto state = reopen(s);
  REQUIRE(state->begin(command("open")));
  for (size_t i = 0; i < journal_max + 20; ++i) {
    auto c = command("op" + std::to_string(i));
    REQUIRE(state->begin(c));
    REQUIRE(state->finish(result_of(c, {})));
  }
  auto again = reopen(s);
  CHECK(again->find({"open"}));
  CHECK_FALSE(again->find({"op0"}));
  CHECK(again->find({"op" + std::to_string(journal_max + 19)}));
  CHECK(s.begin_read().value()->count(store::table::operations) <= journal_max + 1);
}

TEST_CASE("agent state: interrupted commands that are never repeated take no room from results", "[unit][agent]") {
  store::memory_store s;
  {
    auto state = reopen(s);
    for (size_t i = 0; i < journal_max + 20; ++i) REQUIRE(state->begin(command("cut" + std::to_string(i))));
    CHECK(state->find({"cut0"}));  // all of them run
  }
  auto state = reopen(s);
  for (const auto* op : {"a", "b", "c"}) {
    REQUIRE(state->begin(command(op)));
    REQUIRE(state->finish(result_of(command(op), {})));
  }
  REQUIRE(state->begin(command("now")));
  for (const auto* op : {"a", "b", "c"}) CHECK(state->find({op}));
  CHECK(state->find({"now"}));
  CHECK_FALSE(state->find({"cut0"}));
  CHECK(state->find({"cut" + std::to_string(journal_max + 19)}));  // it may be given again
  CHECK(s.begin_read().value()->count(store::table::operations) <= journal_max);
}

TEST_CASE("agent state: for an interrupted move the journal has what its rollback needs, and no secret",
          "[unit][agent][fc-23]") {
  auto c = command("op1");
  c.kind = command_kind::move;
  c.source.root = "/srv";
  c.plan.data.root = "/mnt";
  c.plan.data.name = "arena";
  c.plan.container.name = "box";
  c.plan.container.env = {{"PASSWORD", "hunter2"}};
  c.plan.stop.rcon.password = "hunter2";
  store::memory_store s;
  {
    auto state = reopen(s);
    REQUIRE(state->begin(c));
    REQUIRE(state->note(c.op, "was running"));
    CHECK(state->cut_short().empty());  // it runs
    CHECK(state->left_copies("arena").empty());
    std::string bytes;
    REQUIRE(s.begin_read().value()->scan(
        store::table::operations, {}, store::direction::forward,
        [&](std::string_view, std::string_view value) { return bytes = value, true; },
        [](const store::corrupt_record&) {}));
    CHECK(bytes.find("arena") != std::string::npos);
    CHECK(bytes.find("hunter2") == std::string::npos);
  }
  auto state = reopen(s);
  REQUIRE(state->cut_short().size() == 1);
  const auto cut = state->cut_short()[0];
  CHECK(cut.note == "was running");
  CHECK(cut.command->source.root == "/srv");
  CHECK(cut.command->plan.data.root == "/mnt");
  CHECK(cut.command->plan.container.name == "box");
  CHECK(state->left_copies("arena").size() == 1);
  CHECK(state->left_copies("are").empty());
  SECTION("not once another command of its server has ended") {
    REQUIRE(state->begin(command("op2")));
    REQUIRE(state->finish(result_of(command("op2"), {})));
    CHECK(state->cut_short().empty());
    CHECK(reopen(s)->cut_short().empty());
  }
  SECTION("given again, it runs") {
    REQUIRE(state->begin(c));
    CHECK(state->cut_short().empty());
    REQUIRE(state->finish(result_of(c, {})));
    CHECK(reopen(s)->left_copies("arena").empty());
  }
  SECTION("failed, its copy is remembered until it is gone") {
    REQUIRE(state->begin(c));
    auto failed = result_of(c, {});
    failed.failure = error{ec::engine_error, "away", {}, {}};
    const bool gone = GENERATE(true, false);
    if (gone) state->forget_copy(c.op);
    REQUIRE(state->finish(failed));
    auto again = reopen(s);
    CHECK(again->cut_short().empty());
    CHECK(again->left_copies("arena").size() == (gone ? 0U : 1U));
    CHECK(again->find(c.op)->result->failure->message == "away");
  }
}

TEST_CASE("agent state: a full disk refuses new runs, but not stops", "[unit][agent][fc-63]") {
  store::memory_store s;
  auto state = reopen(s);
  s.set_disk(store::disk::is_full);
  auto run = state->begin(command("run"));
  REQUIRE_FALSE(run);
  CHECK(run.error().code == ec::store_full);
  auto stop = command("stop");
  stop.kind = command_kind::stop;
  CHECK(state->begin(stop));
}

TEST_CASE("agent state: a damaged journal entry is forgotten, so its command is executed again", "[unit][agent]") {
  store::memory_store s;
  {
    auto state = reopen(s);
    for (auto op : {"op1", "op2"}) {
      REQUIRE(state->begin(command(op)));
      REQUIRE(state->finish(result_of(command(op), {})));
    }
  }
  s.damage(store::table::operations, "op1");
  auto state = reopen(s);
  CHECK_FALSE(state->find({"op1"}));
  CHECK(state->find({"op2"}));
}

TEST_CASE("agent state: whatever was damaged is named for the log", "[unit][agent][fc-25]") {
  store::memory_store s;
  incident fell;
  fell.server = {"s1"};
  {
    auto state = reopen(s);
    REQUIRE(state->remember_root("/srv"));
    REQUIRE(state->begin(command("op1")));
    state->guards().watch({{"s1"}, {}, "zedops-s1", {}, {}, true, 0});
    state->guards().add(fell);
    REQUIRE(state->guards().flush());
    CHECK(state->damaged().empty());
  }
  std::string note;
  auto keep_key = [&](std::string_view key, std::string_view) { return note = key, false; };
  REQUIRE(s.begin_read().value()->scan(store::table::log, {}, store::direction::forward, keep_key,
                                       [](const store::corrupt_record&) {}));
  REQUIRE(s.damage(store::table::log, note));
  REQUIRE(s.damage(store::table::servers, "s1"));
  REQUIRE(s.damage(store::table::operations, "op1"));
  REQUIRE(s.damage(store::table::meta, "agent.root./srv"));
  auto state = reopen(s);
  std::vector<store::table> where;
  for (const auto& r : state->damaged()) where.push_back(r.where);
  CHECK(where == std::vector{store::table::meta, store::table::servers, store::table::log, store::table::operations});
  CHECK(state->damaged()[1].key == "s1");
  CHECK(state->guards().servers().empty());
  CHECK_FALSE(state->used_root("/srv"));
}
