// The settings of a service that its host applies: commands before and after, the check of a port, names.
#include <atomic>
#include <thread>

#include "tests/sim/agent/containers.hpp"

using namespace zedops;
using namespace zedops::test;
using namespace zedops::msg;
using Catch::Matchers::Contains;

TEST_CASE_METHOD(containers,
                 "container: the command before the start runs first, and if it fails no visitor is switched over",
                 "[sim][agent]") {
  deploy(1);
  settings.before_start = {"migrate", "--all"};
  docker.dies_at_start = true;
  docker.dies_named = "zedops-once-";
  docker.dies_with = 0;
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
  SECTION("it succeeds") {
    REQUIRE_FALSE(run(command(deploy_phase::updating_routes, 2, an_image())).failure);
    CHECK(led_to() == 8081);
    CHECK(docker.containers.size() == 2);  // the command's container is removed
    const auto made = docker.count("create zedops-once-");
    REQUIRE_FALSE(
        run_with(command(deploy_phase::updating_routes, 1, an_image()), [](auto& p) { p.is_rollback = true; }).failure);
    CHECK(docker.count("create zedops-once-") == made);  // a rollback does not run it
  }
  SECTION("it fails") {
    docker.dies_with = 3;
    const auto r = run(command(deploy_phase::updating_routes, 2, an_image()));
    REQUIRE(r.failure);
    CHECK(r.failure->message.find("the command before the start ended with exit code 3; its last lines: ") == 0);
    CHECK(r.failure->message.find("hello") != std::string::npos);
    CHECK(led_to() == 8080);
    CHECK(docker.containers.size() == 1);
    CHECK(of(1).view.state == container_state::running);
  }
}

TEST_CASE_METHOD(containers, "container: a failed command after the switch is reported, and visitors stay",
                 "[sim][agent]") {
  settings.after_switch = {"warm-up"};
  docker.dies_at_start = true;
  docker.dies_named = "zedops-once-";
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 1, an_image())).failure);
  REQUIRE_FALSE(run(command(deploy_phase::updating_routes, 1, an_image())).failure);
  const auto r = run(command(deploy_phase::health_check, 1, an_image()));
  REQUIRE_FALSE(r.failure);
  CHECK(r.note.find("the command after the switch ended with exit code 3") == 0);
  CHECK(led_to() == 8080);
  CHECK(docker.containers.size() == 1);
}

TEST_CASE_METHOD(containers, "container: with the port check as health check no HTTP request is sent", "[sim][agent]") {
  settings.health_tcp = true;
  bool up = true;
  sites.listens = [&](uint16_t, duration) -> result<void> {
    if (up) return {};
    return fail(ec::engine_error, "nobody listens at port 8080", "");
  };
  deploy(1);
  CHECK(fetched.empty());
  up = false;
  const auto r = run(command(deploy_phase::health_check, 1, an_image()));
  REQUIRE(r.failure);
  CHECK(r.failure->message.find("nobody listens at port 8080") != std::string::npos);
}

TEST_CASE_METHOD(containers, "site: its own host names lead to its folder for as long as it has them", "[sim][agent]") {
  docker.images.insert("site:1");
  const auto from = a_source({{"index.html", "hello"}});
  const auto static_site = [](auto& p) { p.kind = service_kind::static_site; };
  settings = {};
  settings.route = route_kind::caddy;
  settings.hosts = {"www.example.org"};
  for (const auto phase : {deploy_phase::pulling_source, deploy_phase::copying_files, deploy_phase::creating_symlinks,
                           deploy_phase::updating_routes, deploy_phase::health_check}) {
    const auto r = run_with(command(phase, 1, from), static_site);
    INFO(name_of(phase) << (r.failure ? ": " + r.failure->message : ""));
    REQUIRE_FALSE(r.failure);
  }
  REQUIRE(visitors.all.contains("v1"));
  CHECK(visitors.all["v1"] == routes::route{"v1", {"www.example.org"}, 8080, 8081, false, "/api"});
  CHECK_FALSE(remembered().empty());  // remembered, so that its route is kept
  SECTION("the names are removed") {
    settings = {};
    REQUIRE_FALSE(run_with(command(deploy_phase::updating_routes, 2, from), static_site).failure);
  }
  SECTION("the service is removed") {
    REQUIRE_FALSE(run_with(command(deploy_phase::queued, 0, {}), [](auto& p) {
                    p.kind = service_kind::static_site;
                    p.remove = p.last = true;
                  }).failure);
  }
  CHECK(visitors.all.empty());
  CHECK(remembered().empty());
}

TEST_CASE_METHOD(containers, "site: its former names lead to it again when a version with other names fails",
                 "[sim][agent]") {
  docker.images.insert("site:1");
  const auto from = a_source({{"index.html", "hello"}});
  const auto static_site = [](auto& p) { p.kind = service_kind::static_site; };
  settings = {};
  settings.route = route_kind::caddy;
  settings.hosts = {"x.example.org"};
  constexpr std::array until_led{deploy_phase::pulling_source, deploy_phase::copying_files,
                                 deploy_phase::creating_symlinks, deploy_phase::updating_routes};
  for (const auto phase : until_led) REQUIRE_FALSE(run_with(command(phase, 1, from), static_site).failure);
  const auto former = settings;
  settings.hosts = {"y.example.org"};
  for (const auto phase : until_led) REQUIRE_FALSE(run_with(command(phase, 2, from), static_site).failure);
  REQUIRE(visitors.all["v1"].hosts == std::vector<std::string>{"y.example.org"});
  const auto back = [&](uint32_t number) {
    return run_with(command(deploy_phase::creating_symlinks, number, number == 0 ? deploy_source{} : from),
                    [](auto& p) {
                      p.kind = service_kind::static_site;
                      p.going_back = true;
                    });
  };
  SECTION("back to a version with names") {
    settings = former;
    REQUIRE_FALSE(back(1).failure);
    REQUIRE(visitors.all.contains("v1"));
    CHECK(visitors.all["v1"].hosts == std::vector<std::string>{"x.example.org"});
    CHECK(unpack<run_command>(remembered())->deploy->settings->hosts == former.hosts);
  }
  SECTION("back to nothing") {
    REQUIRE_FALSE(back(0).failure);
    CHECK(visitors.all.empty());
    CHECK(remembered().empty());
  }
}

TEST_CASE_METHOD(containers, "container: its route is removed with it, whatever its settings say by then",
                 "[sim][agent]") {
  deploy(1);
  settings.route = route_kind::none;
  settings.hosts.clear();
  const auto kind = GENERATE(service_kind::container, service_kind::static_site);
  const auto removal = [&] {
    return run_with(command(deploy_phase::queued, 0, {}), [&](auto& p) {
      p.kind = kind;
      p.remove = true;
    });
  };
  visitors.away = true;
  const auto r = removal();
  REQUIRE(r.failure);
  CHECK(r.failure->message == "Caddy does not answer");
  CHECK_FALSE(remembered().empty());
  visitors.away = false;
  REQUIRE_FALSE(removal().failure);
  CHECK(visitors.all.empty());
  CHECK(remembered().empty());
}

TEST_CASE_METHOD(containers, "container: one that never had a route is removed even if the proxy is away",
                 "[sim][agent]") {
  settings.route = route_kind::none;
  settings.hosts.clear();
  deploy(1);
  visitors.away = true;
  REQUIRE_FALSE(run_with(command(deploy_phase::queued, 0, {}), [](auto& p) { p.remove = true; }).failure);
  CHECK(docker.containers.empty());
}

TEST_CASE_METHOD(containers, "container: with a port of its own, a command before the start that fails changes nothing",
                 "[sim][agent]") {
  settings.route = route_kind::none;
  settings.hosts.clear();
  deploy(1);
  const auto before = remembered();
  settings.before_start = {"migrate"};
  docker.dies_at_start = true;
  docker.dies_named = "zedops-once-";
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
  SECTION("the command fails") { REQUIRE(run(command(deploy_phase::updating_routes, 2, an_image())).failure); }
  SECTION("the agent dies") {
    dies_after = 0;  // as soon as the command runs
    CHECK_THROWS_AS(run(command(deploy_phase::updating_routes, 2, an_image())), cut_short);
  }
  CHECK(remembered() == before);
  CHECK(of(1).view.state == container_state::running);
}

TEST_CASE_METHOD(containers, "container: values of its environment are in its log only, and masked in errors",
                 "[sim][agent][hostile]") {
  deploy(1);
  settings.env = {{"DATABASE", "postgres://shop:s3cret-word@db"}, {"WORD", "s3cret-word"}, {"MODE", "fast"}};
  settings.before_start = {"migrate"};
  docker.dies_at_start = true;
  docker.dies_named = "zedops-once-";
  docker.says = "fast: cannot reach postgres://shop:s3cret-word@db with s3cret-word";
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
  const auto r = run(command(deploy_phase::updating_routes, 2, an_image()));
  REQUIRE(r.failure);
  CHECK_THAT(r.failure->message, Contains("fast: cannot reach *** with ***"));
  std::ifstream log(host::site{sites.root, "shop", "api"}.log(2));
  const std::string text{std::istreambuf_iterator<char>(log), {}};
  CHECK_THAT(text, Contains(docker.says));
  settings.before_start.clear();
  docker.dies_named.clear();  // the new one itself
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 3, an_image())).failure);
  const auto dies = run(command(deploy_phase::updating_routes, 3, an_image()));
  REQUIRE(dies.failure);
  CHECK_THAT(dies.failure->message, Contains("its last words: fast: cannot reach *** with ***"));
}

TEST_CASE_METHOD(containers, "container: one that a user had stopped is stopped again when the new version fails",
                 "[sim][agent]") {
  const auto kind = GENERATE(route_kind::caddy, route_kind::none);
  settings.route = kind;
  if (kind == route_kind::none) settings.hosts.clear();
  deploy(1);
  REQUIRE_FALSE(run_with(command(deploy_phase::queued, 1, an_image()), [](auto& p) { p.stop = true; }).failure);
  answers[8080] = answers[8081] = 503;
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
  REQUIRE(run(command(deploy_phase::updating_routes, 2, an_image())).failure);
  const auto back = run_with(command(deploy_phase::updating_routes, 1, an_image()), [](auto& p) {
    p.going_back = true;
    p.stop = true;
  });
  REQUIRE_FALSE(back.failure);
  const auto kept = unpack<run_command>(remembered());
  REQUIRE(kept);
  CHECK(kept->deploy->number == 1);
  CHECK(kept->deploy->stop);
  for (const auto& [id, c] : docker.containers) CHECK(c.view.state == container_state::exited);
  CHECK(of(2).view.id.empty());
  if (kind == route_kind::caddy) CHECK(of(1).view.state == container_state::exited);
  answers.clear();
  const auto started = run_with(command(deploy_phase::queued, 1, an_image()), [](auto& p) { p.start = true; });
  REQUIRE_FALSE(started.failure);
  CHECK(of(1).view.state == container_state::running);
}

TEST_CASE_METHOD(
    containers,
    "site: only one worker at a time changes a project's containers, and the keeper skips a project in work",
    "[sim][agent]") {
  std::atomic<bool> second{false};
  std::thread other;
  {
    agent::site_world::hold first(sites, "p1");
    other = std::thread([&] {
      agent::site_world::hold hold(sites, "p1");
      second = true;
    });
    CHECK_FALSE(sites.unless_held("p1", [] {}));
    CHECK(sites.unless_held("p2", [] {}));
    CHECK_FALSE(second);
  }
  other.join();
  CHECK(second);
  CHECK(sites.unless_held("p1", [&] { CHECK_FALSE(sites.unless_held("p1", [] {})); }));
}
