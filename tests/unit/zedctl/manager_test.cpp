// doctor, status, metrics.
#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"
#include "tools/zedctl/reports/doctor.hpp"

using namespace zedops;
using namespace zedops::ctl;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;

namespace {

msg::manager_status sound_manager() {
  msg::manager_status m;
  m.version = ZEDOPS_VERSION;
  m.manager_id = "m1";
  m.epoch = "7";
  m.last_seq = 1042;
  m.oldest_seq = 1;
  m.agents = m.agents_online = 1;
  m.servers = {{"running", 3}};
  m.store_bytes = 1 << 20;
  m.started_at = noon - 4h;
  m.counters = {{"facts.committed", 12}};
  return m;
}

msg::agent_view sound_agent() {
  msg::agent_view a;
  a.name = "host1";
  a.status = msg::agent_status::online;
  a.last_seen = noon;
  a.engine_ok = true;
  a.engine_version = "24.0";
  a.version = ZEDOPS_VERSION;
  a.servers = 3;
  return a;
}

verdict of(const std::vector<finding>& all, const std::string& check) {
  for (const auto& f : all)
    if (f.check == check) return f.level;
  throw std::runtime_error("no check " + check);
}

}  // namespace

TEST_CASE("agent describe: a data root that cannot be checked shows the message of the check", "[unit][zedctl]") {
  bench b;
  b.says("agent.get", sound_agent());
  b.says("server.ls", msg::server_list{{pz1()}, {}, 0});
  msg::data_reply look;
  look.servers.resize(1);
  look.servers[0].problem = "data root /srv belongs to aold; start it with --identity aold";
  SECTION("with the remedy") {
    b.says("server.check-data", look);
    REQUIRE(b.run({"agent", "describe", "host1"}) == 0);
    CHECK_THAT(b.out.str(), Contains("unknown: data root /srv belongs to aold; start it with --identity aold"));
  }
  SECTION("but not the problem of one server") {
    look.servers[0].state = msg::data_state::present;
    b.says("server.check-data", look);
    REQUIRE(b.run({"agent", "describe", "host1"}) == 0);
    CHECK_THAT(b.out.str(), !Contains("unknown"));
  }
}

TEST_CASE("doctor: when everything is sound it says ok and exits 0", "[unit][zedctl]") {
  bench b;
  b.says("status", sound_manager());
  b.says("agent.ls", msg::agent_list{{sound_agent()}});
  CHECK(b.run({"doctor"}) == 0);
  CHECK(b.out.str().find("fail") == std::string::npos);
  CHECK(b.out.str().find("warn") == std::string::npos);
  CHECK_THAT(b.out.str(), Contains("store") && Contains("epoch 7") && Contains("events 1 to 1042"));
}

TEST_CASE("doctor: every finding that is not ok has a remedy", "[unit][zedctl]") {
  auto m = sound_manager();
  m.version = "9.9";
  m.servers["missing"] = 2;
  auto away = sound_agent();
  away.name = "away";
  away.status = msg::agent_status::unreachable;
  auto late = sound_agent();
  late.name = "late";
  late.status = msg::agent_status::suspect;
  auto engineless = sound_agent();
  engineless.name = "engineless";
  engineless.engine_ok = false;
  auto found = examine(m, {away, late, engineless}, noon + 1h);
  CHECK(of(found, "versions") == verdict::warn);
  CHECK(of(found, "clock") == verdict::warn);
  CHECK(of(found, "servers") == verdict::warn);
  CHECK(of(found, "agent away") == verdict::fail);
  CHECK(of(found, "agent late") == verdict::warn);
  CHECK(of(found, "agent engineless") == verdict::fail);
  for (const auto& f : found) {
    INFO(f.check);
    CHECK((f.level == verdict::ok) == f.remedy.empty());
  }
}

TEST_CASE("doctor: clocks are compared only with agents that are online", "[unit][zedctl]") {
  auto away = sound_agent();
  away.status = msg::agent_status::unreachable;
  CHECK(of(examine(sound_manager(), {away}, noon + 24h), "clock") == verdict::ok);
  CHECK(of(examine(sound_manager(), {sound_agent()}, noon - 1min), "clock") == verdict::warn);
}

TEST_CASE("doctor: without a manager it fails with the remedy, as a table and as JSON", "[unit][zedctl]") {
  bench b;
  b.refuse_connection = true;
  CHECK(b.run({"doctor"}) == 1);
  CHECK_THAT(b.out.str(), Contains("fail     endpoint") && Contains("start zedops-manager"));
  b.out.str("");
  CHECK(b.run({"doctor", "-o", "json"}) == 1);
  CHECK_THAT(b.out.str(), Contains(R"("verdict": "fail")"));
}

TEST_CASE("doctor: a manager that holds its socket but is silent is recognised", "[unit][zedctl]") {
  bench b;
  b.manager.erase("status");
  CHECK(b.run({"doctor"}) == 1);
  CHECK_THAT(b.out.str(), Contains("ok       endpoint") && Contains("fail     manager"));
}

TEST_CASE("metrics: the manager's text is printed unchanged", "[unit][zedctl][acc-98]") {
  bench b;
  b.says("metrics", msg::metrics_reply{"zedops_servers{status=\"running\"} 3\n"});
  CHECK(b.run({"metrics"}) == 0);
  CHECK(b.out.str() == "zedops_servers{status=\"running\"} 3\n");
}

TEST_CASE("status: one screen", "[unit][zedctl]") {
  bench b;
  b.says("status", sound_manager());
  CHECK(b.run({"status"}) == 0);
  CHECK_THAT(b.out.str(), Contains("1 of 1 online") && Contains("3 running") && Contains("7:1 to 7:1042"));
}
