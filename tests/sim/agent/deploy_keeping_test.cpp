// What the core does for services by itself: it keeps their containers and servers, removes strays, and reports who
// waits.
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
  ~keeping() { kill(); }  // before `sites`, which it uses, is destroyed
  std::string& spec_of(uint32_t number) {
    for (auto& [id, c] : docker.containers)
      if (agent::value_of(c.view.labels, agent::label::deployment) == std::to_string(number))
        return c.view.labels[agent::label::service_spec];
    throw std::logic_error("no such container");
  }
  // An event that makes it check everything.
  void stir() {
    docker.destroy(docker.make("other", {{agent::label::project, "p0"}}, container_state::exited));
    settle();
  }
  void remove_stray(const std::string& name) {
    stray_query q;
    q.request = 1;
    q.remove = name;
    say(q);
    settle();
    REQUIRE(all<stray_answer>().size() == 1);
    CHECK_FALSE(all<stray_answer>().front().failure);
  }
  size_t changes() const { return docker.count("remove") + docker.count("create") + docker.count("stop"); }
};

}  // namespace

TEST_CASE_METHOD(keeping, "keeper: a container is recognised by what it was made of, from release to release",
                 "[sim][agent]") {
  settings.env = {{"A", "1"}, {"B", "two words"}};
  settings.command = {"serve", "--all"};
  settings.memory_max = 64 << 20;
  deploy(1);
  // Written by a shipped release: with another value an update would recreate every container.
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

TEST_CASE_METHOD(keeping, "keeper: a project's server that could not be started is started later, without any event",
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

TEST_CASE_METHOD(keeping, "keeper: a look that throws does not end the care for anything", "[sim][agent]") {
  REQUIRE(host::remember_project(sites.root, {{"p1"}, "shop", 8080}));
  deploy(1);
  fs::create_directory(fs::path(sites.root) / ".containers" / "x");  // cannot be read as a file
  bool thrown = false;
  sites.look = [&, look = sites.look](uint16_t port, const std::string& path, duration timeout) {
    if (!std::exchange(thrown, true)) throw std::runtime_error("no descriptor left");
    return look(port, path, timeout);
  };
  stir();
  pass(70s);
  CHECK(thrown);
  docker.destroy(of(1).view.id);
  pass(12s);
  CHECK(of(1).view.state == container_state::running);
}

TEST_CASE_METHOD(keeping, "keeper: a project's server that is removed while it is looked at is recreated at once",
                 "[sim][agent]") {
  REQUIRE(host::remember_project(sites.root, {{"p1"}, "shop", 8080}));
  stir();
  REQUIRE(docker.containers.size() == 1);
  bool removed = false;
  sites.look = [&, look = sites.look](uint16_t port, const std::string& path, duration timeout) {
    if (!std::exchange(removed, true)) docker.destroy(docker.containers.begin()->first);
    return look(port, path, timeout);
  };
  const auto before = env->clock.steady();
  stir();
  CHECK(removed);
  CHECK(env->clock.steady() - before < 2s);
  REQUIRE(docker.containers.size() == 1);
  CHECK(docker.containers.begin()->second.view.state == container_state::running);
}

TEST_CASE_METHOD(keeping, "keeper: removing a failed container does not trigger another try at once", "[sim][agent]") {
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

TEST_CASE_METHOD(keeping, "keeper: a service of which nothing is left on this host is reported", "[sim][agent]") {
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
      n += s.service.value == "v1" && s.reason.find("nothing of the service is left on its host") == 0 ? 1 : 0;
    return n;
  };
  CHECK(lost() == 0);
  std::filesystem::remove_all(sites.root);
  CHECK(lost() == 1);
  q.tells_services = false;
  CHECK(lost() == 1);
}

TEST_CASE_METHOD(keeping, "stray: a project's server that was removed as a stray is not recreated", "[sim][agent]") {
  REQUIRE(host::remember_project(sites.root, {{"p1"}, "shop", 8080}));
  const host::site left{sites.root, "shop", "web"};
  REQUIRE(host::prepare_site(left));
  stir();
  REQUIRE(docker.containers.size() == 1);
  remove_stray("zedops-project-shop");
  pass(70s);
  CHECK(docker.containers.empty());
  CHECK(host::projects_below(sites.root).empty());
  CHECK(host::is_left(left));
}

TEST_CASE_METHOD(keeping, "stray: its images and its cache are removed with it, its files stay and need no server",
                 "[sim][agent]") {
  deploy(1);
  deploy(2);
  const host::site site{sites.root, "shop", "api"};
  fs::create_directories(site.folder() + "/by-hand");
  fs::create_directories(host::cache_folder(sites.root, "v1"));
  remove_stray("zedops-shop.api-2");
  CHECK(docker.containers.empty());
  for (const auto* number : {"1", "2"})
    CHECK_FALSE(docker.images.contains("zedops/shop-api-v1:" + std::string(number)));
  CHECK(docker.images.contains("shop/api:1"));
  CHECK_FALSE(fs::exists(host::cache_folder(sites.root, "v1")));
  CHECK(fs::exists(site.folder() + "/by-hand"));
  CHECK(fs::exists(site.log(2)));
  // The last service of the project that the manager knows.
  REQUIRE(host::remember_project(sites.root, {{"p1"}, "shop", 8080}));
  auto c = command(deploy_phase::queued, 0, {});
  c.server = {"v2"};
  REQUIRE_FALSE(run_with(c, [](auto& p) {
                  p.service_name = "web";
                  p.kind = service_kind::static_site;
                  p.remove = true;
                }).failure);
  CHECK(host::projects_below(sites.root).empty());
}

TEST_CASE_METHOD(agent_world, "lanes: a phase that waits its turn reports this for as long as it waits",
                 "[sim][agent]") {
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

TEST_CASE_METHOD(containers, "container: a restart of the Engine in the middle of a phase does not fail it",
                 "[sim][agent][acc-82]") {
  deploy(1);
  size_t pauses = 0;
  env->clock.pause = [&](auto) {
    if (++pauses == 4) docker.down = false;
  };
  SECTION("during the pull") {
    docker.down = true;
    REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
    CHECK(pauses >= 4);
  }
  SECTION("it stopped the new container") {
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
  SECTION("a phase that fails for another reason has failed") {
    answers[8081] = 503;
    REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
    docker.down = true;
    CHECK(run(command(deploy_phase::updating_routes, 2, an_image())).failure);
  }
}

TEST_CASE_METHOD(containers, "container: waiting for an Engine that stays away is reported again and again",
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

TEST_CASE_METHOD(containers,
                 "container: one that somebody removes while it is checked has failed, and the old one serves",
                 "[sim][agent]") {
  deploy(1);
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
  env->crash_point = [&](std::string_view at) {
    if (at != "container_started") return;
    for (const auto& [id, c] : std::map(docker.containers))
      if (agent::value_of(c.view.labels, agent::label::deployment) == "2") docker.destroy(id);
  };
  const auto before = env->clock.steady();
  const auto r = run(command(deploy_phase::updating_routes, 2, an_image()));
  CHECK(env->clock.steady() - before < 20s);
  REQUIRE(r.failure);
  CHECK(r.failure->message.find("its container was removed") != std::string::npos);
  CHECK(led_to() == 8080);
}
