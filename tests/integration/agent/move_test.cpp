#include <sys/stat.h>

#include <fstream>

#include "tests/integration/agent/rig.hpp"
#include "tests/integration/agent/trees.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> nothing;

struct mover : rig {
  fs::path from = fs::path(data_root());
  fs::path to = from.parent_path() / "new";

  server_plan at(const std::string& name, const fs::path& root) {
    auto plan = busybox(name, living);
    const auto tree = (root / name).string();
    plan.container.mounts = {{tree + "/data", "/data", false}};
    plan.data = {root.string(), name, {{"data", tree + "/data", true}}, {}};
    return plan;
  }
  run_command move(const std::string& name, const std::string& container) {
    auto c = command(command_kind::move, name, at(name, to));
    c.source = at(name, from).data;
    c.container_id = container;
    c.demand = data_demand::present;
    return c;
  }
  run_command clean(const run_command& after, const std::string& container) {
    auto c = after;
    c.kind = command_kind::drop_source;
    c.attempt = 2;
    c.container_id = container;
    return c;
  }
  std::string born(const std::string& name) {
    const auto id = run(command(command_kind::run, name, at(name, from))).after.view.id;
    std::ofstream(from / name / "data/world") << std::string(100'000, 'w');
    return id;
  }
};

}  // namespace

TEST_CASE_METHOD(mover, "agent: a running server moves with its data, and the original is removed only on command",
                 "[integration][agent][fc-23]") {
  welcome();
  const auto old = born("goes");
  const auto c = move("goes", old);
  auto r = run(c);
  INFO((r.failure ? r.failure->message : ""));
  REQUIRE_FALSE(r.failure);
  CHECK(r.data_root == to.string());
  CHECK(r.after.view.id != old);
  CHECK(r.after.view.state == container_state::running);
  CHECK(r.after.view.name == c.plan.container.name);
  CHECK(r.after.data == data_state::present);
  CHECK(containers("goes").size() == 1);
  REQUIRE(inspect(r.after.view.id).mounts.size() == 1);
  CHECK(inspect(r.after.view.id).mounts[0].source == (to / "goes/data").string());
  CHECK(text_of(to / "goes/data/world") == text_of(from / "goes/data/world"));
  CHECK(text_of(to / "goes/data/births") == "born\nborn\n");
  CHECK(text_of(from / "goes/data/births") == "born\n");

  const auto cleaned = run(clean(c, r.after.view.id));
  INFO((cleaned.failure ? cleaned.failure->message : ""));
  REQUIRE_FALSE(cleaned.failure);
  CHECK(cleaned.bytes_removed == 100'005u);
  CHECK_FALSE(fs::exists(from / "goes"));
  CHECK(left_overs(from) == nothing);
  CHECK(left_overs(to) == nothing);
  CHECK(cleaned.after.view.state == container_state::running);
  CHECK(text_of(to / "goes/data/world").size() == 100'000);
}

TEST_CASE_METHOD(mover, "agent: a stopped server stays stopped, in a container on the new path",
                 "[integration][agent][fc-23]") {
  welcome();
  const auto old = born("rests");
  auto stop = command(command_kind::stop, "rests", at("rests", from));
  stop.container_id = old;
  REQUIRE_FALSE(run(stop).failure);
  auto r = run(move("rests", old));
  INFO((r.failure ? r.failure->message : ""));
  REQUIRE_FALSE(r.failure);
  CHECK(r.after.view.state == container_state::created);
  CHECK(r.after.view.id != old);
  CHECK(inspect(r.after.view.id).mounts[0].source == (to / "rests/data").string());
  auto start = command(command_kind::run, "rests", at("rests", to));
  start.container_id = r.after.view.id;
  CHECK(run(start).after.view.state == container_state::running);
  CHECK(text_of(to / "rests/data/births") == "born\nborn\n");
}

TEST_CASE_METHOD(mover, "agent: a move that fails leaves the old container running on its data, and no copy",
                 "[integration][agent][fc-23]") {
  welcome();
  const auto old = born("fails");
  auto c = move("fails", old);
  bool touched = true;  // it was stopped before this could be known
  SECTION("because the new container does not stay up") { c.plan.container.command = {"sh", "-c", "exit 4"}; }
  SECTION("because the new container cannot be started") { c.plan.container.command = {"/no/such/program"}; }
  SECTION("because the target has other data") {
    touched = false;
    fs::create_directories(to / "fails");
    std::ofstream(to / ".zedops-data-root") << env().state.id().value << "\n";
  }
  SECTION("because the folder is not empty and not ours") {
    touched = false;
    fs::create_directories(to);
    std::ofstream(to / "theirs") << "x";
  }
  SECTION("because there is a pipe in the data") {
    touched = false;
    REQUIRE(::mkfifo((from / "fails/data/pipe").c_str(), 0600) == 0);
  }
  auto r = run(c);
  REQUIRE(r.failure);
  INFO(r.failure->message);
  CHECK(r.data_root.empty());
  CHECK(r.after.view.id == old);
  CHECK(r.after.view.state == container_state::running);
  CHECK(r.after.view.name == c.plan.container.name);
  CHECK(r.after.data == data_state::present);
  CHECK(containers("fails").size() == 1);
  CHECK(text_of(from / "fails/data/births") == (touched ? "born\nborn\n" : "born\n"));
  CHECK(text_of(from / "fails/data/world").size() == 100'000);
  CHECK(left_overs(to) == nothing);
  CHECK_FALSE(fs::exists(to / "fails/data"));
}

TEST_CASE_METHOD(mover, "agent: a move interrupted at any effect is finished or rolled back by the same command",
                 "[integration][agent][fc-23]") {
  const bool fails = GENERATE(false, true);
  welcome();
  std::vector<std::string> seen;
  for (int n = 0;; ++n) {
    const auto name = "cut" + std::to_string(n) + (fails ? "f" : "s");
    const auto old = born(name);
    auto c = move(name, old);
    c.plan.stop.grace = 1s;
    if (!fails) c.plan.settle = soon_proven;
    if (fails) c.plan.container.command = {"sh", "-c", "exit 4"};
    std::optional<command_result> result;
    const auto where = run_until(c, n, result);
    if (where) {
      seen.push_back(*where);
      CHECK(text_of(from / name / "data/world").size() == 100'000);  // the original is whole at every moment
      run_until(c, 1000, result);
    }
    REQUIRE(result);
    INFO("interrupted after " << where.value_or("nothing"));
    INFO((result->failure ? result->failure->message : result->note));
    CHECK(result->failure.has_value() == fails);
    CHECK(result->after.view.state == container_state::running);
    CHECK(result->after.view.name == c.plan.container.name);
    CHECK((result->after.view.id == old) == fails);
    CHECK(result->after.rivals.empty());
    CHECK(containers(name).size() == 1);
    CHECK(text_of((fails ? from : to) / name / "data/world").size() == 100'000);
    auto last = command(command_kind::remove, name, at(name, fails ? from : to));
    last.container_id = result->after.view.id;
    REQUIRE_FALSE(run(last).failure);
    if (!where) break;
  }
  const std::vector<std::string> expected =
      fails ? std::vector<std::string>{"stopped", "copied",       "placed",        "renamed",     "created",
                                       "started", "renamed_back", "started_again", "copy_dropped"}
            : std::vector<std::string>{"stopped", "copied",  "placed", "renamed",
                                       "created", "started", "proved", "switched"};
  for (const auto& effect : expected) {
    CAPTURE(effect);
    CHECK(std::find(seen.begin(), seen.end(), effect) != seen.end());
  }
}

TEST_CASE_METHOD(mover, "agent: the original is not removed while its copy cannot be seen",
                 "[integration][agent][fc-23]") {
  welcome();
  const auto old = born("blind");
  const auto c = move("blind", old);
  const auto r = run(c);
  REQUIRE_FALSE(r.failure);
  fs::rename(to / ".zedops-data-root", to / "marker-aside");  // as if the disk were not mounted
  const auto cleaned = run(clean(c, r.after.view.id));
  REQUIRE(cleaned.failure);
  CHECK(cleaned.failure->code == ec::data_unknown);
  CHECK(text_of(from / "blind/data/world").size() == 100'000);
}
