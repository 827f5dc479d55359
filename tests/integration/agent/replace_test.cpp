#include <fstream>

#include "tests/integration/agent/rig.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

namespace {

const std::vector<std::string> obedient{"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"};

}  // namespace

TEST_CASE_METHOD(rig, "agent: replace puts a new container in the old one's place", "[integration][agent][acc-42]") {
  auto plan = zomboid("swap");
  plan.container.networks.clear();
  welcome();
  auto old = run(command(command_kind::run, "swap", plan)).after.view.id;
  plan.container.env["NEW"] = "1";
  auto c = command(command_kind::replace, "swap", plan);
  c.container_id = old;
  auto r = run(c);
  INFO((r.failure ? r.failure->message : ""));
  REQUIRE_FALSE(r.failure);
  CHECK(r.after.view.id != old);
  CHECK(r.after.view.name == plan.container.name);
  CHECK(r.after.rivals.empty());
  CHECK(gone(old));
  CHECK(inspect(r.after.view.id).env.at("NEW") == "1");
  CHECK(containers("swap").size() == 1);
}

TEST_CASE_METHOD(rig, "agent: a failed replacement restores the old container, running as before",
                 "[integration][agent][acc-42][fc-14]") {
  auto plan = busybox("rollback", obedient);
  welcome();
  auto old = run(command(command_kind::run, "rollback", plan)).after.view.id;
  auto bad = plan;
  SECTION("because it cannot be started") { bad.container.command = {"/no/such/program"}; }
  SECTION("because it dies at once") { bad.container.command = {"sh", "-c", "echo corrupt world; exit 4"}; }
  SECTION("because there is no such image") { bad.container.image = "127.0.0.1:1/nothing:1"; }
  auto c = command(command_kind::replace, "rollback", bad);
  c.container_id = old;
  auto r = run(c);
  REQUIRE(r.failure);
  INFO(r.failure->message);
  CHECK(r.after.view.id == old);
  CHECK(r.after.view.state == container_state::running);
  CHECK(r.after.view.name == plan.container.name);
  CHECK(r.after.rivals.empty());
  CHECK(containers("rollback").size() == 1);
}

TEST_CASE_METHOD(rig, "agent: a failed replacement of a stopped server leaves it stopped", "[integration][agent]") {
  auto plan = busybox("idle", obedient);
  welcome();
  auto old = run(command(command_kind::run, "idle", plan)).after.view.id;
  run(command(command_kind::stop, "idle", plan));
  auto bad = plan;
  bad.container.command = {"/no/such/program"};
  auto c = command(command_kind::replace, "idle", bad);
  c.container_id = old;
  auto r = run(c);
  CHECK(r.failure);
  CHECK(r.after.view.id == old);
  CHECK(r.after.view.state == container_state::exited);
}

TEST_CASE_METHOD(rig, "agent: a replacement interrupted at any effect converges when it is repeated",
                 "[integration][agent][acc-42][acc-48]") {
  auto plan = busybox("crash", obedient);
  auto bad = plan;
  const bool fails = GENERATE(false, true);
  if (fails) bad.container.command = {"sh", "-c", "exit 4"};
  welcome();
  std::vector<std::string> seen;
  for (int n = 0;; ++n) {
    auto old = run(command(command_kind::run, "crash", plan)).after.view.id;
    auto c = command(command_kind::replace, "crash", bad);
    c.container_id = old;
    if (!fails) c.plan.settle = soon_proven;
    std::optional<command_result> result;
    auto where = run_until(c, n, result);
    if (where) {
      seen.push_back(*where);
      INFO("interrupted after " << *where);
      run_until(c, 1000, result);
      REQUIRE(result);
      INFO((result->failure ? result->failure->message : result->note));
      CHECK(result->failure.has_value() == fails);
    }
    REQUIRE(result);
    CHECK(result->after.view.state == container_state::running);
    CHECK(result->after.view.name == plan.container.name);
    CHECK((result->after.view.id == old) == fails);
    CHECK(result->after.rivals.empty());
    CHECK(containers("crash").size() == 1);
    REQUIRE_FALSE(run(command(command_kind::remove, "crash", plan)).failure);
    if (!where) break;
  }
  CHECK(std::find(seen.begin(), seen.end(), "renamed") != seen.end());
  CHECK(std::find(seen.begin(), seen.end(), "created") != seen.end());
  CHECK(std::find(seen.begin(), seen.end(), fails ? "renamed_back" : "proved") != seen.end());
}

TEST_CASE_METHOD(rig, "agent: a run interrupted at any effect makes exactly one container when it is repeated",
                 "[integration][agent][acc-48]") {
  auto plan = busybox("once", obedient);
  welcome();
  for (int n = 0;; ++n) {
    auto c = command(command_kind::run, "once", plan);
    std::optional<command_result> result;
    auto where = run_until(c, n, result);
    if (where) run_until(c, 1000, result);
    REQUIRE(result);
    INFO((where ? *where : "not interrupted"));
    CHECK_FALSE(result->failure);
    CHECK(result->after.view.state == container_state::running);
    CHECK(containers("once").size() == 1);
    REQUIRE_FALSE(run(command(command_kind::remove, "once", plan)).failure);
    if (!where) break;
  }
}

TEST_CASE_METHOD(rig, "agent: leftovers of another operation's interrupted replacement are settled by the next start",
                 "[integration][agent][fc-14]") {
  auto plan = busybox("left", obedient);
  welcome();
  auto old = run(command(command_kind::run, "left", plan)).after.view.id;
  for (int n : {1, 2}) {  // after the rename; after the creation
    auto c = command(command_kind::replace, "left", plan);
    c.container_id = old;
    std::optional<command_result> ignored;
    auto where = run_until(c, n, ignored);
    INFO((where ? *where : "?"));
    auto start = command(command_kind::run, "left", plan);
    start.container_id = old;
    auto r = run(start);
    INFO((r.failure ? r.failure->message : r.note));
    CHECK_FALSE(r.failure);
    CHECK(r.after.view.id == old);
    CHECK(r.after.view.name == plan.container.name);
    CHECK(r.after.view.state == container_state::running);
    CHECK(containers("left").size() == 1);
  }
}
