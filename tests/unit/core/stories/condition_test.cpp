// How well a server is, beside its status.
#include "messages/records/condition.hpp"

#include "messages/api/views.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

observation restarted(uint64_t times, time_point at, container_state state = container_state::running) {
  auto o = saw(state);
  o.view.restarts = times;
  o.view.started_at = at;
  o.observed_at = at;
  return o;
}

using list = std::vector<condition>;

}  // namespace

TEST_CASE("condition: a running server with nothing wrong is ok", "[unit][core]") {
  CHECK(conditions_of(record()) == list{condition::ok});
}

TEST_CASE("condition: all that apply are listed, worst first", "[unit][core]") {
  auto s = record();
  s.health = health_state::unhealthy;
  s.data = data_state::absent;
  s.drift = "renamed";
  s.pending_rebuild = true;
  CHECK(conditions_of(s) ==
        list{condition::data_missing, condition::unhealthy, condition::drift, condition::pending_rebuild});
  s = record();
  s.container = container_state::paused;
  s.stale = true;
  CHECK(conditions_of(s) == list{condition::stale, condition::paused});
}

TEST_CASE("condition: what an absent agent reported is stale", "[unit][core]") {
  CHECK(conditions_of(record(), agent_status::online) == list{condition::ok});
  CHECK(conditions_of(record(), agent_status::unreachable) == list{condition::stale});
}

TEST_CASE("condition: a missing or deleted server has no container health", "[unit][core]") {
  for (auto status : {server_status::missing, server_status::deleted}) {
    auto s = record(status);
    s.health = health_state::unhealthy;
    s.container = container_state::paused;
    CHECK(conditions_of(s) == list{condition::ok});
  }
}

TEST_CASE("condition: each change gives one event", "[unit][core]") {
  fixture at(record());
  auto sick = saw(container_state::running);
  sick.view.health = health_state::unhealthy;
  const auto d = at.see(sick);
  REQUIRE(fact_in<condition_changed>(d));
  CHECK(fact_in<condition_changed>(d)->condition == list{condition::unhealthy});
  CHECK(at.see(sick).facts.empty());
  sick.view.exit_code = 1;
  CHECK_FALSE(fact_in<condition_changed>(at.see(sick)));
  const auto well = at.see(saw(container_state::running));
  REQUIRE(fact_in<condition_changed>(well));
  CHECK(fact_in<condition_changed>(well)->condition == list{condition::ok});
}

TEST_CASE("condition: repeated restarts by the Engine give restarting, with count and since when",
          "[unit][core][fc-9]") {
  fixture at(record());
  for (uint64_t n = 1; n <= 7; ++n) {
    at.cx.now += 10s;
    at.see(restarted(n, at.cx.now));
    CHECK(holds(conditions_of(at.s), condition::restarting) == (n >= restart_series_min));
  }
  CHECK(at.s.status == server_status::running);
  const auto v = view_of(at.s, nullptr);
  CHECK(v.restarts == 7);
  CHECK(v.restarting_since == noon + 10s);
  REQUIRE(std::get_if<condition_changed>(&at.log[2].facts.back().what));
  CHECK(std::get_if<condition_changed>(&at.log[2].facts.back().what)->restarts == 3);
}

TEST_CASE("condition: restarting ends by itself when the server has run for long enough", "[unit][core]") {
  fixture at(record());
  for (uint64_t n = 1; n <= 4; ++n) at.see(restarted(n, at.cx.now));
  CHECK(next_due(at.s) == noon + restart_quiet);
  at.cx.now = noon + restart_quiet - 1s;
  CHECK(at.give(tick{}).facts.empty());
  at.cx.now = noon + restart_quiet;
  const auto d = at.give(tick{});
  REQUIRE(fact_in<condition_changed>(d));
  CHECK(fact_in<condition_changed>(d)->condition == list{condition::ok});
  CHECK(next_due(at.s) == never);
  at.see(restarted(5, at.cx.now));
  CHECK(conditions_of(at.s) == list{condition::ok});
}

TEST_CASE("condition: old restarts that are seen all at once are no series", "[unit][core]") {
  fixture at(record());
  auto o = restarted(40, noon);
  o.view.started_at = noon - 3h;
  at.see(o);
  CHECK(conditions_of(at.s) == list{condition::ok});
}

TEST_CASE("condition: restarts by the agent count as well, also between two starts", "[unit][core]") {
  auto s = record();
  s.crash = crash_policy::on_failure;
  fixture at(s);
  for (uint64_t n = 1; n <= 3; ++n) {
    at.cx.now += 5s;
    incident i;
    i.seq = n;
    i.kind = incident_kind::restarted;
    i.at = at.cx.now;
    at.give(acted{{i}});
    at.see(saw(container_state::running));
    at.see(saw(container_state::exited));
  }
  CHECK(at.s.status == server_status::stopped);
  CHECK(conditions_of(at.s) == list{condition::restarting});
  incident end;
  end.seq = 4;
  end.kind = incident_kind::gave_up;
  end.at = at.cx.now;
  at.give(acted{{end}});
  CHECK(conditions_of(at.s) == list{condition::ok});
  REQUIRE(at.s.last_error);
}

TEST_CASE("condition: a user's request clears restarting", "[unit][core]") {
  fixture at(record());
  for (uint64_t n = 1; n <= 4; ++n) at.see(restarted(n, at.cx.now));
  const auto d = at.ask(stop_server{"pz-one"});
  CHECK(fact_in<condition_changed>(d));
  CHECK_FALSE(at.s.restart_run);
}

TEST_CASE("condition: the record has the image that its container was made from", "[unit][core]") {
  fixture at(record());
  auto o = saw(container_state::running);
  o.view.image = "registry.example/pz:40";
  at.see(o);
  CHECK(at.s.container_image == "registry.example/pz:40");
  CHECK(image_reference(at.s) == "registry.example/pz:41");
  at.see(saw_nothing());
  CHECK(at.s.container_image.empty());
}
