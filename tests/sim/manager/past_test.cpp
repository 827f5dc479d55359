// Explain, and the state at a time: answered from what is stored, without waking any actor.
#include <algorithm>
#include <set>

#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

namespace {

bool told(const std::vector<explain_line>& lines, explain_kind kind, std::string_view text) {
  for (const auto& l : lines)
    if (l.kind == kind && l.text.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE_METHOD(stage, "explain: a removed container, with the request, the event and the remedy", "[sim][manager]") {
  running("pz1");
  on("alpha").remove(body_of("pz1")->view.id);
  REQUIRE(until([&] { return status("pz1") == server_status::missing; }));
  advance(3min);
  const auto jobs = manager->world().commits.load();
  const auto e = ask<explanation>("server.explain", explain_server{"pz1"});
  REQUIRE(e.has_value());
  INFO(e->summary);
  CHECK(e->summary.starts_with("pz1 is missing because its container was removed by hand (destroy event) 3m"));
  CHECK(e->summary.find("it waits for: zedctl server start pz1") != std::string::npos);
  CHECK(told(e->past, explain_kind::desire, "ann asked to create it"));
  CHECK(told(e->past, explain_kind::command, "create given to agent alpha: "));
  CHECK(told(e->past, explain_kind::event, "container event destroy"));
  CHECK(told(e->past, explain_kind::transition, "running → missing"));
  CHECK(told(e->next, explain_kind::command, "zedctl server start pz1"));
  CHECK(e->server.status == server_status::missing);
  CHECK(e->trimmed_before == 0);
  CHECK(manager->world().commits.load() == jobs);
  CHECK(code(ask<explanation>("server.explain", explain_server{"nobody"})) == "not_found");
}

TEST_CASE_METHOD(stage, "explain: an agent that is away, and what waits for it", "[sim][manager][acc-34]") {
  running("pz1");
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == msg::agent_status::unreachable; }));
  REQUIRE(operate("stop", stop_server{"pz1"}).has_value());
  advance(1min);
  const auto e = ask<explanation>("server.explain", explain_server{"pz1"});
  REQUIRE(e.has_value());
  INFO(e->summary);
  CHECK(e->summary.find("stop is under way (waits for its agent)") != std::string::npos);
  CHECK(e->summary.find("agent alpha is unreachable since 2") != std::string::npos);
  CHECK(e->summary.find("this is what was last known, 1m") != std::string::npos);
  CHECK(told(e->next, explain_kind::agent, "waits for its agent"));
  CHECK(told(e->next, explain_kind::timer, "stop is given up unless its agent came back"));
}

TEST_CASE_METHOD(stage, "explain: trimmed history is mentioned, and a purged server is explained by its id",
                 "[sim][manager]") {
  const auto id = running("pz1").id.value;
  for (auto i = 0; i < 10; ++i) {
    edit_server edit;
    edit.server = "pz1";
    edit.config["N"] = std::to_string(i);
    REQUIRE(finish("edit", edit).has_value());
  }
  manager->world().rules.change([](auto& r) { r.history_max = 10; });
  advance(70s);  // trimming happens about once a minute
  auto e = ask<explanation>("server.explain", explain_server{"pz1"});
  REQUIRE(e.has_value());
  CHECK(e->trimmed_before > 0);
  CHECK_FALSE(e->past.empty());
  REQUIRE(finish("purge", purge_server{"pz1", true, false, true}).has_value());
  e = ask<explanation>("server.explain", explain_server{id});
  REQUIRE(e.has_value());
  CHECK(e->summary.starts_with("pz1 is purged because purge by ann succeeded"));
}

TEST_CASE_METHOD(stage, "state at a time: after every entry of its log a server is shown as it was then",
                 "[sim][manager]") {
  const auto id = running("pz1").id;
  running("pz2");
  on("alpha").stop(body_of("pz1")->view.id);
  advance(5s);
  REQUIRE(finish("start", start_server{"pz1"}).has_value());
  edit_server edit;
  edit.server = "pz1";
  edit.config["MAX_PLAYERS"] = "8";
  REQUIRE(finish("edit", edit).has_value());
  on("alpha").remove(body_of("pz1")->view.id);
  advance(5s);
  REQUIRE(finish("recreate", recreate_server{"pz1"}).has_value());
  REQUIRE(finish("rm", remove_server{"pz1"}).has_value());
  REQUIRE(finish("restore", restore_server{"pz1"}).has_value());
  REQUIRE(finish("purge", purge_server{"pz1", true, true, false}).has_value());

  msg::server folded;
  size_t compared = 0;
  std::set<server_status> seen;
  const auto& log = audit.log();
  for (size_t i = 0; i < log.size(); ++i) {
    if (log[i].entity != id.value) continue;
    core::apply(folded, log[i]);
    const bool last_of_its_time =
        std::none_of(log.begin() + static_cast<std::ptrdiff_t>(i) + 1, log.end(),
                     [&](const auto& e) { return e.entity == id.value && e.time == log[i].time; });
    if (!last_of_its_time) continue;
    const auto then = ask<server_view>("server.get", get_server{id.value, log[i].time});
    REQUIRE(then.has_value());
    auto expected = view_of(folded, audit.agents().count(folded.agent) ? &audit.agents().at(folded.agent) : nullptr);
    expected.agent_status = then->agent_status;
    expected.config = then->config;  // masked in the answer
    expected.actions.clear();
    CHECK(pack_map(*then) == pack_map(expected));
    CHECK(then->agent == "alpha");
    CHECK(then->agent_status == msg::agent_status::online);
    CHECK(then->config.contains("MAX_PLAYERS") == folded.env.contains("MAX_PLAYERS"));
    seen.insert(then->status);
    ++compared;
  }
  CHECK(compared > 20);
  using enum server_status;
  for (auto s : {creating, running, stopped, missing, deleting, deleted, purged}) CHECK(seen.contains(s));
}

TEST_CASE_METHOD(stage, "state at a time: before its creation, in the future and in trimmed history it is an error",
                 "[sim][manager]") {
  const auto before = wall.now();
  advance(1s);
  running("pz1");
  auto r = ask<server_view>("server.get", get_server{"pz1", before});
  REQUIRE_FALSE(r.has_value());
  CHECK(r.error().code == ec::not_found);
  CHECK(r.error().message.find("did not exist at") != std::string::npos);
  CHECK(code(ask<server_view>("server.get", get_server{"pz1", wall.now() + 1h})) == "bad_request");
  const auto while_it_ran = wall.now();
  REQUIRE(ask<server_view>("server.get", get_server{"pz1", while_it_ran}).has_value());
  REQUIRE(finish("stop", stop_server{"pz1"}).has_value());
  manager->world().rules.change([](auto& p) { p.history_max = 3; });
  advance(70s);
  r = ask<server_view>("server.get", get_server{"pz1", while_it_ran});
  REQUIRE_FALSE(r.has_value());
  CHECK(r.error().code == ec::not_found);
  CHECK(r.error().message.find("since 2") != std::string::npos);
  CHECK_FALSE(r.error().hint.empty());
}

TEST_CASE_METHOD(stage, "history: pages of any size leave no gap, and trimming is reported", "[sim][manager]") {
  running("pz1");
  REQUIRE(finish("stop", stop_server{"pz1"}).has_value());
  const auto whole = ask<event_page>("server.history", server_history{"pz1", 5'000, 0});
  REQUIRE(whole.has_value());
  CHECK(whole->end);
  std::vector<uint64_t> seen;
  server_history q{"pz1", 2, 0};
  for (bool end = false; !end;) {
    const auto page = ask<event_page>("server.history", q);
    REQUIRE(page.has_value());
    for (const auto& e : page->events) seen.push_back(e.seq);
    if (!page->events.empty()) q.before = page->events.back().seq;
    end = page->end;
  }
  std::vector<uint64_t> expected;
  for (const auto& e : whole->events) expected.push_back(e.seq);
  CHECK(seen == expected);
  manager->world().rules.change([](auto& p) { p.history_max = 5; });
  advance(70s);
  const auto rest = ask<event_page>("server.history", server_history{"pz1", 5'000, 0});
  REQUIRE(rest.has_value());
  CHECK(rest->gap_to > 0);
  CHECK(rest->events.size() < whole->events.size());
}
