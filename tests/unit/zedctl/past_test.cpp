// explain, and the state at a time.
#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"

using namespace zedops;
using namespace zedops::ctl;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;
using msg::explain_kind;

namespace {

msg::explanation removed_by_hand() {
  msg::explanation e;
  e.server = pz1();
  e.summary = "pz1 is missing because its container was removed by hand (destroy event) 2m10s ago";
  e.past = {{noon - 1h, explain_kind::desire, "ann asked to start it", "o1aaaaaaaaaaaaa"},
            {noon - 59min, explain_kind::engine_call, "start 4f2a9c1d7b3e: HTTP 204, 300ms", "o1aaaaaaaaaaaaa"},
            {noon - 130s, explain_kind::event, "container event destroy: no container", "4f2a9c1d7b3e"}};
  e.next = {{noon + 4min, explain_kind::retry, "recovery makes its container again", ""},
            {std::nullopt, explain_kind::command, "zedctl server start pz1  # Start it", ""}};
  e.trimmed_before = 41;
  return e;
}

msg::event event_at(uint64_t seq, msg::time_point time) {
  msg::event e;
  e.epoch = "7";
  e.seq = seq;
  e.subject = "server.s1aaaaaaaaaaaaa";
  e.time = time;
  e.data =
      msg::status_changed{msg::server_status::running, msg::server_status::missing, "change " + std::to_string(seq)};
  return e;
}

}  // namespace

TEST_CASE("explain: the summary, what led here, what comes next", "[unit][zedctl]") {
  bench b;
  b.says("server.explain", removed_by_hand());
  REQUIRE(b.run({"server", "explain", "pz1"}) == 0);
  CHECK(b.out.str() ==
        "pz1 is missing because its container was removed by hand (destroy event) 2m10s ago.\n"
        "\n"
        "What led here\n"
        "  events up to 41 are no longer kept\n"
        "  1h ago     desire  ann asked to start it\n"
        "  59m ago    engine  start 4f2a9c1d7b3e: HTTP 204, 300ms\n"
        "  2m10s ago  event   container event destroy: no container\n"
        "\n"
        "What comes next\n"
        "  in 4m  retry    recovery makes its container again\n"
        "  -      command  zedctl server start pz1  # Start it\n");
  CHECK(b.body<msg::explain_server>("server.explain").server == "pz1");
  b.out.str("");
  REQUIRE(b.run({"server", "explain", "pz1", "-o", "wide", "--time", "iso"}) == 0);
  CHECK_THAT(b.out.str(), Contains("2024-05-01T11:00:00.000Z  desire  o1aaaaaaaaaaaaa  ann asked to start it"));
}

TEST_CASE("explain: everything as JSON, and missing history is named", "[unit][zedctl]") {
  bench b;
  b.says("server.explain", removed_by_hand());
  REQUIRE(b.run({"server", "explain", "pz1", "-o", "json"}) == 0);
  auto e = msg::from_json<msg::explanation>(b.out.str());
  REQUIRE(e);
  CHECK(e->past.size() == 3);
  CHECK(e->past[1].kind == explain_kind::engine_call);
  b.out.str("");
  REQUIRE(b.run({"server", "explain", "pz1", "-o", "yaml"}) == 0);
  CHECK_THAT(b.out.str(), Contains("summary: ") && Contains("kind: engine_call"));
  bench none;
  none.refuses("server.explain", msg::ec::not_found, "there is no server 'pz2'");
  msg::server_list list;
  list.servers = {pz1()};
  none.says("server.ls", list);
  CHECK(none.run({"server", "explain", "pz2"}) == 3);
  CHECK_THAT(none.err.str(), Contains("did you mean 'pz1'?"));
}

TEST_CASE("get --at: a time, an age, or the time of an event", "[unit][zedctl]") {
  const auto asked_at = [](const std::string& text) {
    bench b;
    b.says("server.get", pz1());
    b.manager["event.replay"] = [](const seen_request& r) {
      const auto q = *msg::unpack_map<msg::replay_events>(r.body);
      msg::event_page page;
      if (q.since == "7:41" && q.limit == 1) page.events = {event_at(42, noon - 5h)};
      else page.events = {event_at(1, noon)};
      return answers{result_of(page)};
    };
    const auto status = b.run({"server", "get", "pz1", "--at", text});
    if (status != 0) return b.err.str();
    return msg::to_rfc3339(b.body<msg::get_server>("server.get").at);
  };
  CHECK(asked_at("2024-05-01T10:00:00Z") == "2024-05-01T10:00:00.000Z");
  CHECK(asked_at("10m") == "2024-05-01T11:50:00.000Z");
  CHECK(asked_at("7:42") == "2024-05-01T07:00:00.000Z");
  CHECK_THAT(asked_at("7:43"), Contains("event 7:43 is not in the stored history"));
  CHECK_THAT(asked_at("6:2"), Contains("event 6:2 is not in the stored history"));
  CHECK_THAT(asked_at("noon"), Contains("'noon' is not a point in time"));
  CHECK_THAT(asked_at("7:0"), Contains("not a point in time"));
}

TEST_CASE("get --at: no suggestion when the server exists now", "[unit][zedctl]") {
  bench b;
  b.refuses("server.get", msg::ec::not_found, "pz1 did not exist at that time", "give a later time");
  msg::server_list list;
  list.servers = {pz1()};
  b.says("server.ls", list);
  CHECK(b.run({"server", "get", "pz1", "--at", "9h"}) == 3);
  CHECK_THAT(b.err.str(), Contains("next: give a later time"));
}

TEST_CASE("history --at: the state at that time, and the events up to it", "[unit][zedctl]") {
  bench b;
  auto then = pz1();
  then.status = msg::server_status::stopped;
  b.says("server.get", then);
  b.manager["server.history"] = [](const seen_request& r) {
    const auto q = *msg::unpack_map<msg::server_history>(r.body);
    msg::event_page page;
    for (uint64_t seq = q.before == 0 ? 9 : q.before - 1; seq > 0 && page.events.size() < 3; --seq)
      page.events.push_back(event_at(seq, noon - std::chrono::minutes(100 - 10 * seq)));
    page.end = page.events.empty() || page.events.back().seq == 1;
    return answers{result_of(page)};
  };
  // Events 1..9 happened 90, 80 ... 10 minutes ago.
  REQUIRE(b.run({"server", "history", "pz1", "--at", "45m", "--time", "iso"}) == 0);
  CHECK_THAT(b.out.str(), Contains("pz1   host1  stopped"));
  CHECK_THAT(b.out.str(), Contains("change 5") && Contains("change 1"));
  CHECK(b.out.str().find("change 6") == std::string::npos);
  CHECK(b.asked("server.history").size() == 3);
  b.out.str("");
  REQUIRE(b.run({"server", "history", "pz1", "--at", "45m", "--limit", "2", "-o", "json"}) == 0);
  auto page = msg::from_json<msg::event_page>(b.out.str());
  REQUIRE(page);
  REQUIRE(page->events.size() == 2);
  CHECK(page->events[0].seq == 5);
  CHECK(page->events[1].seq == 4);
}

TEST_CASE("op get: the calls to the Engine, their results and durations", "[unit][zedctl]") {
  bench b;
  auto op = operation(msg::op_kind::start, msg::op_status::failed);
  op.calls = {{"create pz1", 201, 12ms, "", noon - 3s}, {"start 4f2a9c1d7b3e", 0, 1s, "no Docker Engine", noon - 2s}};
  b.says("op.get", op);
  REQUIRE(b.run({"op", "get", "o1aaaaaaaaaaaaa"}) == 0);
  CHECK_THAT(b.out.str(), Contains("Calls to the Engine") && Contains("create pz1          HTTP 201   12ms") &&
                              Contains("start 4f2a9c1d7b3e  no answer  1s    no Docker Engine"));
}
