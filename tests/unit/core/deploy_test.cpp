// The state machine of services: every phase of a deployment, and every way it can end.
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/service_life.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::core::testing;
using namespace std::chrono_literals;

namespace {

std::vector<deploy_phase> phases_of(const deployment& d) {
  std::vector<deploy_phase> out;
  for (const auto& p : d.phases) out.push_back(p.phase);
  return out;
}

const std::vector<deploy_phase> all_phases = {deploy_phase::queued,
                                              deploy_phase::pulling_source,
                                              deploy_phase::building,
                                              deploy_phase::copying_files,
                                              deploy_phase::creating_symlinks,
                                              deploy_phase::updating_routes,
                                              deploy_phase::health_check,
                                              deploy_phase::active};
const std::vector<deploy_phase> at_work = {deploy_phase::pulling_source, deploy_phase::copying_files,
                                           deploy_phase::creating_symlinks, deploy_phase::updating_routes,
                                           deploy_phase::health_check};

}  // namespace

TEST_CASE("deploy: every phase is recorded in order, and each begins with its command", "[core][acc-79]") {
  life l;
  l.deploy();
  std::vector<deploy_phase> commands;
  uint32_t progress = 0;
  while (l.s.op) {
    REQUIRE(l.sent());
    CHECK(l.sent()->attempt == l.s.op->attempt);
    CHECK(l.sent()->plan.number == 1);
    commands.push_back(l.sent()->plan.phase);
    CHECK(l.newest().progress >= progress);
    progress = l.newest().progress;
    l.report();
  }
  CHECK(commands == at_work);
  CHECK(phases_of(l.newest()) == all_phases);
  CHECK(l.newest().status == deploy_status::success);
  CHECK(l.newest().progress == 100);
  CHECK(l.newest().proof.at("left_by") == "health_check");
  CHECK(l.s.current == 1);
  CHECK(l.s.health == service_health::healthy);
}

TEST_CASE("deploy: progress within a phase moves the overall progress forwards, never back", "[core][acc-79]") {
  life l;
  l.deploy();
  l.until(deploy_phase::copying_files);
  const auto say = [&](uint32_t percent, std::string note) {
    command_progress p;
    p.op = l.s.op->id;
    p.attempt = l.s.op->attempt;
    p.progress = percent;
    p.note = std::move(note);
    return l.take(core::phase_progressed{p});
  };
  say(50, "half");
  CHECK(l.newest().progress == 62);
  CHECK(l.newest().note == "half");
  say(10, "again");
  CHECK(l.newest().progress == 62);
  CHECK(say(10, "again").facts.empty());
  l.report(broken);
  CHECK(l.newest().progress == 62);
  CHECK(l.newest().phase == deploy_phase::failed);
}

TEST_CASE("deploy: a failure before the switch ends it, and what is served stays", "[core][acc-82]") {
  for (const auto phase : {deploy_phase::pulling_source, deploy_phase::copying_files}) {
    life l;
    l.deploy();
    l.finish();
    l.deploy();
    l.until(phase);
    l.report(broken);
    INFO(name_of(phase));
    CHECK_FALSE(l.s.op);
    CHECK_FALSE(l.sent());
    CHECK(l.newest().status == deploy_status::failed);
    CHECK(l.newest().failure->message == broken.message);
    CHECK(l.newest().proof.at("ended_in") == name_of(phase));
    CHECK(l.s.current == 1);
    CHECK(l.s.deployments.front().status == deploy_status::success);
  }
}

TEST_CASE("deploy: after a failure behind the switch the previous version is restored before it ends", "[core]") {
  for (const auto phase : {deploy_phase::creating_symlinks, deploy_phase::updating_routes, deploy_phase::health_check})
    for (const bool first : {true, false})
      for (const bool well : {true, false}) {
        life l;
        if (!first) l.deploy(), l.finish();
        l.deploy();
        l.until(phase);
        l.report(broken);
        INFO(name_of(phase) << (first ? " of the first" : "") << (well ? "" : ", badly"));
        REQUIRE(l.sent());
        CHECK(l.sent()->plan.phase == deploy_phase::creating_symlinks);
        CHECK(l.sent()->plan.going_back);
        CHECK(l.sent()->plan.number == (first ? 0 : 1));
        if (well) l.report();
        else l.report(error{ec::internal, "the disk is full", "", {}});
        CHECK(l.newest().failure->message.starts_with(broken.message));
        CHECK(well !=
              (l.newest().failure->message.find("could not be restored: the disk is full") != std::string::npos));
        CHECK_FALSE(l.s.op);
        CHECK(l.newest().status == deploy_status::failed);
        CHECK(l.s.current == (first ? 0 : 1));
      }
}

TEST_CASE("deploy: whatever dies in whatever phase, the same command is sent again", "[core][acc-82][acc-84]") {
  for (const auto phase : at_work) {
    life l;
    l.deploy();
    l.until(phase);
    const auto before = l.s.op->attempt;
    l.cx.now += 100h;  // however old
    l.take(core::agent_ready{});
    INFO(name_of(phase));
    REQUIRE(l.sent());
    CHECK(l.sent()->plan.phase == phase);
    CHECK(l.sent()->attempt == before);
    // A late report of an earlier attempt is ignored.
    auto late = l.result(broken);
    --late.attempt;
    CHECK(l.take(core::phase_reported{late}).facts.empty());
    l.finish();
    CHECK(l.newest().status == deploy_status::success);
  }
}

TEST_CASE("deploy: the fetched commit is recorded, and every repetition uses it", "[core][acc-82]") {
  life l;
  deploy_source from;
  from.kind = source_kind::git;
  from.url = "https://example.org/shop.git";
  from.revision = "main";
  l.take(core::service_requested{deploy_service{}, l.who(), from});
  CHECK(l.sent()->plan.source.commit.empty());
  auto r = l.result();
  r.proof["commit"] = "abc";
  l.take(core::phase_reported{r});
  CHECK(l.newest().source.commit == "abc");
  CHECK(l.sent()->plan.source.commit == "abc");
  l.report();
  l.take(core::agent_ready{});
  CHECK(l.sent()->plan.source.commit == "abc");
}

TEST_CASE("deploy: a phase without progress for the time limit has failed - one that reports goes on",
          "[core][acc-81]") {
  for (const auto phase : at_work) {
    life l;
    l.deploy();
    l.until(phase);
    for (int n = 0; n < 120; ++n) {  // an hour with reports
      l.cx.now += 30s;
      command_progress p;
      p.op = l.s.op->id;
      p.attempt = l.s.op->attempt;
      p.note = std::to_string(n);
      l.take(core::phase_progressed{p});
      l.take(core::tick{});
    }
    INFO(name_of(phase));
    REQUIRE(l.s.op);
    CHECK(l.s.run->phase == phase);
    l.cx.now += l.cx.stall;
    l.take(core::tick{});
    CHECK(l.withdrawn());
    if (l.s.op) l.report();  // going back
    CHECK(l.newest().status == deploy_status::failed);
    CHECK(l.newest().failure->message.find("no progress in " + std::string(name_of(phase))) != std::string::npos);
  }
}

TEST_CASE("deploy: repeated equal reports keep a phase alive, and few of them are committed", "[core][acc-81]") {
  for (const auto phase : at_work) {
    life l;
    l.deploy();
    l.until(phase);
    size_t commits = 0;
    const auto say = [&] {
      command_progress p;
      p.op = l.s.op->id;
      p.attempt = l.s.op->attempt;
      p.note = "the same";
      if (!l.take(core::phase_progressed{p}).facts.empty()) ++commits;
    };
    for (int n = 0; n < 120; ++n) {  // an hour
      l.cx.now += 30s;
      say();
      l.take(core::tick{});
    }
    INFO(name_of(phase));
    REQUIRE(l.s.op);
    CHECK(l.s.run->phase == phase);
    CHECK(commits < 50);     // one per quarter of the limit
    l.cx.now += l.cx.stall;  // silence
    l.take(core::tick{});
    if (l.s.op) l.report();  // going back
    CHECK(l.newest().status == deploy_status::failed);
  }
}

TEST_CASE("deploy: a deployment waits for a host that goes away, and does not fail", "[core][acc-81]") {
  life l;
  l.deploy();
  l.until(deploy_phase::copying_files);
  l.cx.agent_online = false;
  l.cx.now += 1h;
  l.take(core::tick{});
  REQUIRE(l.s.op);
  CHECK(l.s.op->step == step_waiting);
  l.cx.now += 24h;
  l.take(core::tick{});
  REQUIRE(l.s.op);
  l.cx.agent_online = true;
  l.take(core::agent_ready{});
  CHECK(l.s.op->step == "copying_files");
  CHECK(l.sent()->plan.phase == deploy_phase::copying_files);
  l.finish();
  CHECK(l.newest().status == deploy_status::success);
}

TEST_CASE("deploy: requested while its host is away it is pending, then begins", "[core]") {
  life l;
  l.cx.agent_online = false;
  l.deploy();
  CHECK(l.newest().status == deploy_status::pending);
  CHECK_FALSE(l.sent());
  SECTION("and begins") {
    l.cx.agent_online = true;
    l.take(core::agent_ready{});
    CHECK(l.sent()->plan.phase == deploy_phase::pulling_source);
    l.finish();
    CHECK(phases_of(l.newest()) == all_phases);
  }
  SECTION("or is cancelled") {
    CHECK_FALSE(l.take(core::cancel_requested{l.s.op->id, "ann"}).refusal);
    CHECK(l.newest().status == deploy_status::cancelled);
    CHECK_FALSE(l.withdrawn());
  }
  SECTION("or the host never comes back") {
    l.cx.now += core::waiting_max;
    l.take(core::tick{});
    CHECK(l.newest().status == deploy_status::failed);
  }
}

TEST_CASE("deploy: cancelled before the switch it ends at once, after the switch it is rolled back", "[core][acc-85]") {
  for (const auto phase : at_work) {
    life l;
    l.deploy();
    l.finish();
    l.deploy();
    l.until(phase);
    const auto id = l.s.op->id;
    CHECK_FALSE(l.take(core::cancel_requested{id, "ann"}).refusal);
    CHECK(l.withdrawn());
    INFO(name_of(phase));
    if (core::switches(phase)) {
      REQUIRE(l.s.op);
      CHECK(l.take(core::cancel_requested{id, "ann"}).refusal->code == ec::wrong_state);
      CHECK(core::plan_for(l.s, l.cx).number == 1);
      l.report();
    }
    CHECK_FALSE(l.s.op);
    CHECK(l.newest().status == deploy_status::cancelled);
    CHECK_FALSE(l.newest().worked);
    CHECK(l.s.current == 1);
    // Nothing changes it after its end.
    command_result late;
    late.op = id;
    late.attempt = 99;
    CHECK(l.take(core::phase_reported{late}).facts.empty());
  }
}

TEST_CASE("deploy: one at a time - the next one waits, and begins when the other ends", "[core]") {
  life l;
  l.deploy();
  l.until(deploy_phase::copying_files);
  REQUIRE_FALSE(l.deploy().refusal);
  CHECK_FALSE(l.sent());
  REQUIRE(l.s.waiting);
  CHECK(l.newest().status == deploy_status::pending);
  CHECK(l.s.run->number == 1);
  CHECK(l.roll_back().refusal->code == ec::busy);
  const auto second = l.s.waiting->id;
  SECTION("which succeeded") {
    while (l.s.op->id != second) l.report();
    CHECK(l.s.current == 1);
  }
  SECTION("which failed") {
    l.report(broken);
    CHECK(l.s.deployments[0].status == deploy_status::failed);
  }
  SECTION("which was cancelled") { l.take(core::cancel_requested{l.s.op->id, "ann"}); }
  SECTION("while its host was away") {
    l.cx.agent_online = false;
    l.report(broken);
    CHECK(l.newest().status == deploy_status::pending);
    CHECK(l.s.op->step == step_waiting);
    l.cx.agent_online = true;
    l.take(core::agent_ready{});
  }
  REQUIRE(l.s.op);
  CHECK(l.s.op->id == second);
  CHECK_FALSE(l.s.waiting);
  CHECK(l.sent()->op == second);
  CHECK(l.sent()->plan.number == 2);
  CHECK(l.sent()->plan.phase == deploy_phase::pulling_source);
  l.finish();
  CHECK(l.s.current == 2);
  CHECK(phases_of(l.newest()) == all_phases);
}

TEST_CASE("deploy: a change of settings replaces no deployment that is running or waiting", "[core]") {
  life l;
  l.deploy();
  l.until(deploy_phase::copying_files);
  const auto first = l.s.op->id;
  const auto edit = [&] { return l.take(core::service_requested{edit_service{"shop/web", 9, {}, {}, {}}, l.who()}); };
  CHECK_FALSE(edit().refusal);
  REQUIRE(l.s.op);
  CHECK(l.s.op->id == first);
  CHECK_FALSE(l.s.waiting);
  l.deploy();
  const auto second = l.s.waiting->id;
  CHECK_FALSE(edit().refusal);
  CHECK(l.s.retention == 9);
  CHECK(l.s.op->id == first);
  REQUIRE(l.s.waiting);
  CHECK(l.s.waiting->id == second);
  while (l.s.op && l.s.op->id == first) l.report();
  l.finish();
  CHECK(l.s.current == 2);
}

TEST_CASE("deploy: a version is checked at the health path that it was deployed with, also after a rollback",
          "[core]") {
  life l;
  const auto ask_at = [&](const std::string& path) {
    l.take(core::service_requested{edit_service{"shop/web", {}, path, {}, {}, {}}, l.who()});
  };
  const auto asked_at = [&] { return core::plan_for(l.s, l.cx).health_path; };
  ask_at("/one");
  l.deploy();
  ask_at("/two");
  CHECK(asked_at() == "/one");
  l.finish();
  CHECK(asked_at() == "/one");
  l.deploy();
  CHECK(asked_at() == "/two");
  l.finish();
  l.take(core::service_requested{rollback_service{"shop/web", 1}, l.who()});
  CHECK(asked_at() == "/one");
  l.finish();
  CHECK(asked_at() == "/one");
  l.s.deployments.front().health_path.reset();  // as in records from before this field existed
  CHECK(asked_at() == "/two");
}

TEST_CASE("deploy: of the waiting ones only the newest counts, and it can be cancelled", "[core]") {
  life l;
  l.deploy();
  l.deploy();
  const auto second = l.s.waiting->id;
  l.deploy();
  CHECK(l.s.waiting->id != second);
  CHECK(l.s.deployments[1].status == deploy_status::cancelled);
  CHECK(l.s.deployments[1].ended_at != never);
  CHECK_FALSE(l.take(core::cancel_requested{l.s.waiting->id, "ann"}).refusal);
  CHECK_FALSE(l.s.waiting);
  CHECK(l.newest().status == deploy_status::cancelled);
  REQUIRE(l.s.op);
  l.finish();
  CHECK(l.s.current == 1);
  CHECK_FALSE(l.s.op);
}

TEST_CASE("deploy: versions beyond the retention are pruned, the served one and its predecessor stay",
          "[core][acc-86][fc-52]") {
  life l;
  for (int n = 0; n < 6; ++n) l.deploy(), l.finish();
  const auto pruned = [&] {
    std::vector<uint32_t> out;
    for (const auto& d : l.s.deployments)
      if (d.pruned) out.push_back(d.number);
    return out;
  };
  CHECK(pruned() == std::vector<uint32_t>{1, 2, 3});
  CHECK(core::kept_deployments(l.s) == std::vector<uint32_t>{5, 6});
  l.roll_back(5);
  CHECK(core::kept_deployments(l.s) == std::vector<uint32_t>{5, 6});
  l.finish();
  CHECK(l.s.current == 5);
  l.deploy();
  l.until(deploy_phase::copying_files);
  const auto keep = l.sent()->plan.keep;
  CHECK(std::ranges::count(keep, 5) == 1);
  CHECK(std::ranges::count(keep, 7) == 1);
}
