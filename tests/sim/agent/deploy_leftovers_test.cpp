// What builds and failures leave on this host, and what a number alone does not say.
#include "tests/sim/agent/containers.hpp"

using namespace zedops;
using namespace zedops::test;
using namespace zedops::msg;
using Catch::Matchers::Contains;

namespace {

struct building : containers {
  host::site site{sites.root, "shop", "api"};
  deploy_source from = a_source({{"out/index.html", "made"}, {"a/b/index.html", "made"}});

  building() {
    settings = {};
    settings.build = {"make", "site"};
    settings.builder = "shop/api:1";
    settings.output = "out";
    docker.dies_at_start = true;
    docker.dies_with = 0;  // its command has ended well at once
  }
  command_result phase(deploy_phase p, uint32_t number) {
    return run_with(command(p, number, from), [](auto& x) { x.kind = service_kind::static_site; });
  }
  // Those of a number that are no logs.
  size_t left_of(uint32_t number) const {
    const auto all = fs::directory_iterator(site.own_folder());
    return static_cast<size_t>(std::count_if(begin(all), end(all), [&](const auto& e) {
      const auto name = e.path().filename().string();
      return name.starts_with(std::to_string(number) + ".") && !name.ends_with(".log");
    }));
  }
};

}  // namespace

TEST_CASE_METHOD(building, "build: what leads out of its folder is never served", "[sim][agent][hostile]") {
  const auto outside = dir.path() / "outside";
  fs::create_directories(outside / "b");
  std::ofstream(outside / "secret.txt") << "of the host";
  std::ofstream(outside / "b" / "secret.txt") << "of the host";
  std::string replaced = "out";
  fs::path by = outside;
  bool served = false;
  SECTION("a link in its place") {}
  SECTION("a link on the way") {
    settings.output = "a/b";
    replaced = "a";
  }
  SECTION("a link to the folder above") { by = ".."; }
  SECTION("a link that stays inside is none of that") {
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

TEST_CASE_METHOD(building, "build: of failures only the last leaves more than its log, of a service nothing",
                 "[sim][agent]") {
  docker.dies_with = 3;
  for (const uint32_t n : {1u, 2u, 3u}) {
    REQUIRE_FALSE(phase(deploy_phase::pulling_source, n).failure);
    REQUIRE(phase(deploy_phase::building, n).failure);
  }
  CHECK(left_of(1) == 0);
  CHECK(left_of(2) == 0);
  CHECK(left_of(3) > 0);
  CHECK(fs::exists(site.log(1)));
  const auto cache = fs::path(sites.root) / ".cache/v1";
  std::ofstream(cache / "kept") << "x";
  REQUIRE_FALSE(run_with(command(deploy_phase::queued, 0, {}), [](auto& p) {
                  p.kind = service_kind::static_site;
                  p.remove = true;
                }).failure);
  CHECK_FALSE(fs::exists(cache));
  CHECK_FALSE(fs::exists(site.folder()));
}

TEST_CASE_METHOD(building, "build: what is served stays while the next one is on its way", "[sim][agent]") {
  constexpr std::array all{deploy_phase::pulling_source, deploy_phase::building, deploy_phase::copying_files,
                           deploy_phase::creating_symlinks};
  for (const auto p : all) REQUIRE_FALSE(phase(p, 1).failure);
  REQUIRE_FALSE(phase(deploy_phase::pulling_source, 2).failure);
  CHECK(host::stamp_of(site, 1));
  CHECK(fs::exists(fs::path(site.tree(1)) / "index.html"));
}

TEST_CASE_METHOD(building, "build: an archive that has the number is fetched again if it is another one",
                 "[sim][agent]") {
  fs::create_directories(site.own_folder());
  std::ofstream(site.archive(1)) << tar_of({{"out/index.html", "of another life"}});
  REQUIRE_FALSE(phase(deploy_phase::pulling_source, 1).failure);
  CHECK(sha256_of_file(site.archive(1)).value() == from.sha256);
}

TEST_CASE_METHOD(building, "build: an output that has the number but is of another source is made again",
                 "[sim][agent]") {
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

TEST_CASE_METHOD(containers, "container: an image that has the number is not taken for that of another operation",
                 "[sim][agent]") {
  const auto first = run(command(deploy_phase::pulling_source, 1, an_image()));
  REQUIRE_FALSE(first.failure);
  CHECK(first.proof.at("image") == "sha256:shop/api:1");
  SECTION("the same one, with its registry away and its name gone") {
    docker.images.erase("shop/api:1");
    const auto again = run(command(deploy_phase::pulling_source, 1, an_image()));
    REQUIRE_FALSE(again.failure);
    CHECK(again.proof == first.proof);
  }
  SECTION("of a manager that counts anew") {
    docker.image_ids["shop/api:1"] = "sha256:newer";
    auto c = command(deploy_phase::pulling_source, 1, an_image());
    c.op = {"another"};
    const auto r = run(c);
    REQUIRE_FALSE(r.failure);
    CHECK(r.proof.at("image") == "sha256:newer");
    CHECK(docker.image_ids.at("zedops/shop-api-v1:1") == "sha256:newer");
  }
}
