// Adopting a container that was made by hand, on a real Engine and a real disk.
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

struct adopter : rig {
  fs::path old = fs::path(data_root()).parent_path() / "old";  // where the original has its data
  fs::path root = fs::path(data_root());
  std::vector<std::string> made;

  ~adopter() {
    for (const auto& id : made) docker("rm -f -v " + id);
  }
  std::string called(const std::string& name) const { return "hand-" + name + "-" + manager_id(); }
  // As a user made it by hand: no label, its data where they chose.
  container_spec by_hand(const std::string& name) {
    container_spec c;
    c.name = called(name);
    c.image = "zedops/busybox:test";
    c.command = living;
    c.env = {{"MOTD", "hello"}};
    c.mounts = {{(old / name).string(), "/data", false}};
    return c;
  }
  std::string make(const container_spec& c, bool started = true) {
    for (const auto& m : c.mounts) fs::create_directories(m.source);
    auto r = wait_for<docker::created_container>([&](auto h) { engine().create_container(c, {}, h); });
    REQUIRE(r);
    made.push_back(r->id);
    if (started) REQUIRE(wait_for<docker::effect>([&](auto h) { engine().start_container(r->id, {}, h); }));
    return r->id;
  }
  // Its data: a world, and a file with another owner and its own mode.
  std::string born(const std::string& name) {
    const auto id = make(by_hand(name));
    std::ofstream(old / name / "world") << std::string(100'000, 'w');
    std::ofstream(old / name / "theirs") << "x";
    REQUIRE(::chown((old / name / "theirs").c_str(), 1234, 5678) == 0);
    fs::permissions(old / name / "theirs", fs::perms(0640));
    return id;
  }
  run_command adopt(const std::string& name, const std::string& original) {
    auto c = command(command_kind::adopt, name, busybox(name, living));
    c.original = original;
    c.demand = data_demand::present;
    return c;
  }
};

}  // namespace

TEST_CASE_METHOD(adopter,
                 "agent: a running container is adopted with its data, and the original data stays where it was",
                 "[integration][agent][fc-24]") {
  welcome();
  const auto original = born("goes");
  const auto r = run(adopt("goes", original));
  INFO((r.failure ? r.failure->message : r.note));
  REQUIRE_FALSE(r.failure);
  CHECK_FALSE(r.untouched);
  CHECK(gone(original));
  CHECK(r.after.view.state == container_state::running);
  CHECK(r.after.data == data_state::present);
  CHECK(containers("goes").size() == 1);
  CHECK(text_of(root / "goes/data/world").size() == 100'000);
  CHECK(text_of(root / "goes/data/births") == "born\nborn\n");
  CHECK(text_of(old / "goes/births") == "born\n");
  CHECK(text_of(old / "goes/world").size() == 100'000);
  struct stat theirs {};
  REQUIRE(::stat((root / "goes/data/theirs").c_str(), &theirs) == 0);
  CHECK(theirs.st_uid == 1234);
  CHECK(theirs.st_gid == 5678);
  CHECK((theirs.st_mode & 07777) == 0640);
  CHECK(left_overs(root) == nothing);
  CHECK(r.note.find((old / "goes").string()) != std::string::npos);
}

TEST_CASE_METHOD(adopter,
                 "agent: a stopped container with a volume, already under the new name, is adopted and stays stopped",
                 "[integration][agent][fc-24]") {
  welcome();
  auto c = adopt("rests", {});
  const auto volume = "vol-" + manager_id();
  docker("run -d --name " + c.plan.container.name + " -v " + volume +
         ":/data zedops/busybox:test sh -c 'echo kept > /data/world'");
  auto at =
      wait_for<docker::container_details>([&](auto h) { engine().inspect_container(c.plan.container.name, {}, h); });
  REQUIRE(at);
  c.original = at->view.id;
  made.push_back(at->view.id);
  docker("wait " + at->view.id);
  REQUIRE(at->volumes.size() == 1);
  const auto r = run(c);
  INFO((r.failure ? r.failure->message : r.note));
  REQUIRE_FALSE(r.failure);
  CHECK(gone(c.original));
  CHECK(r.after.view.name == c.plan.container.name);
  CHECK(r.after.view.state == container_state::created);
  CHECK(text_of(root / "rests/data/world") == "kept\n");
  CHECK(text_of(fs::path(at->volumes[0].source) / "world") == "kept\n");
  docker("volume rm " + volume);
}

TEST_CASE_METHOD(adopter, "agent: a failed adoption leaves the original as it was, and nothing of ours",
                 "[integration][agent][fc-24]") {
  welcome();
  const auto original = born("fails");
  auto c = adopt("fails", original);
  size_t births = 1;
  SECTION("because the new container does not stay up") {
    c.plan.container.command = {"sh", "-c", "exit 4"};
    births = 2;
  }
  SECTION("because the new container cannot be started") {
    c.plan.container.command = {"/no/such/program"};
    births = 2;
  }
  SECTION("because its image cannot be pulled: this is found before anything is stopped") {
    c.plan.container.image = "127.0.0.1:1/nothing:here";
  }
  SECTION("because nothing is mounted where the data should be") { c.plan.container.mounts[0].target = "/elsewhere"; }
  SECTION("because there is a pipe in the data") { REQUIRE(::mkfifo((old / "fails/pipe").c_str(), 0600) == 0); }
  SECTION("because another container has the wanted name") {
    auto other = by_hand("other");
    other.name = c.plan.container.name;
    make(other, false);
    births = 2;
  }
  const auto r = run(c);
  REQUIRE(r.failure);
  INFO(r.failure->message);
  CHECK(r.untouched);
  CHECK(r.after.container == presence::absent);
  CHECK(r.after.data != data_state::present);  // a root that was not made yet cannot be looked at
  const auto now = inspect(original);
  CHECK(now.view.state == container_state::running);
  CHECK(now.view.name == called("fails"));
  CHECK(containers("fails").empty());
  CHECK_FALSE(fs::exists(root / "fails"));
  CHECK(left_overs(root) == nothing);
  CHECK(text_of(old / "fails/births").size() == births * 5);
  CHECK(text_of(old / "fails/world").size() == 100'000);
}

TEST_CASE_METHOD(adopter, "agent: existing data where the copy would go is never touched",
                 "[integration][agent][fc-24]") {
  welcome();
  const auto original = born("taken");
  fs::create_directories(root / "taken/data");
  std::ofstream(root / "taken/data/world") << "somebody's";
  std::ofstream(root / ".zedops-data-root") << env().state.id().value << "\n";
  const auto r = run(adopt("taken", original));
  REQUIRE(r.failure);
  CHECK(r.failure->code == ec::already_exists);
  CHECK(r.untouched);
  CHECK(text_of(root / "taken/data/world") == "somebody's");
  CHECK(inspect(original).view.state == container_state::running);
}

TEST_CASE_METHOD(adopter, "agent: a container that belongs to a manager is not adopted",
                 "[integration][agent][fc-24][acc-21]") {
  welcome();
  for (const auto& manager : {std::string("another"), manager_id()}) {
    auto spec = by_hand("owned-" + manager);
    spec.labels = {{"zedops.managed", "true"}, {"zedops.manager", manager}, {"zedops.server.id", "s-other"}};
    const auto original = make(spec);
    const auto r = run(adopt("owned", original));
    REQUIRE(r.failure);
    CHECK(r.failure->code == ec::forbidden);
    CHECK(inspect(original).view.state == container_state::running);
  }
}

TEST_CASE_METHOD(adopter, "agent: an adoption interrupted at any effect is finished or rolled back by the same command",
                 "[integration][agent][fc-24]") {
  const bool fails = GENERATE(false, true);
  const bool same_name = GENERATE(false, true);
  welcome();
  std::vector<std::string> seen;
  for (int n = 0;; ++n) {
    const auto name = "cut" + std::to_string(n) + (fails ? "f" : "s") + (same_name ? "n" : "o");
    auto c = adopt(name, {});
    c.plan.stop.grace = 1s;
    if (!fails) c.plan.settle = soon_proven;
    if (fails) c.plan.container.command = {"sh", "-c", "exit 4"};
    auto spec = by_hand(name);
    if (same_name) spec.name = c.plan.container.name;
    c.original = make(spec);
    std::ofstream(old / name / "world") << std::string(100'000, 'w');
    std::optional<command_result> result;
    const auto where = run_until(c, n, result);
    if (where) {
      seen.push_back(*where);
      run_until(c, 1000, result);
    }
    REQUIRE(result);
    INFO("interrupted after " << where.value_or("nothing"));
    INFO((result->failure ? result->failure->message : result->note));
    CHECK(text_of(old / name / "world").size() == 100'000);
    CHECK(result->failure.has_value() == fails);
    // A container ran on the copy, unproven, and may have written what the original lacks: that copy is kept aside.
    const bool kept = fails && where == "started";
    CHECK(result->untouched == (fails && !kept));
    CHECK(gone(c.original) == !fails);
    CHECK(containers(name).size() == (fails ? 0 : 1));
    CHECK(left_overs(root).size() == (kept ? 1 : 0));
    for (const auto& name_of_copy : left_overs(root)) fs::remove_all(root / name_of_copy);
    if (fails) {
      const auto now = inspect(c.original);
      CHECK(now.view.state == container_state::running);
      CHECK(now.view.name == spec.name);
      CHECK_FALSE(fs::exists(root / name));
      docker("rm -f " + c.original);
    } else {
      CHECK(result->after.view.state == container_state::running);
      CHECK(text_of(root / name / "data/world").size() == 100'000);
      auto last = command(command_kind::remove, name, busybox(name, living));
      last.container_id = result->after.view.id;
      REQUIRE_FALSE(run(last).failure);
    }
    if (!where) break;
  }
  std::vector<std::string> expected =
      fails ? std::vector<std::string>{"stopped", "copied",        "placed",      "created",
                                       "started", "started_again", "copy_dropped"}
            : std::vector<std::string>{"stopped", "copied", "placed",   "created",
                                       "started", "proved", "switched", "original_removed"};
  if (same_name) expected.emplace_back("renamed");
  if (same_name && fails) expected.emplace_back("renamed_back");
  for (const auto& effect : expected) {
    CAPTURE(effect);
    CHECK(std::find(seen.begin(), seen.end(), effect) != seen.end());
  }
}

TEST_CASE_METHOD(adopter, "agent: an original that is removed by hand meanwhile costs no data",
                 "[integration][agent][fc-24]") {
  welcome();
  auto c = adopt("lost", born("lost"));
  c.plan.stop.grace = 1s;
  std::optional<command_result> result;
  SECTION("before ours is created: the copy is kept aside") {
    run_until(c, "placed");
    docker("rm -f " + c.original);
    run_until(c, 1000, result);
    REQUIRE(result);
    REQUIRE(result->failure);
    CHECK(result->failure->code == ec::not_found);
    CHECK_FALSE(result->untouched);
    const auto& said = result->failure->message;
    INFO(said);
    const auto at = said.find(root.string());
    REQUIRE(at != std::string::npos);
    CHECK(text_of(fs::path(said.substr(at)) / "data/world").size() == 100'000);
  }
  SECTION("afterwards: ours keeps running") {
    run_until(c, "created");
    docker("rm -f " + c.original);
    run_until(c, 1000, result);
    REQUIRE(result);
    INFO((result->failure ? result->failure->message : result->note));
    CHECK_FALSE(result->failure);
    CHECK(result->after.view.state == container_state::running);
    CHECK(text_of(root / "lost/data/world").size() == 100'000);
    CHECK(left_overs(root) == nothing);
  }
}

TEST_CASE_METHOD(adopter, "agent: asked about any container, it reports what an adoption needs to know",
                 "[integration][agent][fc-24]") {
  welcome();
  auto spec = by_hand("asked");
  const auto port = free_port();
  spec.ports = {{port, 80, protocol::tcp, {}}};
  spec.user = "0:0";
  const auto id = make(spec, false);
  const auto ask = [&](const std::string& container) {
    const auto from = mark();
    say(container_query{21, container});
    return heard<container_answer>([](auto& a) { return a.request == 21; }, from);
  };
  const auto a = ask(spec.name);
  INFO((a.failure ? a.failure->message : ""));
  REQUIRE_FALSE(a.failure);
  CHECK(a.view.id == id);
  CHECK(a.view.image == "zedops/busybox:test");
  CHECK(a.env == std::map<std::string, std::string>{{"MOTD", "hello"}});
  REQUIRE(a.ports.size() == 1);
  CHECK(a.ports[0].host_port == port);
  CHECK(a.ports[0].container_port == 80);
  REQUIRE(a.mounts.size() == 1);
  CHECK(a.mounts[0].source == (old / "asked").string());
  REQUIRE(a.spec);
  CHECK(a.spec->command == living);
  CHECK(a.spec->user == "0:0");
  CHECK(given_fields(*a.spec).size() == 2);
  CHECK(a.networks.empty());
  CHECK(a.unusual.empty());
  CHECK(ask("no-such-container").failure->code == ec::not_found);
  docker("create --name " + called("odd") + " --privileged --network host --cap-add SYS_TIME --tmpfs /x -v " +
         (old / "odd").string() + ":/data zedops/busybox:test");
  made.push_back(called("odd"));
  const auto odd = ask(called("odd"));
  REQUIRE_FALSE(odd.failure);
  CHECK(odd.unusual == std::vector<std::string>{"the host's network", "privileged"});
  REQUIRE(odd.spec);
  CHECK(odd.spec->cap_add == std::vector<std::string>{"SYS_TIME"});
  CHECK(odd.spec->tmpfs->contains("/x"));
}
