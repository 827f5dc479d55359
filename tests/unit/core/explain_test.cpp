// Why a server is in its state: the summary, what led there, what comes next.
#include "actors/core/explain/explain.hpp"

#include <algorithm>

#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

agent host(agent_status status = agent_status::online) {
  agent a;
  a.id = {"a00000000000001"};
  a.name = "host1";
  a.status = status;
  return a;
}

explanation explained(const fixture& x, agent_status status = agent_status::online) {
  const auto a = host(status);
  return explain({x.s, x.log, &a, noon, x.cx.now});
}

fixture running_server() {
  auto x = created_server();
  x.finish(saw(container_state::running));
  x.cx.now += 1min;
  return x;
}

std::vector<explain_kind> kinds(const std::vector<explain_line>& lines) {
  std::vector<explain_kind> out;
  for (const auto& l : lines) out.push_back(l.kind);
  return out;
}
std::string text_of(const std::vector<explain_line>& lines) {
  std::string out;
  for (const auto& l : lines) out += std::string(name_of(l.kind)) + ": " + l.text + "\n";
  return out;
}
const explain_line* line_with(const std::vector<explain_line>& lines, std::string_view text) {
  auto i = std::find_if(lines.begin(), lines.end(), [&](auto& l) { return l.text.find(text) != std::string::npos; });
  return i == lines.end() ? nullptr : &*i;
}

}  // namespace

TEST_CASE("explain: a container removed by hand: the event, the remedy, and what led there", "[unit][core]") {
  auto x = running_server();
  x.give(seen{saw_nothing(), cause_kind::container_event, "destroy"});
  x.cx.now += 190s;
  const auto e = explained(x);
  CHECK(e.summary ==
        "pz-one is missing because its container was removed by hand (destroy event) 3m10s ago; data is present; "
        "recovery is manual, so it waits for: zedctl server start pz-one");
  INFO(text_of(e.past));
  using enum explain_kind;
  CHECK(kinds(e.past) == std::vector{desire, command, transition, command, event, transition});
  CHECK(mentions(e.past[0].text, {"ann asked to create it", "project-zomboid"}));
  CHECK(e.past[4].text == "container event destroy: no container, data present");
  CHECK(e.past[4].ref == "c0ffee");
  CHECK(e.past[5].text == "running → missing: container destroy");
  CHECK(std::is_sorted(e.past.begin(), e.past.end(), [](auto& a, auto& b) { return *a.at < *b.at; }));
  CHECK(line_with(e.next, "zedctl server start pz-one  # "));
  CHECK(e.server.status == server_status::missing);
}

TEST_CASE("explain: a command lists its steps and calls to the Engine, read-only calls only when they failed",
          "[unit][core]") {
  auto x = running_server();
  x.ask(restart_server{});
  x.progress("stopping", 10);
  x.progress("stopping", 40);
  x.progress("starting", 80);
  auto report = result_of(x.s.op->id, saw(container_state::exited), trouble());
  report.calls = {{"list containers", 200, 3ms, "", noon},
                  {"stop c0ffee", 204, 2s, "", noon},
                  {"inspect c0ffee", 500, 4ms, "boom (Docker Engine, HTTP 500)", noon},
                  {"start c0ffee", 0, 1s, "no Docker Engine at x", noon}};
  x.cx.now += 5s;
  x.give(reported{report});
  const auto e = explained(x);
  INFO(text_of(e.past));
  CHECK(line_with(e.past, "restart given to agent host1: stopping, starting"));
  CHECK_FALSE(line_with(e.past, "list containers"));
  const auto* stop = line_with(e.past, "stop c0ffee: HTTP 204, 2s");
  REQUIRE(stop);
  CHECK(stop->kind == explain_kind::engine_call);
  CHECK(line_with(e.past, "inspect c0ffee: HTTP 500, 4ms, boom"));
  CHECK(line_with(e.past, "start c0ffee: 1s, no Docker Engine at x"));
  CHECK(line_with(e.past, "restart failed after 5s: the Engine says no"));
  CHECK(mentions(e.summary, {"stopped because restart by ann failed (the Engine says no) 0s ago", "should be running",
                             "zedctl server start pz-one"}));
}

TEST_CASE("explain: calls in a report are kept with the ended operation", "[unit][core]") {
  for (bool fails : {false, true}) {
    auto x = created_server();
    auto report = result_of(x.s.op->id, fails ? saw_nothing() : saw(container_state::running));
    if (fails) report.failure = trouble();
    report.calls = {{"create pz-one", 201, 5ms, "", noon}};
    const auto d = x.give(reported{report});
    REQUIRE(fact_in<operation_ended>(d));
    CHECK(fact_in<operation_ended>(d)->calls == report.calls);
  }
}

TEST_CASE("explain: an agent that is away is named, with since when and what waits for it", "[unit][core]") {
  auto x = running_server();
  x.cx.agent_online = false;
  x.ask(stop_server{});
  x.cx.now = noon + 10min;
  const auto e = explained(x, agent_status::unreachable);
  CHECK(mentions(e.summary,
                 {"pz-one is running", "stop is under way (waits for its agent)",
                  "agent host1 is unreachable since 2024-05-01T12:00:00.000Z", "what was last known", "10m ago"}));
  INFO(text_of(e.next));
  CHECK(line_with(e.next, "waits for its agent: agent host1 is unreachable"));
  const auto* timer = line_with(e.next, "stop is given up unless its agent came back");
  REQUIRE(timer);
  CHECK(timer->kind == explain_kind::timer);
  CHECK(timer->at == optional_time(x.s.op->deadline));
  CHECK(line_with(e.next, "zedctl op cancel " + x.s.op->id.value));
  CHECK(line_with(e.past, "stop kept for agent host1, which is away"));
}

TEST_CASE("explain: a deleted server names the time of its purge, and how to restore it until then", "[unit][core]") {
  auto x = running_server();
  x.ask(remove_server{});
  x.finish(saw_nothing());
  x.cx.now += 2h;
  auto e = explained(x);
  CHECK(mentions(e.summary, {"pz-one is deleted because rm by ann succeeded 2h ago", "zedctl server restore pz-one"}));
  const auto* timer = line_with(e.next, "purged with its data");
  REQUIRE(timer);
  CHECK(timer->at == optional_time(x.s.purge_at));
  x.ask(purge_server{"", true, true, false});
  x.finish(saw_nothing());
  e = explained(x);
  CHECK(mentions(e.summary, {"pz-one is purged because purge by ann succeeded"}));
  CHECK(line_with(e.past, "purged; its data stays in /srv/zedops/pz-one"));
  CHECK(e.next.empty());
}

TEST_CASE("explain: recovery shows when it tries again", "[unit][core][acc-35]") {
  auto x = running_server();
  edit_server edit;
  edit.recovery = recovery_policy::automatic;
  x.ask(edit);
  x.give(seen{saw_nothing(), cause_kind::container_event, "destroy"});
  REQUIRE(x.s.op);
  CHECK(mentions(explained(x).summary, {"removed by hand (destroy event)", "recreate is under way"}));
  const auto past = explained(x).past;
  INFO(text_of(past));
  REQUIRE(past.size() >= 4);
  CHECK(past[past.size() - 4].text == "container event destroy: no container, data present");
  CHECK(past[past.size() - 3].text == "running → missing: container destroy");
  CHECK(past[past.size() - 2].text == "zedops itself (recovery) asked to recreate it");
  CHECK(past[past.size() - 1].text == "recreate given to agent host1");
  x.finish(saw_nothing(), trouble());
  x.cx.now += 1min;
  const auto e = explained(x);
  CHECK(mentions(e.summary, {"recovery is automatic, and tries again in 4m"}));
  const auto* retry = line_with(e.next, "recovery makes its container again");
  REQUIRE(retry);
  CHECK(retry->kind == explain_kind::retry);
  CHECK(retry->at == optional_time(x.s.updated_at + recovery_retry));
}

TEST_CASE("explain: what the agent did on its own is shown with the host's time", "[unit][core]") {
  auto x = running_server();
  incident what;
  what.kind = incident_kind::exited;
  what.server = x.s.id;
  what.container_id = "c0ffee";
  what.exit_code = 1;
  what.crashes = 2;
  what.next_in = 4s;
  what.at = x.cx.now - 1s;
  const decision d{{agent_acted{what}, status_changed{server_status::running, server_status::stopped, "crashed"}},
                   {},
                   {},
                   {cause_kind::report, "incident", {}},
                   false};
  auto entry = entry_of(x.s, d, x.cx.now, 900);
  apply(x.s, entry);
  x.log.push_back(entry);
  const auto e = explained(x);
  const auto* line = line_with(e.past, "its container ended with exit code 1, next start in 4s");
  REQUIRE(line);
  CHECK(line->kind == explain_kind::agent);
  CHECK(line->at == optional_time(what.at));
  CHECK(mentions(e.summary, {"stopped because its container ended with exit code 1", "its agent starts it in 3s"}));
  const auto* retry = line_with(e.next, "its agent starts it again");
  REQUIRE(retry);
  CHECK(retry->at == optional_time(what.at + what.next_in));
}

TEST_CASE("explain: every state has its summary, with and without history and agent", "[unit][core]") {
  for (auto name : enum_names<server_status>::list) {
    const auto status = enum_from_name<server_status>(name).value();
    for (auto data : {data_state::present, data_state::absent, data_state::empty, data_state::unknown}) {
      auto s = record(status);
      s.data = data;
      INFO(name << ", data " << name_of(data));
      const auto away = host(agent_status::unreachable);
      const auto e = explain({s, {}, &away, noon - 5min, noon});
      CHECK(e.summary.starts_with("pz-one is " + std::string(name)));
      CHECK(e.past.empty());
      if (status != server_status::purged) {
        CHECK(mentions(e.summary, {"what was last known, 5m ago"}));
        CHECK_FALSE(e.next.empty());
      }
      CHECK(mentions(explain({s, {}, nullptr, {}, noon}).summary, {"pz-one"}));
    }
  }
  auto fresh = record(server_status::missing);
  fresh.data = data_state::absent;
  CHECK(mentions(explain({fresh, {}, nullptr, {}, noon}).summary, {"zedctl server start --fresh pz-one"}));
}

TEST_CASE("explain: a damaged record is named as such, with the remedy", "[unit][core]") {
  server s;
  s.id = {"s00000000000001"};
  s.name = "s00000000000001";
  s.status = server_status::failed;
  s.last_error = error{ec::internal, "the stored record of this server is damaged: checksum", "", {}};
  const auto e = explain({s, {}, nullptr, {}, noon});
  CHECK(mentions(e.summary, {"damaged: checksum", "all other servers work", "zedctl store restore"}));
  CHECK(line_with(e.next, "zedctl store verify"));
  CHECK_FALSE(line_with(e.next, "zedctl server start"));
}

TEST_CASE("explain: repeated entries are one line, and the whole is bounded", "[unit][core]") {
  auto x = running_server();
  for (int i = 0; i < 3; ++i) x.ask(start_server{});
  const auto e = explained(x);
  const auto* line = line_with(e.past, "ann asked to start it; refused");
  REQUIRE(line);
  CHECK(mentions(line->text, {"(3 times)"}));
  for (int i = 0; i < 300; ++i) {
    x.give(seen{saw(container_state::exited), cause_kind::container_event, "die"});
    x.give(seen{saw(container_state::running), cause_kind::container_event, "start"});
  }
  CHECK(explained(x).past.size() == explain_lines_max);
  CHECK(explained(x).past.back().text == "stopped → running: container start");
}

TEST_CASE("explain: a change of size only gives no line", "[unit][core]") {
  auto x = running_server();
  x.give(data_seen{data_state::present, 1'000});
  const auto before = explained(x).past.size();
  x.give(data_seen{data_state::present, 2'000});
  CHECK(explained(x).past.size() == before);
}

TEST_CASE("explain: an edit is mentioned, never its values", "[unit][core]") {
  auto x = running_server();
  edit_server edit;
  edit.config["ADMIN_PASSWORD"] = "hunter2";
  x.ask(edit);
  const auto e = explained(x);
  CHECK(line_with(e.past, "ann asked to edit it; applied by the next rebuild or recreate"));
  CHECK(text_of(e.past).find("hunter2") == std::string::npos);
  CHECK(e.summary.find("hunter2") == std::string::npos);
}
