// Events: without gaps, in order, replayed from any cursor, with explicit gaps where history was trimmed.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

TEST_CASE_METHOD(stage, "every fact is published once, in order, and replays the same", "[sim][manager]") {
  running("pz1");
  REQUIRE(finish("stop", stop_server{"pz1"}).has_value());
  advance(1s);
  auto page = ask<event_page>("event.replay", replay_events{});
  REQUIRE(page.has_value());
  CHECK(page->gap_from == 0);
  REQUIRE(page->events.size() == audit.last_seq());
  REQUIRE(events.items.size() == audit.last_seq());
  for (size_t i = 0; i < page->events.size(); ++i) {
    CHECK(page->events[i].seq == i + 1);
    CHECK(events.items[i].seq == i + 1);
    CHECK(events.items[i].body == pack_map(page->events[i]));
  }
}

TEST_CASE_METHOD(stage, "a cursor continues after the manager's restart", "[sim][manager]") {
  running("pz1");
  auto first = ask<event_page>("event.replay", replay_events{});
  REQUIRE(first.has_value());
  crash_manager();
  boot();
  REQUIRE(until([&] { return at("alpha").in_session(); }));
  REQUIRE(finish("stop", stop_server{"pz1"}).has_value());
  replay_events q;
  q.since = first->cursor;
  auto next = ask<event_page>("event.replay", q);
  REQUIRE(next.has_value());
  CHECK(next->gap_from == 0);
  REQUIRE_FALSE(next->events.empty());
  CHECK(next->events.front().seq == first->events.back().seq + 1);
  for (size_t i = 1; i < next->events.size(); ++i) CHECK(next->events[i].seq == next->events[i - 1].seq + 1);
}

TEST_CASE_METHOD(stage, "pages of any size leave no gap between them", "[sim][manager]") {
  running("pz1");
  uint64_t expected = 1;
  replay_events q;
  for (uint32_t size : {1U, 2U, 3U, 5U, 7U, 1000U}) {
    q.limit = size;
    auto page = ask<event_page>("event.replay", q);
    REQUIRE(page.has_value());
    for (const auto& e : page->events) CHECK(e.seq == expected++);
    q.since = page->cursor;
    CHECK(page->gap_from == 0);
  }
  CHECK(expected == audit.last_seq() + 1);
}

TEST_CASE_METHOD(stage, "what was trimmed is an explicit gap, and state is untouched", "[sim][manager]") {
  running("pz1");
  manager->world().rules.change([](auto& r) { r.history_max = 10; });
  advance(70s);  // trimming happens about once a minute
  auto page = ask<event_page>("event.replay", replay_events{});
  REQUIRE(page.has_value());
  CHECK(page->gap_from == 1);
  REQUIRE_FALSE(page->events.empty());
  CHECK(page->gap_to + 1 == page->events.front().seq);
  CHECK(page->events.back().seq == audit.last_seq());
  CHECK(page->events.size() <= 40);
  crash_manager();
  boot();
  REQUIRE(until([&] { return at("alpha").in_session(); }));
  CHECK(ask<server_view>("server.get", get_server{"pz1"})->status == server_status::running);
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
}

TEST_CASE_METHOD(stage, "a cursor of another epoch is a gap, not silence", "[sim][manager]") {
  running("pz1");
  replay_events q;
  q.since = "77:5";
  auto page = ask<event_page>("event.replay", q);
  REQUIRE(page.has_value());
  CHECK(page->gap_from != 0);
  CHECK(page->events.size() == audit.last_seq());
}

TEST_CASE_METHOD(stage, "each transition is one event with old state, new state and cause", "[sim][manager][acc-27]") {
  running("pz1");
  const auto before = facts<status_changed>();
  on("alpha").stop(body_of("pz1")->view.id);
  advance(30s);
  CHECK(facts<status_changed>() == before + 1);
  CHECK(status("pz1") == server_status::stopped);
  bool found = false;
  for (const auto& e : audit.log())
    for (const auto& f : e.facts)
      if (const auto* x = std::get_if<status_changed>(&f.what); x && x->to == server_status::stopped) {
        found = true;
        CHECK(x->from == server_status::running);
        CHECK(e.why.kind == cause_kind::container_event);
        CHECK(e.why.ref == "die");
      }
  CHECK(found);
}
