// What builds and failures leave on this host, and what the same deployment number alone does not prove.
#include "messages/records/template.hpp"
#include "tests/sim/agent/containers.hpp"

using namespace zedops;
using namespace zedops::test;
using namespace zedops::msg;
using Catch::Matchers::Contains;

namespace {

struct building : containers {
  host::site site{sites.root, "shop", "api"};
  deploy_source from = a_source({{"out/index.html", "made"}, {"a/b/index.html", "made"}});
  std::optional<std::vector<uint32_t>> kept;  // beside the one that is deployed

  building() {
    settings = {};
    settings.build = {"make", "site"};
    settings.builder = "shop/api:1";
    settings.output = "out";
    docker.dies_at_start = true;
    docker.dies_with = 0;  // its command succeeds at once
  }
  command_result phase(deploy_phase p, uint32_t number) {
    return run_with(command(p, number, from), [&](auto& x) {
      x.kind = service_kind::static_site;
      if (!kept) return;
      x.keep = *kept;
      x.keep.push_back(number);
    });
  }
  // Files of a deployment number other than logs.
  size_t left_of(uint32_t number) const {
    const auto all = fs::directory_iterator(site.own_folder());
    return static_cast<size_t>(std::count_if(begin(all), end(all), [&](const auto& e) {
      const auto name = e.path().filename().string();
      return name.starts_with(std::to_string(number) + ".") && !name.ends_with(".log");
    }));
  }
};

}  // namespace

TEST_CASE_METHOD(building, "build: an output that points out of its folder is never served", "[sim][agent][hostile]") {
  const auto outside = dir.path() / "outside";
  fs::create_directories(outside / "b");
  std::ofstream(outside / "secret.txt") << "of the host";
  std::ofstream(outside / "b" / "secret.txt") << "of the host";
  std::string replaced = "out";
  fs::path by = outside;
  bool served = false;
  SECTION("a link in place of the output") {}
  SECTION("a link on the way to it") {
    settings.output = "a/b";
    replaced = "a";
  }
  SECTION("a link to the folder above") { by = ".."; }
  SECTION("a link that stays inside is served") {
    by = "a/b";
    served = true;
  }
  env->crash_point = [&](std::string_view what) {
    if (what != "builder_started") return;
    const auto place = fs::path(site.new_tree(1)) / replaced;
    fs::remove_all(place);
    fs::create_symlink(by, place);
  };
  REQUIRE_FALSE(phase(deploy_phase::pulling_source, 1).failure);
  const auto r = phase(deploy_phase::building, 1);
  CHECK(r.failure.has_value() != served);
  CHECK(fs::exists(site.output(1)) == served);
  if (served) return;
  CHECK(r.failure->code == ec::bad_request);
  CHECK_THAT(r.failure->message, Contains("points outside"));
}

TEST_CASE_METHOD(
    building,
    "build: the last two failed builds leave their logs, only the last one more, and a removed service leaves nothing",
    "[sim][agent]") {
  docker.dies_with = 3;
  kept = std::vector<uint32_t>{};  // none has ever worked
  for (const uint32_t n : {1u, 2u, 3u}) {
    REQUIRE_FALSE(phase(deploy_phase::pulling_source, n).failure);
    REQUIRE(phase(deploy_phase::building, n).failure);
  }
  CHECK(left_of(1) == 0);
  CHECK(left_of(2) == 0);
  CHECK(left_of(3) > 0);
  CHECK_FALSE(fs::exists(site.log(1)));
  CHECK(fs::exists(site.log(2)));
  CHECK(fs::exists(site.log(3)));
  const auto cache = fs::path(sites.root) / ".cache/v1";
  std::ofstream(cache / "kept") << "x";
  REQUIRE_FALSE(run_with(command(deploy_phase::queued, 0, {}), [](auto& p) {
                  p.kind = service_kind::static_site;
                  p.remove = true;
                }).failure);
  CHECK_FALSE(fs::exists(cache));
  CHECK_FALSE(fs::exists(site.folder()));
}

TEST_CASE_METHOD(building, "build: what is served stays while the next version is built", "[sim][agent]") {
  constexpr std::array all{deploy_phase::pulling_source, deploy_phase::building, deploy_phase::copying_files,
                           deploy_phase::creating_symlinks};
  for (const auto p : all) REQUIRE_FALSE(phase(p, 1).failure);
  REQUIRE_FALSE(phase(deploy_phase::pulling_source, 2).failure);
  CHECK(host::stamp_of(site, 1));
  CHECK(fs::exists(fs::path(site.tree(1)) / "index.html"));
}

TEST_CASE_METHOD(building, "build: another archive under the same number is fetched again", "[sim][agent]") {
  fs::create_directories(site.own_folder());
  std::ofstream(site.archive(1)) << tar_of({{"out/index.html", "of another life"}});
  REQUIRE_FALSE(phase(deploy_phase::pulling_source, 1).failure);
  CHECK(sha256_of_file(site.archive(1)).value() == from.sha256);
}

TEST_CASE_METHOD(building, "build: an output of another source under the same number is built again", "[sim][agent]") {
  REQUIRE_FALSE(phase(deploy_phase::pulling_source, 1).failure);
  REQUIRE_FALSE(phase(deploy_phase::building, 1).failure);
  const auto made = docker.count("create");
  REQUIRE_FALSE(phase(deploy_phase::building, 1).failure);
  CHECK(docker.count("create") == made);
  from = a_source({{"out/index.html", "of the manager's next life"}});
  REQUIRE_FALSE(phase(deploy_phase::pulling_source, 1).failure);
  REQUIRE_FALSE(phase(deploy_phase::building, 1).failure);
  CHECK(docker.count("create") == made + 1);
  REQUIRE_FALSE(phase(deploy_phase::copying_files, 1).failure);
  std::ifstream in(fs::path(site.tree(1)) / "index.html");
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == "of the manager's next life");
}

TEST_CASE_METHOD(containers, "container: an image under the same number is used by its own operation only",
                 "[sim][agent]") {
  const auto first = run(command(deploy_phase::pulling_source, 1, an_image()));
  REQUIRE_FALSE(first.failure);
  CHECK(first.proof.at("image") == "sha256:shop/api:1");
  SECTION("the same operation, with the registry away and the name gone") {
    docker.images.erase("shop/api:1");
    const auto again = run(command(deploy_phase::pulling_source, 1, an_image()));
    REQUIRE_FALSE(again.failure);
    CHECK(again.proof == first.proof);
  }
  SECTION("a manager that starts counting again") {
    docker.image_ids["shop/api:1"] = "sha256:newer";
    auto c = command(deploy_phase::pulling_source, 1, an_image());
    c.op = {"another"};
    const auto r = run(c);
    REQUIRE_FALSE(r.failure);
    CHECK(r.proof.at("image") == "sha256:newer");
    CHECK(docker.image_ids.at("zedops/shop-api-v1:1") == "sha256:newer");
  }
}

namespace {

struct failing : containers {
  host::site site{sites.root, "shop", "api"};

  bool has_image(uint32_t number) const {
    return docker.images.contains("zedops/shop-api-v1:" + std::to_string(number));
  }
  bool has_log(uint32_t number) const { return fs::exists(site.log(number)); }
  command_result phase(deploy_phase p, uint32_t number, std::vector<uint32_t> keep) {
    return run_with(command(p, number, an_image()), [&](auto& x) { x.keep = std::move(keep); });
  }
  void fail_to_deploy(uint32_t number) {
    REQUIRE_FALSE(phase(deploy_phase::pulling_source, number, {1, number}).failure);
    REQUIRE(phase(deploy_phase::updating_routes, number, {1, number}).failure);
    const auto back = [](auto& p) { p.going_back = true; };
    REQUIRE_FALSE(run_with(command(deploy_phase::updating_routes, 1, an_image()), back).failure);
  }
  command_result removal() {
    return run_with(command(deploy_phase::queued, 0, {}), [](auto& p) { p.remove = true; });
  }
};

}  // namespace

TEST_CASE_METHOD(failing, "container: of failed deployments the last two leave an image and a log, until one succeeds",
                 "[sim][agent]") {
  deploy(1);
  answers[8081] = 503;
  for (const uint32_t n : {2u, 3u, 4u, 5u}) fail_to_deploy(n);
  for (const uint32_t n : {1u, 2u, 3u, 4u, 5u}) {
    INFO(n);
    CHECK(has_image(n) == (n == 1 || n >= 4));
    CHECK(has_log(n) == (n == 1 || n >= 4));
  }
  answers.clear();
  for (const auto p : phases) REQUIRE_FALSE(phase(p, 6, {1, 6}).failure);
  for (const uint32_t n : {4u, 5u}) {
    CHECK_FALSE(has_image(n));
    CHECK_FALSE(has_log(n));
  }
}

TEST_CASE_METHOD(failing, "container: one that worked stays until the next has succeeded", "[sim][agent]") {
  deploy(1);
  deploy(2);
  // The manager may still roll back to the first one: that it is removed is on its record in a later phase.
  REQUIRE_FALSE(phase(deploy_phase::pulling_source, 3, {2, 3}).failure);
  CHECK(has_image(1));
  deploy(3);
  CHECK_FALSE(has_image(1));
}

TEST_CASE_METHOD(failing, "container: an image that the Engine does not remove is not forgotten", "[sim][agent]") {
  deploy(1);
  deploy(2);
  SECTION("by the retention") {
    docker.image_removal_fails = ec::engine_error;
    deploy(3);
    CHECK(has_image(1));
    docker.image_removal_fails.reset();
    deploy(4);
    CHECK_FALSE(has_image(1));
    CHECK_FALSE(has_log(1));
  }
  SECTION("by a removal, which can be repeated") {
    docker.image_removal_fails = ec::engine_error;
    REQUIRE(removal().failure);
    CHECK(fs::exists(site.folder()));
    docker.image_removal_fails.reset();
    REQUIRE_FALSE(removal().failure);
    CHECK_FALSE(has_image(1));
    CHECK_FALSE(fs::exists(site.folder()));
  }
  SECTION("unless a foreign container uses it") {
    docker.image_removal_fails = ec::busy;
    const auto r = removal();
    REQUIRE_FALSE(r.failure);
    CHECK_THAT(r.note, Contains("cannot remove image zedops/shop-api-v1:2"));
    CHECK_FALSE(fs::exists(site.folder()));
  }
}

TEST_CASE_METHOD(building, "build: a cache that is too large is removed, and the log says so", "[sim][agent]") {
  const fs::path cache = host::cache_folder(sites.root, "v1");
  uint64_t size = 1000;
  env->crash_point = [&](std::string_view what) {
    if (what != "builder_started") return;
    std::ofstream(cache / "module") << "x";
    fs::resize_file(cache / "module", size);
  };
  REQUIRE_FALSE(phase(deploy_phase::pulling_source, 1).failure);
  SECTION("as it is") {
    REQUIRE_FALSE(phase(deploy_phase::building, 1).failure);
    CHECK(fs::exists(cache / "module"));
    return;
  }
  size = host::cache_bytes_max + 1;
  SECTION("after a build that succeeds") { REQUIRE_FALSE(phase(deploy_phase::building, 1).failure); }
  SECTION("after a build that fails") {
    docker.dies_with = 3;
    REQUIRE(phase(deploy_phase::building, 1).failure);
  }
  CHECK_FALSE(fs::exists(cache));
  std::ifstream log(site.log(1));
  const std::string text{std::istreambuf_iterator<char>(log), {}};
  CHECK_THAT(text, Contains("the build cache is larger than 2.0 GiB"));
}

namespace {

// Whether the Engine keeps no more of the containers' output than of that of servers.
bool limited(const fake_docker& docker) {
  return !docker.containers.empty() && std::ranges::all_of(docker.containers, [](const auto& c) {
    return c.second.spec.log_driver == default_spec().log_driver &&
           c.second.spec.log_options == default_spec().log_options;
  });
}

}  // namespace

TEST_CASE_METHOD(containers, "container: the output that the Engine keeps of it is limited", "[sim][agent]") {
  bool command_is = false;
  env->crash_point = [&](std::string_view what) {
    if (what == "command_started") command_is = limited(docker);
  };
  settings.before_start = {"migrate"};
  docker.dies_at_start = true;
  docker.dies_named = "zedops-once-";
  docker.dies_with = 0;
  deploy(1);
  CHECK(command_is);
  CHECK(limited(docker));
}

TEST_CASE_METHOD(building, "build: the output that the Engine keeps of builder and server is limited", "[sim][agent]") {
  bool builder_is = false;
  env->crash_point = [&](std::string_view what) {
    if (what == "builder_started") builder_is = limited(docker);
  };
  docker.dies_named = "zedops-build-";
  docker.images.insert("site:1");
  for (const auto p : {deploy_phase::pulling_source, deploy_phase::building, deploy_phase::copying_files,
                       deploy_phase::creating_symlinks, deploy_phase::updating_routes})
    REQUIRE_FALSE(phase(p, 1).failure);
  CHECK(builder_is);
  CHECK(limited(docker));
}

TEST_CASE_METHOD(building, "build: an output is served whole, whatever files for other programs it has",
                 "[sim][agent]") {
  from = a_source({{"out/index.html", "hello"}, {"out/dist/app.js", "x"}, {"out/.dockerignore", "dist\n"}});
  for (const auto p : {deploy_phase::pulling_source, deploy_phase::building, deploy_phase::copying_files})
    REQUIRE_FALSE(phase(p, 1).failure);
  CHECK(fs::exists(fs::path(site.tree(1)) / "dist/app.js"));
}
