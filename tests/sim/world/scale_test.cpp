// Many at once, large ones, and a slow disk: each of these was a bug that no simulated life of a few hosts on a
// disk without latency could have shown.
#include "tests/sim/manager/stage.hpp"
#include "tools/loadgen/fill.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::sim;

TEST_CASE("the largest requests, gathered by a slow disk into what would be one batch, fail no other request",
          "[sim][world]") {
  stage s;
  constexpr int large = 300, small = 20;
  for (int i = 0; i < small; ++i) s.running("small-" + std::to_string(i));
  s.commit_takes = [] { return 400ms; };
  s.send("server.ls", list_servers{});
  std::vector<std::string> asked;
  for (int i = 0; i < large; ++i) {
    auto c = a_server("large-" + std::to_string(i), "alpha");
    c.template_name = "generic";  // it needs no ports
    for (int n = 0; n < 2; ++n) c.config["K" + std::to_string(n)] = std::string(31'000, 'x');
    asked.push_back(s.send("server.create", c));
    if (i < small) asked.push_back(s.send("server.stop", stop_server{"alpha/small-" + std::to_string(i)}));
  }
  REQUIRE(s.until([&] { return std::ranges::all_of(asked, [&](auto& r) { return s.answered(r); }); }, 60s));
  for (const auto& r : asked) {
    const auto answer = s.answer<operation_reply>(r);
    INFO((answer ? std::string() : answer.error().message));
    CHECK(answer.has_value());
  }
}

TEST_CASE("overdue deleted servers of agents that are away, however many, delay no other deadline", "[sim][world]") {
  world w(1);
  load::fill_options gone;
  gone.servers = 11'000;
  gone.agents = 1;
  gone.deleted = true;
  gone.at = sim_start - 24h;
  REQUIRE(load::fill_store(w.db, gone).has_value());
  w.boot();
  agent_options slow;
  slow.step_min = slow.step_max = 10min;
  w.add_host("alpha", slow).gives_up = false;
  REQUIRE(w.until([&] { return w.agent_status("alpha") == agent_status::online; }));
  const auto create = w.send("server.create", a_server("pz1", "alpha"), {.wait = true});
  REQUIRE(w.until([&] { return w.answered(create); }, 2min));
  const auto answer = w.answer<operation_reply>(create);
  REQUIRE(answer);
  CHECK(answer->operation.status == op_status::failed);
  CHECK(answer->operation.failure->code == ec::timeout);
  CHECK(w.report() == "");
}

TEST_CASE("hundreds of agents that connect at once to a manager with a slow disk are each welcomed once",
          "[sim][world]") {
  constexpr int hosts = 400;
  world w(3);
  std::map<std::string, std::set<uint64_t>> sessions;  // by wire: the sessions begun on it
  const auto audit_of = w.net.on_send;
  w.net.on_send = [&](const std::string& wire, const to_agent& what) {
    if (const auto* hello = std::get_if<welcome>(&what)) sessions[wire].insert(hello->session);
    audit_of(wire, what);
  };
  w.boot();
  for (int i = 0; i < hosts; ++i) w.add_host("h" + std::to_string(i));
  const auto all_online = [&] {
    for (const auto& [name, a] : w.agents)
      if (!a->in_session() || w.agent_status(name) != agent_status::online) return false;
    return true;
  };
  REQUIRE(w.until(all_online, 60s));
  sessions.clear();
  w.crash_manager();
  w.commit_takes = [] { return 700ms; };
  w.net.delay_max = 900ms;  // so that a second hello is on its way when the first has been dealt with
  w.boot();
  const auto back = w.time.now();
  REQUIRE(w.until(all_online, 20s));
  CHECK(w.time.now() - back < 10s);
  w.advance(10s);
  CHECK(all_online());
  CHECK(sessions.size() == hosts);
  for (const auto& [wire, numbers] : sessions) CHECK(numbers.size() == 1);
  CHECK(w.report() == "");
}
