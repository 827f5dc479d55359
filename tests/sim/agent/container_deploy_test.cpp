// Phases of container services on a real disk and an Engine in memory: the old container serves until the new one has
// answered, repeating a phase changes nothing, and one that is interrupted anywhere ends the same when repeated.
#include "tests/sim/agent/containers.hpp"

using namespace zedops;
using namespace zedops::test;
using namespace zedops::msg;
using Catch::Matchers::Contains;

TEST_CASE_METHOD(containers, "container: the new one runs beside the old one until visitors reach it",
                 "[sim][agent][acc-79]") {
  deploy(1);
  CHECK(led_to() == 8080);
  CHECK(of(1).view.name == "zedops-shop.api-1");
  REQUIRE(of(1).ports.size() == 1);
  CHECK(of(1).ports[0].host_ip == "127.0.0.1");
  CHECK(of(1).ports[0].container_port == 3000);
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
  REQUIRE_FALSE(run(command(deploy_phase::updating_routes, 2, an_image())).failure);
  CHECK(led_to() == 8081);
  CHECK(docker.containers.size() == 2);
  CHECK(of(1).view.state == container_state::running);
  auto r = run(command(deploy_phase::health_check, 2, an_image()));
  REQUIRE_FALSE(r.failure);
  CHECK(r.proof.at("health") == "HTTP 200 for /");
  CHECK(r.proof.at("container") == of(2).view.id);
  CHECK(docker.containers.size() == 1);
  deploy(3);
  CHECK(led_to() == 8080);
  // Of the images the two newest are kept.
  CHECK(docker.images.contains("zedops/shop-api-v1:2"));
  CHECK_FALSE(docker.images.contains("zedops/shop-api-v1:1"));
}

TEST_CASE_METHOD(containers, "container: repeating a phase changes nothing", "[sim][agent][acc-83]") {
  deploy(1);
  for (const auto phase : phases) {
    const auto first = run(command(phase, 2, an_image()));
    const auto ids = docker.containers.size();
    const auto led = led_to();
    const auto kept = remembered();
    const auto made = docker.count("create");
    const auto again = run(command(phase, 2, an_image()));
    INFO(name_of(phase));
    REQUIRE_FALSE(first.failure);
    REQUIRE_FALSE(again.failure);
    for (const auto& [key, value] : first.proof) CHECK(again.proof.at(key) == value);
    CHECK(docker.containers.size() == ids);
    CHECK(led_to() == led);
    CHECK(docker.count("create") == made);
    CHECK(remembered().size() == kept.size());
  }
}

TEST_CASE_METHOD(containers,
                 "container: a phase interrupted after any effect and repeated ends as if nothing had happened",
                 "[sim][agent][acc-82]") {
  const auto kind = GENERATE(route_kind::caddy, route_kind::none);
  settings.route = kind;
  if (kind == route_kind::none) settings.hosts.clear();
  deploy(1);
  size_t cuts = 0;
  for (size_t n = 0; n < 12; ++n) {
    const auto number = static_cast<uint32_t>(n + 2);
    dies_after = n % 7;
    for (const auto phase : phases) {
      const auto c = command(phase, number, an_image());
      command_result r;
      try {
        r = run(c);
      } catch (const cut_short&) {
        ++cuts;
        dies_after.reset();
        r = run(c);
      }
      INFO(name_of(phase) << (r.failure ? ": " + r.failure->message : ""));
      REQUIRE_FALSE(r.failure);
    }
    dies_after.reset();
    CHECK(docker.containers.size() == 1);
    CHECK(of(number).view.state == container_state::running);
    if (kind == route_kind::caddy) CHECK(led_to() == of(number).ports.at(0).host_port);
    else CHECK(of(number).ports.at(0).host_port == 8080);
  }
  CHECK(cuts >= 5);
}

TEST_CASE_METHOD(containers, "container: one that does not answer never gets a visitor, and is removed",
                 "[sim][agent][acc-85]") {
  deploy(1);
  answers[8081] = 503;
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
  auto r = run(command(deploy_phase::updating_routes, 2, an_image()));
  REQUIRE(r.failure);
  CHECK(r.failure->message.find("#2 does not answer as expected: HTTP 503 for /") != std::string::npos);
  CHECK(led_to() == 8080);
  auto back = run_with(command(deploy_phase::updating_routes, 1, an_image()), [](auto& p) { p.going_back = true; });
  REQUIRE_FALSE(back.failure);
  CHECK(led_to() == 8080);
  CHECK(docker.containers.size() == 1);
  CHECK(of(1).view.state == container_state::running);
}

TEST_CASE_METHOD(containers, "container: a deployment is checked by the route that visitors take",
                 "[sim][agent][acc-85]") {
  deploy(1);
  for (const auto phase : {deploy_phase::pulling_source, deploy_phase::updating_routes})
    REQUIRE_FALSE(run(command(phase, 2, an_image())).failure);
  visitors.visits = 0;
  SECTION("a passing error is waited out") {
    visitors.seen = {502, 503, 200};
    const auto r = run(command(deploy_phase::health_check, 2, an_image()));
    REQUIRE_FALSE(r.failure);
    CHECK(r.proof.at("visitors") == "HTTP 200 at api.example.org");
    CHECK(docker.containers.size() == 1);
  }
  SECTION("the proxy does not reach the container") {
    visitors.seen.assign(100, 502);
    const auto r = run(command(deploy_phase::health_check, 2, an_image()));
    REQUIRE(r.failure);
    CHECK_THAT(r.failure->message, Contains("visitors of api.example.org get HTTP 502 from the proxy"));
    CHECK(docker.containers.size() == 2);  // the old one is kept for the way back
  }
  SECTION("the program itself answers with the error") {
    settings.health_tcp = true;
    sites.listens = [](uint16_t, duration) { return result<void>(); };
    visitors.seen.assign(100, 503);
    for (const auto& [id, c] : docker.containers) answers[c.ports.at(0).host_port] = 503;
    deploy(3);
  }
  SECTION("this host cannot ask the proxy") {
    visitors.seen = {std::nullopt};
    const auto r = run(command(deploy_phase::health_check, 2, an_image()));
    REQUIRE_FALSE(r.failure);
    CHECK(r.proof.at("visitors") == "not seen from this host");
  }
}

TEST_CASE_METHOD(containers, "container: a first deployment that does not answer leaves nothing", "[sim][agent]") {
  answers[8080] = 500;
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 1, an_image())).failure);
  REQUIRE(run(command(deploy_phase::updating_routes, 1, an_image())).failure);
  auto back = run_with(command(deploy_phase::updating_routes, 0, {}), [](auto& p) { p.going_back = true; });
  REQUIRE_FALSE(back.failure);
  CHECK(docker.containers.empty());
  CHECK(remembered().empty());
  CHECK(led_to() == 0);
}

TEST_CASE_METHOD(containers,
                 "container: a configured health path has to answer with success, without one any answer will do",
                 "[sim][agent]") {
  answers[8080] = 404;
  deploy(1);
  auto r = run_with(command(deploy_phase::health_check, 1, an_image()), [](auto& p) { p.health_path = "/well"; });
  REQUIRE(r.failure);
  CHECK(r.failure->message.find("HTTP 404 for /well") != std::string::npos);
}

TEST_CASE_METHOD(containers, "container: with a port of its own the old one is removed first", "[sim][agent]") {
  settings.route = route_kind::none;
  settings.hosts.clear();
  deploy(1);
  deploy(2);
  CHECK(docker.containers.size() == 1);
  CHECK(of(2).ports.at(0).host_port == 8080);
  CHECK(of(2).ports.at(0).host_ip.empty());
  CHECK(visitors.all.empty());
}

TEST_CASE_METHOD(containers, "container: a rollback needs the former image, and says so when it is gone",
                 "[sim][agent]") {
  deploy(1);
  deploy(2);
  REQUIRE_FALSE(run(command(deploy_phase::updating_routes, 1, an_image())).failure);
  REQUIRE_FALSE(run(command(deploy_phase::health_check, 1, an_image())).failure);
  CHECK(led_to() == of(1).ports.at(0).host_port);
  CHECK(docker.containers.size() == 1);
  docker.images.erase("zedops/shop-api-v1:2");
  CHECK(run(command(deploy_phase::updating_routes, 2, an_image())).failure->code == ec::no_data);
}

TEST_CASE_METHOD(containers,
                 "container: a repeated deployment is refused when the image's name means another image now",
                 "[sim][agent][acc-82]") {
  auto from = an_image();
  from.digest = "sha256:former";
  CHECK(run(command(deploy_phase::pulling_source, 1, from)).failure->code == ec::no_data);
  from = an_image();
  from.image = "nowhere:1";
  CHECK(run(command(deploy_phase::pulling_source, 1, from)).failure->code == ec::pull_failed);
}

TEST_CASE_METHOD(containers,
                 "container: it is built from a source once, and the error has the last lines of a failed build",
                 "[sim][agent][acc-83]") {
  const auto from = a_source({{"Dockerfile", "FROM scratch\n"}, {"app", "x"}});
  REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 1, from)).failure);
  SECTION("the build succeeds") {
    const auto r = run(command(deploy_phase::building, 1, from));
    REQUIRE_FALSE(r.failure);
    CHECK(r.proof.at("image") == "sha256:zedops/shop-api-v1:1");
    CHECK_FALSE(run(command(deploy_phase::building, 1, from)).failure);
    CHECK(docker.count("build") == 1);
    // An agent that died between the build and its clean-up leaves the archive: the repetition removes it.
    std::ofstream(fs::path(sites.root) / "shop/api/.zedops/1.archive") << "x";
    CHECK_FALSE(run(command(deploy_phase::building, 1, from)).failure);
    CHECK_FALSE(fs::exists(fs::path(sites.root) / "shop/api/.zedops/1.archive"));
    CHECK_FALSE(fs::exists(fs::path(sites.root) / "shop/api/.zedops/1.context"));
    std::ifstream log(fs::path(sites.root) / "shop/api/.zedops/1.log");
    const std::string text((std::istreambuf_iterator<char>(log)), {});
    CHECK(text.find("Step 1/1 : FROM scratch") != std::string::npos);
  }
  SECTION("the build fails") {
    docker.build_fails = true;
    const auto r = run(command(deploy_phase::building, 1, from));
    REQUIRE(r.failure);
    CHECK(r.failure->message.find("its last lines: ") != std::string::npos);
    CHECK(r.failure->message.find("Step 1/1 : FROM scratch") != std::string::npos);
  }
  SECTION("without a Dockerfile") {
    settings.dockerfile = "docker/Dockerfile";
    const auto r = run(command(deploy_phase::building, 1, from));
    REQUIRE(r.failure);
    CHECK(r.failure->message.find("has no docker/Dockerfile") != std::string::npos);
  }
}

TEST_CASE_METHOD(containers, "container: stopped and started by a user, then removed with everything", "[sim][agent]") {
  deploy(1);
  auto stopped = run_with(command(deploy_phase::queued, 1, an_image()), [](auto& p) { p.stop = true; });
  REQUIRE_FALSE(stopped.failure);
  CHECK(of(1).view.state == container_state::exited);
  CHECK(unpack<run_command>(remembered())->deploy->stop);
  auto started = run_with(command(deploy_phase::queued, 1, an_image()), [](auto& p) { p.start = true; });
  REQUIRE_FALSE(started.failure);
  CHECK(of(1).view.state == container_state::running);
  CHECK_FALSE(unpack<run_command>(remembered())->deploy->stop);
  auto gone = run_with(command(deploy_phase::queued, 0, {}), [](auto& p) { p.remove = p.last = true; });
  REQUIRE_FALSE(gone.failure);
  CHECK(docker.containers.empty());
  CHECK(visitors.all.empty());
  CHECK(remembered().empty());
  CHECK_FALSE(docker.images.contains("zedops/shop-api-v1:1"));
}

TEST_CASE_METHOD(containers, "container: a name that a deployment pulled is removed with it, and no other name",
                 "[sim][agent]") {
  const auto pulled = [](const std::string& name) {
    auto s = an_image();
    s.image = s.name = name;
    return s;
  };
  const auto deploy_pulled = [&](uint32_t number) {
    const auto name = "reg.example.org/api:" + std::to_string(number);
    docker.pullable.insert(name);
    for (const auto phase : phases) REQUIRE_FALSE(run(command(phase, number, pulled(name))).failure);
  };
  SECTION("with the retention") {
    for (const uint32_t n : {1U, 2U, 3U}) deploy_pulled(n);
    CHECK_FALSE(docker.images.contains("reg.example.org/api:1"));
    CHECK_FALSE(docker.images.contains("zedops/shop-api-v1:1"));
    CHECK(docker.images.contains("reg.example.org/api:2"));
    CHECK(docker.images.contains("reg.example.org/api:3"));
  }
  SECTION("not when a container was made by that name, or when it means another image") {
    deploy_pulled(1);
    deploy_pulled(2);
    docker.containers.begin()->second.view.image = "reg.example.org/api:1";
    docker.image_ids["reg.example.org/api:2"] = "sha256:another";
    REQUIRE_FALSE(run_with(command(deploy_phase::queued, 0, {}), [](auto& p) { p.remove = true; }).failure);
    CHECK(docker.images.contains("reg.example.org/api:2"));
    CHECK_FALSE(docker.images.contains("zedops/shop-api-v1:2"));
  }
  SECTION("not one that was on the host before") {
    docker.pullable.insert("shop/api:1");
    deploy(1);
    REQUIRE_FALSE(run_with(command(deploy_phase::queued, 0, {}), [](auto& p) { p.remove = true; }).failure);
    CHECK(docker.images.contains("shop/api:1"));
  }
  SECTION("also after an interrupted pull") {
    const auto name = "reg.example.org/api:1";
    docker.pullable.insert(name);
    dies_after = 0;
    CHECK_THROWS_AS(run(command(deploy_phase::pulling_source, 1, pulled(name))), cut_short);
    dies_after.reset();
    deploy_pulled(1);
    REQUIRE_FALSE(run_with(command(deploy_phase::queued, 0, {}), [](auto& p) { p.remove = true; }).failure);
    CHECK_FALSE(docker.images.contains(name));
  }
}

TEST_CASE_METHOD(containers, "container: an image without a name was there before, and stays", "[sim][agent]") {
  auto from = an_image();
  from.image = from.name = "sha256:nameless";
  docker.images.insert("nameless");
  for (const auto phase : phases) REQUIRE_FALSE(run(command(phase, 1, from)).failure);
  REQUIRE_FALSE(run_with(command(deploy_phase::queued, 0, {}), [](auto& p) { p.remove = true; }).failure);
  CHECK(docker.images.contains("zedops/shop-api-v1:1"));  // the Engine would remove the image with its only name
}

TEST_CASE_METHOD(containers, "container: without a proxy the error says so, and the old one keeps serving",
                 "[sim][agent]") {
  deploy(1);
  SECTION("not configured") {
    sites.routes = nullptr;
    const auto r = run(command(deploy_phase::updating_routes, 1, an_image()));
    REQUIRE(r.failure);
    CHECK(r.failure->hint.find("caddy_admin") != std::string::npos);
  }
  SECTION("away") {
    visitors.away = true;
    REQUIRE_FALSE(run(command(deploy_phase::pulling_source, 2, an_image())).failure);
    CHECK(run(command(deploy_phase::updating_routes, 2, an_image())).failure->message == "Caddy does not answer");
  }
  CHECK(of(1).view.state == container_state::running);
  CHECK(led_to() == 8080);
}

TEST_CASE_METHOD(containers, "container: it has the labels for Traefik", "[sim][agent]") {
  settings.route = route_kind::traefik;
  settings.memory_max = 64 << 20;
  settings.env["KEY"] = "value";
  deploy(1);
  const auto& l = of(1).view.labels;
  CHECK(agent::value_of(l, "traefik.enable") == "true");
  CHECK(agent::value_of(l, "traefik.http.routers.shop-api.rule") == "Host(`api.example.org`)");
  CHECK(agent::value_of(l, "traefik.http.services.shop-api.loadbalancer.server.port") == "3000");
  CHECK(visitors.all.empty());
}

TEST_CASE_METHOD(containers, "build: a static service is built once, in a container of its builder image",
                 "[sim][agent][acc-83]") {
  settings = {};
  settings.build = {"make", "site"};
  settings.builder = "shop/api:1";
  settings.output = "out";
  const auto from = a_source({{"out/index.html", "made"}, {"src/index.txt", "x"}});
  const auto static_site = [](auto& p) { p.kind = service_kind::static_site; };
  docker.dies_at_start = true;
  docker.dies_with = 0;  // its command succeeds at once
  REQUIRE_FALSE(run_with(command(deploy_phase::pulling_source, 1, from), static_site).failure);
  const auto built = run_with(command(deploy_phase::building, 1, from), static_site);
  INFO((built.failure ? built.failure->message : ""));
  REQUIRE_FALSE(built.failure);
  CHECK(docker.containers.empty());
  const auto made = docker.count("create");
  CHECK_FALSE(run_with(command(deploy_phase::building, 1, from), static_site).failure);
  CHECK(docker.count("create") == made);
  REQUIRE_FALSE(run_with(command(deploy_phase::copying_files, 1, from), static_site).failure);
  const auto tree = fs::path(sites.root) / "shop/api/1";
  CHECK(fs::exists(tree / "index.html"));
  CHECK_FALSE(fs::exists(tree / "src"));
  CHECK_FALSE(fs::exists(fs::path(sites.root) / "shop/api/.zedops/1.output"));
}

TEST_CASE_METHOD(containers, "build: without its output a build has failed, and its container is removed",
                 "[sim][agent]") {
  settings = {};
  settings.build = {"make"};
  settings.builder = "shop/api:1";
  settings.output = "dist";
  const auto from = a_source({{"src/index.txt", "x"}});
  const auto static_site = [](auto& p) { p.kind = service_kind::static_site; };
  docker.dies_at_start = true;
  REQUIRE_FALSE(run_with(command(deploy_phase::pulling_source, 1, from), static_site).failure);
  const auto failed = run_with(command(deploy_phase::building, 1, from), static_site);
  REQUIRE(failed.failure);
  CHECK(failed.failure->message.find("exit code 3; its last lines: ") != std::string::npos);
  CHECK(failed.failure->message.find("hello") != std::string::npos);
  docker.dies_with = 0;
  const auto r = run_with(command(deploy_phase::building, 1, from), static_site);
  REQUIRE(r.failure);
  CHECK(r.failure->message.find("produced no folder dist") != std::string::npos);
  CHECK(docker.containers.empty());
}
