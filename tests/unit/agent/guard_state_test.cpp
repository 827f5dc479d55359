#include "actors/agent/guardian/guard_state.hpp"

#include "actors/agent/agent_state.hpp"
#include "messages/wire/codec.hpp"
#include "persistence/memory_store.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::agent;
using namespace zedops::msg;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<agent_state> reopen(store::memory_store& s) { return std::move(agent_state::open(s, 1, 1).value()); }

known_server known(const std::string& id, bool wanted = true) {
  known_server k;
  k.id = {id};
  k.container_name = "box-" + id;
  k.crash.policy = crash_policy::on_failure;
  k.wanted_running = wanted;
  return k;
}

incident of(const std::string& server, incident_kind kind = incident_kind::exited) {
  incident i;
  i.server = {server};
  i.kind = kind;
  i.detail = "it fell";
  return i;
}

const time_point noon{duration{1'714'564'800'000}};

}  // namespace

TEST_CASE("guard state: servers, their starts and exits, incidents and the boot id survive", "[unit][agent][fc-56]") {
  store::memory_store s;
  {
    auto state = reopen(s);
    auto& g = state->guards();
    g.replace({known("s1"), known("s2", false)});
    g.change({"s1"}, [](guarded& x) {
      x.starts = {noon, noon + 1s};
      x.container_id = "c1";
      x.exit_at = noon + 2s;
      x.owed_at = noon + 3s;
    });
    g.add(of("s1"));
    g.add(of("s1", incident_kind::restarted));
    g.set_boot_id("b1");
    CHECK(g.due());
    REQUIRE(g.flush());
    CHECK_FALSE(g.due());
  }
  auto state = reopen(s);
  auto& g = state->guards();
  const auto s1 = g.find({"s1"});
  REQUIRE(s1);
  CHECK(pack(s1->known) == pack(known("s1")));
  CHECK(s1->starts == std::vector<time_point>{noon, noon + 1s});
  CHECK(s1->container_id == "c1");
  CHECK(s1->exit_at == noon + 2s);
  CHECK(s1->owed_at == noon + 3s);
  CHECK_FALSE(g.find({"s2"})->known.wanted_running);
  CHECK(g.boot_id() == "b1");
  REQUIRE(g.to_tell(10).size() == 2);
  CHECK(g.to_tell(10)[1].seq == 2);
  CHECK(g.to_tell(10)[1].kind == incident_kind::restarted);
  CHECK(g.to_tell(1).size() == 1);
}

TEST_CASE("guard state: numbers that a lost state may have used are not used again", "[unit][agent][fc-38]") {
  store::memory_store s;
  auto state = reopen(s);
  state->guards().begin_after(1'000);
  state->guards().add(of("s1"));
  REQUIRE(state->guards().flush());
  CHECK(state->guards().to_tell(10)[0].seq == 1'001);
  state = reopen(s);
  state->guards().begin_after(2'000);  // the state is not lost: the numbers go on
  state->guards().add(of("s1"));
  REQUIRE(state->guards().flush());
  CHECK(state->guards().to_tell(10)[1].seq == 1'002);
}

TEST_CASE("guard state: an incident is reported only once it is on disk, and its number is never used again",
          "[unit][agent][fc-38]") {
  store::memory_store s;
  {
    auto state = reopen(s);
    auto& g = state->guards();
    g.add(of("s1"));
    CHECK(g.to_tell(10).empty());
    s.fail_commit(1, {ec::internal, "the disk says no", {}, {}});
    CHECK_FALSE(g.flush());
    CHECK(g.to_tell(10).empty());
    CHECK(g.due());
    REQUIRE(g.flush());
    CHECK(g.to_tell(10).size() == 1);
    g.taken(1);
    REQUIRE(g.flush());
  }
  auto state = reopen(s);
  CHECK(state->guards().to_tell(10).empty());
  state->guards().add(of("s1"));
  REQUIRE(state->guards().flush());
  CHECK(state->guards().to_tell(10)[0].seq == 2);
}

TEST_CASE("guard state: incidents are bounded, exits are dropped first, and the loss is reported", "[unit][agent]") {
  store::memory_store s;
  auto state = reopen(s);
  auto& g = state->guards();
  g.add(of("first", incident_kind::gave_up));
  for (size_t i = 0; i < incidents_max + 2; ++i) g.add(of("s" + std::to_string(i)));
  REQUIRE(g.flush());
  const auto all = g.to_tell(incidents_max * 2);
  REQUIRE(all.size() == incidents_max);
  CHECK(all[0].server.value == "first");
  CHECK(all[1].server.value == "s3");
  CHECK(all.back().detail.find("1 older incidents") != std::string::npos);
  CHECK(s.begin_read().value()->count(store::table::log) == incidents_max);
}

TEST_CASE("guard state: a desired state holds, and only an explicit start clears crashes", "[unit][agent][fc-59]") {
  store::memory_store s;
  auto state = reopen(s);
  auto& g = state->guards();
  g.watch(known("s1"));
  const auto crashed = [&] {
    g.change({"s1"}, [](guarded& x) {
      x.starts = {noon};
      x.owed_at = noon;
    });
  };
  for (auto kind : {command_kind::stop, command_kind::remove, command_kind::purge}) {
    crashed();
    g.obey({"s1"}, kind);
    CHECK_FALSE(g.find({"s1"})->known.wanted_running);
    CHECK(g.find({"s1"})->owed_at == never);
    CHECK(g.find({"s1"})->starts.size() == 1);
  }
  for (auto kind : {command_kind::run, command_kind::restart, command_kind::replace}) {
    crashed();
    g.obey({"s1"}, kind);
    CHECK(g.find({"s1"})->known.wanted_running);
    CHECK(g.find({"s1"})->owed_at == never);
    CHECK(g.find({"s1"})->starts.empty());
  }
  for (auto kind : {command_kind::move, command_kind::drop_source}) {  // no desired state: it is afterwards what it was before
    g.obey({"s1"}, command_kind::stop);
    g.obey({"s1"}, kind);
    CHECK_FALSE(g.find({"s1"})->known.wanted_running);
    g.obey({"s1"}, command_kind::run);
    crashed();
    g.obey({"s1"}, kind);
    CHECK(g.find({"s1"})->known.wanted_running);
    CHECK(g.find({"s1"})->owed_at == never);
    CHECK(g.find({"s1"})->starts.size() == 1);
  }
  g.obey({"unknown"}, command_kind::run);
  CHECK_FALSE(g.find({"unknown"}));
}

TEST_CASE("guard state: a list replaces all servers, but not what was noted about their exits", "[unit][agent]") {
  store::memory_store s;
  auto state = reopen(s);
  auto& g = state->guards();
  g.replace({known("s1"), known("s2")});
  g.change({"s1"}, [](guarded& x) { x.exit_at = noon; });
  auto changed = known("s1");
  changed.priority = 4;
  g.replace({changed, known("s3")});
  REQUIRE(g.flush());
  CHECK(g.find({"s1"})->exit_at == noon);
  CHECK(g.find({"s1"})->known.priority == 4);
  CHECK_FALSE(g.find({"s2"}));
  CHECK(g.servers().size() == 2);
  CHECK(reopen(s)->guards().servers().size() == 2);
  const auto commits = s.commits();
  g.replace({changed, known("s3")});
  REQUIRE(g.flush());
  CHECK(s.commits() == commits);  // nothing has changed
}

TEST_CASE("guard state: damaged notes are forgotten, the rest is read", "[unit][agent]") {
  store::memory_store s;
  {
    auto state = reopen(s);
    state->guards().replace({known("s1"), known("s2")});
    REQUIRE(state->guards().flush());
  }
  s.damage(store::table::servers, "s1");
  CHECK(reopen(s)->guards().servers().size() == 1);
  REQUIRE(s.begin_write().value()->commit());
  auto w = s.begin_write().value();
  REQUIRE(w->put(store::table::servers, "s2", "no such form"));
  REQUIRE(w->commit());
  CHECK(reopen(s)->guards().servers().empty());
}
