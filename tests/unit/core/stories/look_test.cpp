// Short stories of one server: what is concluded from observations.
#include "actors/core/server/observe.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

TEST_CASE("sync: a container removed by hand makes the server missing, and clears its id",
          "[unit][core][acc-23][acc-31][fc-15]") {
  fixture x(record());
  x.see(saw_nothing());
  CHECK(x.s.status == server_status::missing);
  CHECK(x.s.container_id.empty());
  CHECK(x.s.data == data_state::present);
  CHECK(x.s.desired == desired_state::running);
  x.see(saw(container_state::running, data_state::present, "other"));
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == "other");
}

TEST_CASE("sync: a server that could not be observed is stale, not gone", "[unit][core][acc-30][fc-1][fc-2]") {
  fixture x(record());
  x.give(unseen{trouble()});
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.stale);
  CHECK(x.s.data == data_state::present);
  x.see(saw(container_state::running));
  CHECK(!x.s.stale);
}

TEST_CASE("sync: the reason why data cannot be read, and since when, is kept beside the last known state",
          "[unit][core][fc-2]") {
  fixture x(record());
  auto blind = saw(container_state::running);
  blind.data = data_state::unknown;
  blind.data_problem = "servers/alpha is a symbolic link to /mnt/big/alpha";
  x.cx.now += 1min;
  const auto since = x.cx.now;
  x.see(blind);
  CHECK(x.s.data == data_state::present);
  CHECK(x.s.data_problem == blind.data_problem);
  CHECK(x.s.data_problem_since == since);
  x.cx.now += 1h;
  blind.data_problem = "another reason";
  x.see(blind);
  CHECK(x.s.data_problem == "another reason");
  CHECK(x.s.data_problem_since == since);
  SECTION("a long reason is cut") {
    blind.data_problem = std::string(100'000, 'x');
    x.see(blind);
    CHECK(x.s.data_problem.size() == problem_bytes_max);
  }
  SECTION("until the data is seen again") {
    x.see(saw(container_state::running));
    CHECK(x.s.data_problem.empty());
    CHECK(x.s.data_problem_since == never);
  }
  SECTION("or until a user has it checked") {
    x.give(data_seen{data_state::empty, std::nullopt, {}});
    CHECK(x.s.data_problem.empty());
    CHECK(x.s.data == data_state::empty);
    CHECK(x.s.started_at == saw(container_state::running).view.started_at);
  }
  SECTION("a failed look at the container does not change it") {
    x.give(unseen{trouble()});
    CHECK(x.s.data_problem == "another reason");
  }
}

TEST_CASE("sync: a container that could not be inspected is stale although its data was seen",
          "[unit][core][acc-30][fc-1]") {
  fixture x(record());
  auto half = could_not_look();
  half.data = data_state::present;
  x.see(half);
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == "c0ffee");
  CHECK(x.s.stale);
}

TEST_CASE("sync: an observation that confirms the record writes nothing", "[unit][core][acc-27]") {
  fixture x(record());
  x.see(saw(container_state::running));
  const auto before = x.s;
  const auto d = x.see(saw(container_state::running));
  CHECK(d.facts.empty());
  CHECK(x.s == before);
}

TEST_CASE("sync: each transition is one fact with old state, new state and cause", "[unit][core][acc-27]") {
  fixture x(record());
  const auto d = x.give(seen{saw(container_state::exited), cause_kind::container_event, "die"});
  const auto* f = fact_in<status_changed>(d);
  REQUIRE(f);
  CHECK(f->from == server_status::running);
  CHECK(f->to == server_status::stopped);
  CHECK(mentions(f->reason, {"die"}));
  CHECK(d.why.kind == cause_kind::container_event);
}

TEST_CASE("sync: a crashed server is stopped with its exit code, cleared once it runs", "[unit][core][acc-24][fc-9]") {
  fixture x(record());
  auto crashed = saw(container_state::exited);
  crashed.view.exit_code = 137;
  x.see(crashed);
  CHECK(x.s.status == server_status::stopped);
  CHECK(x.s.exit_code == 137);
  REQUIRE(x.s.last_error);
  CHECK(mentions(x.s.last_error->message, {"137"}));
  auto looping = saw(container_state::running);
  looping.view.restarts = 4;
  looping.view.health = health_state::unhealthy;
  x.see(looping);
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.restarts == 4);
  CHECK(x.s.health == health_state::unhealthy);
  CHECK(!x.s.last_error);
}

TEST_CASE("sync: a renamed container is drift, not a loss", "[unit][core][acc-32][fc-6]") {
  fixture x(record());
  auto renamed = saw(container_state::running);
  renamed.drift = "renamed to foo";
  x.see(renamed);
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.drift == "renamed to foo");
  x.see(saw(container_state::running));
  CHECK(x.s.drift.empty());
}

TEST_CASE("sync: two containers that claim one server are reported and neither is touched",
          "[unit][core][acc-33][fc-7]") {
  fixture x(record());
  auto both = saw(container_state::running);
  both.rivals = {"deadbeef"};
  const auto d = x.see(both);
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.container_id == "c0ffee");
  CHECK(mentions(x.s.drift, {"c0ffee", "deadbeef"}));
  CHECK(d.effects.empty());
}

TEST_CASE("sync: nothing is concluded about a server that is being created or was purged", "[unit][core][acc-28]") {
  fixture none;
  CHECK(none.see(saw(container_state::running)).facts.empty());
  auto x = created_server();
  CHECK(x.see(saw_nothing()).facts.empty());
  fixture purged(record(server_status::purged));
  CHECK(purged.see(saw(container_state::running)).facts.empty());
}
