// Live and stored events, and the list that follows them.
#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"

using namespace zedops;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;
using msg::server_status;

namespace {

msg::event status_event(uint64_t seq, server_status from, server_status to, std::string id = "s1aaaaaaaaaaaaa") {
  msg::event e;
  e.epoch = "7";
  e.seq = seq;
  e.subject = "server." + id;
  e.subject_seq = seq;
  e.time = noon;
  e.why = {msg::cause_kind::container_event, "die", ""};
  e.data = msg::status_changed{from, to, ""};
  return e;
}

size_t lines(const std::string& text) { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

TEST_CASE("event watch: one JSON object per line, and gaps are reported", "[unit][zedctl]") {
  bench b;
  b.stream.push_back(status_event(1, server_status::running, server_status::stopped));
  b.stream.push_back(ctl::event_gap{"trimmed", "7:1", "7:5"});
  b.stream.push_back(status_event(6, server_status::stopped, server_status::running));
  CHECK(b.run({"event", "watch", "--since", "7:0", "--until-idle", "-o", "json"}) == 0);
  CHECK(b.queries.front().since == "7:0");
  CHECK(lines(b.out.str()) == 3);
  std::istringstream in(b.out.str());
  std::string line;
  std::getline(in, line);
  auto e = msg::from_json<msg::event>(line);
  REQUIRE(e);
  CHECK(e->seq == 1);
  std::getline(in, line);
  CHECK(line == R"({"type":"gap","reason":"trimmed","after":"7:1","through":"7:5"})");
}

TEST_CASE("event watch: it filters by server, agent and type", "[unit][zedctl]") {
  bench b;
  b.says("server.get", pz1());
  msg::agent_view a;
  a.id = {"a1aaaaaaaaaaaaa"};
  b.says("agent.get", a);
  b.stream.push_back(status_event(1, server_status::running, server_status::stopped));
  auto other = status_event(2, server_status::running, server_status::stopped);
  other.data = msg::desired_changed{};
  b.stream.push_back(other);
  CHECK(b.run({"event", "watch", "--server", "pz1", "--agent", "host1", "--type", "server.status", "--until-idle"}) ==
        0);
  CHECK(b.queries.front().subjects == std::vector<std::string>{"server.s1aaaaaaaaaaaaa", "agent.a1aaaaaaaaaaaaa"});
  CHECK(lines(b.out.str()) == 1);
  CHECK_THAT(b.out.str(), Contains("running → stopped") && Contains("7:1") && Contains("(container event die)"));
}

TEST_CASE("event watch: it survives a restart of the manager", "[unit][zedctl]") {
  bench b;
  b.stream.push_back(status_event(1, server_status::running, server_status::stopped));
  for (int i = 0; i < 3; ++i)
    b.stream.push_back(msg::fail(msg::ec::agent_unreachable, "no manager answers", "start it"));
  b.stream.push_back(status_event(2, server_status::stopped, server_status::running));
  CHECK(b.run({"event", "watch", "--until-idle"}) == 0);
  CHECK(lines(b.out.str()) == 2);
  CHECK(b.err.str() == "connection to the manager lost; waiting for it to come back\nconnected again\n");
}

TEST_CASE("event watch: it ends with 130 on Ctrl-C and not before", "[unit][zedctl]") {
  bench b;
  b.on_wait = [&](milliseconds now) { b.ctrl_c = now > 1h; };
  CHECK(b.run({"event", "watch"}) == 130);
  CHECK(b.clock > 1h);
}

TEST_CASE("event replay: it follows the pages, and shows trimmed history", "[unit][zedctl]") {
  bench b;
  b.manager["event.replay"] = [](const seen_request& r) {
    auto since = msg::unpack_map<msg::replay_events>(r.body)->since;
    msg::event_page page;
    if (since == "7:1") {
      page.events = {status_event(5, server_status::running, server_status::stopped)};
      page.gap_from = 2;
      page.gap_to = 4;
      page.cursor = "7:5";
      page.end = false;
    } else {
      page.events = {status_event(6, server_status::stopped, server_status::running)};
      page.cursor = "7:6";
    }
    return answers{result_of(page)};
  };
  CHECK(b.run({"event", "replay", "--since", "7:1"}) == 0);
  CHECK(lines(b.out.str()) == 2);
  CHECK_THAT(b.err.str(), Contains("gap: events after 7:1 up to 4 are not available"));
}

TEST_CASE("event replay: a history that does not advance is an error", "[unit][zedctl]") {
  bench b;
  msg::event_page page;
  page.cursor = "7:1";
  page.end = false;
  b.says("event.replay", page);
  CHECK(b.run({"event", "replay", "--since", "7:1"}) == 1);
}

TEST_CASE("ls -w: one line for each server that an event names, looked up once per batch", "[unit][zedctl][acc-23]") {
  bench b;
  msg::server_list list;
  list.servers = {pz1()};
  b.says("server.ls", list);
  auto changed = pz1();
  changed.status = server_status::missing;
  b.says("server.get", changed);
  for (uint64_t i = 1; i <= 5; ++i) b.stream.push_back(status_event(i, server_status::running, server_status::missing));
  b.on_wait = [&](milliseconds now) { b.ctrl_c = now > 1s; };
  CHECK(b.run({"ps", "-w"}) == 130);
  CHECK(lines(b.out.str()) == 3);
  CHECK_THAT(b.out.str(), Contains("missing (data)"));
  CHECK(b.asked("server.get").size() == 1);
}

TEST_CASE("ls -w: an agent that goes away shows on all its servers, and a purge is reported",
          "[unit][zedctl][acc-34]") {
  bench b;
  msg::server_list list;
  list.servers = {pz1()};
  b.manager["server.ls"] = [&](const seen_request& r) {
    auto page = list;
    bool of_agent = msg::unpack_map<msg::list_servers>(r.body)->agent == "a1aaaaaaaaaaaaa";
    page.servers[0].agent_status = of_agent ? msg::agent_status::unreachable : msg::agent_status::online;
    return answers{result_of(page)};
  };
  b.refuses("server.get", msg::ec::not_found, "gone");
  msg::event e = status_event(1, server_status::deleted, server_status::purged, "s9aaaaaaaaaaaaa");
  b.stream.push_back(e);
  e.subject = "agent.a1aaaaaaaaaaaaa";
  e.data = msg::agent_lost{};
  b.stream.push_back(e);
  b.on_wait = [&](milliseconds now) { b.ctrl_c = now > 1s; };
  CHECK(b.run({"ps", "-w"}) == 130);
  CHECK_THAT(b.out.str(), Contains("running (agent unreachable)"));
  CHECK_THAT(b.err.str(), Contains("s9aaaaaaaaaaaaa is gone"));
}

TEST_CASE("ls -w: with JSON one object per line", "[unit][zedctl]") {
  bench b;
  msg::server_list list;
  list.servers = {pz1(), pz1()};
  b.says("server.ls", list);
  b.on_wait = [&](milliseconds now) { b.ctrl_c = now > 1s; };
  b.run({"ps", "-w", "-o", "json"});
  CHECK(lines(b.out.str()) == 2);
}
