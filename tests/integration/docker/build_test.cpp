// Images built from a context on the real Engine, named and removed.
#include <fstream>

#include "integration/archive/pack.hpp"
#include "tests/integration/docker/docker_test.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::docker;
using namespace zedops::test;
using namespace std::chrono_literals;

namespace {

struct building : docker_fixture {
  temp_dir dir;
  watched<std::vector<std::string>> lines;

  msg::result<std::string> build(const std::string& dockerfile, const std::string& name) {
    std::filesystem::create_directories(dir.path() / "app");
    std::ofstream(dir.path() / "app/Dockerfile") << dockerfile;
    build_options o;
    o.context = (dir.path() / "context.tar").string();
    o.dockerfile = "Dockerfile";
    o.tag = name;
    o.labels = {{"zedops.test", "build"}};
    REQUIRE(archive::pack_context((dir.path() / "app").string(), o.dockerfile, o.context).has_value());
    awaited<std::string> a;
    auto handle = engine.build_image(
        o, [&](output, std::string_view l) { lines.change([&](auto& v) { v.emplace_back(l); }); }, a.handler());
    return a.get();
  }
  bool said(const std::string& text) {
    return lines.wait([&](auto& all) {
      return std::any_of(all.begin(), all.end(), [&](auto& l) { return l.find(text) != std::string::npos; });
    });
  }
};

}  // namespace

TEST_CASE_METHOD(building, "docker: an image is built line by line, tagged again, and removed with its last tag",
                 "[integration][docker]") {
  auto id = build("FROM zedops/busybox:test\nRUN echo built here\n", "zedops-test/built:1");
  INFO((id ? *id : id.error().message));
  REQUIRE(id);
  CHECK(said("built here"));
  auto seen = wait_for<image_info>([&](auto h) { engine.inspect_image("zedops-test/built:1", {}, std::move(h)); });
  REQUIRE(seen);
  CHECK(seen->id == *id);
  CHECK(seen->labels.at("zedops.test") == "build");
  REQUIRE(wait_for<effect>([&](auto h) { engine.tag_image(*id, "zedops-test/built", "2", {}, std::move(h)); }));
  CHECK(*wait_for<effect>([&](auto h) { engine.remove_image("zedops-test/built:1", {}, std::move(h)); }) ==
        effect::done);
  CHECK(wait_for<image_info>([&](auto h) { engine.inspect_image(*id, {}, std::move(h)); }).has_value());
  CHECK(*wait_for<effect>([&](auto h) { engine.remove_image("zedops-test/built:2", {}, std::move(h)); }) ==
        effect::done);
  CHECK(*wait_for<effect>([&](auto h) { engine.remove_image("zedops-test/built:2", {}, std::move(h)); }) ==
        effect::already);
  CHECK(wait_for<image_info>([&](auto h) { engine.inspect_image(*id, {}, std::move(h)); }).error().code ==
        msg::ec::not_found);
}

TEST_CASE_METHOD(building, "docker: a failing build names the step, and an invalid one says what is wrong",
                 "[integration][docker]") {
  auto failed = build("FROM zedops/busybox:test\nRUN echo before; exit 5\n", "zedops-test/failing:1");
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == msg::ec::bad_request);
  CHECK(failed.error().message.find("returned a non-zero code: 5") != std::string::npos);
  CHECK(said("before"));
  auto nonsense = build("FRUM nothing\n", "zedops-test/failing:1");
  REQUIRE_FALSE(nonsense);
  CHECK(nonsense.error().code == msg::ec::bad_request);
}

TEST_CASE_METHOD(building, "docker: a cancelled build ends on the Engine too", "[integration][docker]") {
  std::filesystem::create_directories(dir.path() / "app");
  std::ofstream(dir.path() / "app/Dockerfile") << "FROM zedops/busybox:test\nRUN sleep 543\n";
  build_options o;
  o.context = (dir.path() / "context.tar").string();
  o.dockerfile = "Dockerfile";
  o.tag = "zedops-test/slow:1";
  REQUIRE(archive::pack_context((dir.path() / "app").string(), o.dockerfile, o.context).has_value());
  awaited<std::string> a;
  auto handle = engine.build_image(
      o, [&](output, std::string_view l) { lines.change([&](auto& v) { v.emplace_back(l); }); }, a.handler());
  REQUIRE(said("Step 2"));
  handle.cancel();
  CHECK(a.get().error().code == msg::ec::cancelled);
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (shell("DOCKER_HOST=" + docker_host() + " docker ps --no-trunc --format '{{.Command}}'").find("sleep 543") !=
             std::string::npos &&
         std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  CHECK(shell("DOCKER_HOST=" + docker_host() + " docker ps --no-trunc --format '{{.Command}}'").find("sleep 543") ==
        std::string::npos);
}
