// What the core does for services by itself: their containers and servers are kept, strays go, and who waits is told
// of.
#include "tests/sim/agent/containers.hpp"

using namespace zedops;
using namespace zedops::test;
using namespace zedops::msg;
using namespace std::chrono_literals;

namespace {

// A core that keeps what the fixture has deployed.
struct keeping : containers {
  keeping() {
    kill();
    serves = &sites;
    spawn();
    welcome();
    docker.images.insert("site:1");
  }
  ~keeping() { kill(); }  // before what it serves goes
  std::string& spec_of(uint32_t number) {
    for (auto& [id, c] : docker.containers)
      if (agent::value_of(c.view.labels, agent::label::deployment) == std::to_string(number))
        return c.view.labels[agent::label::service_spec];
    throw std::logic_error("no such container");
  }
  // An event that has it look after everything.
  void stir() {
    docker.destroy(docker.make("other", {{agent::label::project, "p0"}}, container_state::exited));
    settle();
  }
  size_t changes() const { return docker.count("remove") + docker.count("create") + docker.count("stop"); }
};

}  // namespace

TEST_CASE_METHOD(keeping, "keeper: a container is known by what it was made of, from release to release",
                 "[sim][agent]") {
  settings.env = {{"A", "1"}, {"B", "two words"}};
  settings.command = {"serve", "--all"};
  settings.memory_max = 64 << 20;
  deploy(1);
  // Of a release that is out there: with another one every container would be made anew by an update.
  const std::string golden = "2:d4d3d31cee81a39878c1b142d344f37b2dd68481d7b4aba011486dbfea1c221f";
  CHECK(spec_of(1) == golden);
  const auto before = changes();
  stir();
  SECTION("as it is") {}
  SECTION("by its number, if a former release made it") { spec_of(1) = std::string(64, 'a'); }
  pass(12s);
  CHECK(changes() == before);
  spec_of(1) = "2:of other settings";
  pass(12s);
  CHECK(spec_of(1) == golden);
  CHECK(of(1).view.state == container_state::running);
}

TEST_CASE_METHOD(keeping, "keeper: a project's server that could not be started is, later, without any event",
                 "[sim][agent]") {
  docker.images.erase("site:1");
  REQUIRE(host::remember_project(sites.root, {{"p1"}, "shop", 8080}));
  stir();
  REQUIRE(docker.containers.empty());
  docker.images.insert("site:1");
  pass(70s);
  REQUIRE(docker.containers.size() == 1);
  CHECK(docker.containers.begin()->second.view.state == container_state::running);
  const auto before = changes();
  pass(180s);
  CHECK(changes() == before);
}

TEST_CASE_METHOD(keeping, "keeper: what it removes after a failure is no reason to try again at once", "[sim][agent]") {
  REQUIRE(host::remember_project(sites.root, {{"p1"}, "shop", 8080}));
  docker.start_fails = true;
  stir();
  pass(60s);
  const auto tries = docker.count("create");
  CHECK(tries >= 2);
  CHECK(tries <= 3 * 15);  // three in a pass, and a pass in five seconds
  docker.start_fails = false;
  pass(70s);
  REQUIRE(docker.containers.size() == 1);
  CHECK(docker.containers.begin()->second.view.state == container_state::running);
}

TEST_CASE_METHOD(keeping, "keeper: a service of which nothing is left on this host is told of", "[sim][agent]") {
  deploy(1);
  stir();
  sync_query q;
  q.tells_services = true;
  q.services = {"v1"};
  const auto lost = [&] {
    say(q);
    settle();
    size_t n = 0;
    for (const auto& s : all<service_seen>())
      n += s.service.value == "v1" && s.reason.find("nothing of it is on its host any more") == 0 ? 1 : 0;
    return n;
  };
  CHECK(lost() == 0);
  std::filesystem::remove_all(sites.root);
  CHECK(lost() == 1);
  q.tells_services = false;
  CHECK(lost() == 1);
}

TEST_CASE_METHOD(keeping, "stray: a project's server that was removed as one is not made again", "[sim][agent]") {
  REQUIRE(host::remember_project(sites.root, {{"p1"}, "shop", 8080}));
  stir();
  REQUIRE(docker.containers.size() == 1);
  stray_query q;
  q.request = 1;
  q.remove = "zedops-project-shop";
  say(q);
  pass(70s);
  REQUIRE(all<stray_answer>().size() == 1);
  CHECK_FALSE(all<stray_answer>().front().failure);
  CHECK(docker.containers.empty());
  CHECK(host::projects_below(sites.root).empty());
}

TEST_CASE_METHOD(agent_world, "lanes: a phase that waits its turn says so, as long as it does", "[sim][agent]") {
  welcome();
  lanes.hold = true;
  for (const auto* id : {"v1", "v2", "v3", "v4", "v5"}) {
    run_command c;
    c.term = 1;
    c.op = {std::string("o-") + id};
    c.attempt = 3;
    c.server = {id};
    c.kind = command_kind::deploy;
    c.deploy.emplace().phase = deploy_phase::building;
    say(c);
  }
  REQUIRE(lanes.held.size() == 4);
  pass(200s);
  std::vector<std::string> notes;
  for (const auto& p : all<command_progress>()) {
    CHECK(p.op.value == "o-v5");
    CHECK(p.attempt == 3);
    CHECK(p.step == "building");
    CHECK(p.progress == 0);
    notes.push_back(p.note);
  }
  CHECK(notes == std::vector<std::string>{"waits its turn, 1m", "waits its turn, 2m", "waits its turn, 3m"});
  lanes.held.clear();
}

TEST_CASE_METHOD(containers, "container: an Engine that is restarted in the middle of a phase fails nothing",
                 "[sim][agent][acc-82]") {
  deploy(1);
  size_t pauses = 0;
  env->clock.pause = [&](auto) {
    if (++pauses == 4) docker.down = false;
  };
  SECTION("in the pull") {
    docker.down = true;
    REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
    CHECK(pauses >= 4);
  }
  SECTION("it took the new container with it") {
    REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
    env->crash_point = [&](std::string_view at) {
      if (at != "container_started" || pauses > 0) return;
      docker.down = true;
      for (auto& [id, c] : docker.containers) c.view.state = container_state::exited;
    };
    const auto r = run(command(deploy_phase::updating_routes, 2, an_image()));
    INFO((r.failure ? r.failure->message : ""));
    REQUIRE_FALSE(r.failure);
    CHECK(of(2).view.state == container_state::running);
    CHECK(led_to() == 8081);
  }
  SECTION("what fails without it has failed") {
    answers[8081] = 503;
    REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
    docker.down = true;
    CHECK(run(command(deploy_phase::updating_routes, 2, an_image())).failure);
  }
}

TEST_CASE_METHOD(containers, "container: of an Engine that is away for long it is told again and again",
                 "[sim][agent]") {
  deploy(1);
  docker.down = true;
  const auto start = env->clock.steady();
  env->clock.pause = [&](auto) {
    sched.clock().current_time += std::chrono::seconds{10};
    if (env->clock.steady() - start > std::chrono::minutes{4}) docker.down = false;
  };
  std::set<std::string> told;
  auto c = command(deploy_phase::updating_routes, 1, an_image());
  c.time_max = duration{3'600'000};
  auto report = std::make_shared<agent::reporter>(
      c, [&](command_progress p) { told.insert(p.note.substr(0, p.note.find(':'))); }, env->clock.steady);
  CHECK_FALSE(agent::deploy_job(*env, c, report, cancel).execute().failure);
  CHECK(told.contains("waiting for the Engine"));
  CHECK(told.contains("waiting for the Engine, 1m"));
  CHECK(told.contains("waiting for the Engine, 3m"));
}
