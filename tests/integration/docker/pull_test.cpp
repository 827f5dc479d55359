#include <filesystem>

#include "tests/integration/docker/docker_test.hpp"

using namespace zedops;
using namespace zedops::test;

namespace {

// A registry on loopback that holds zedops/busybox as NAME:1, in two layers' worth of bytes.
struct registry {
  std::string dir = shell("mktemp -d /tmp/zedops-registry.XXXXXX");
  std::string address;
  registry() {
    dir.pop_back();  // the newline
    address = shell(source_dir() + "/tools/registry up --dir " + dir + " --port " + std::to_string(free_port()));
    address = address.substr(address.find('=') + 1);
    address.pop_back();
  }
  ~registry() { shell(source_dir() + "/tools/registry down --dir " + dir + "; rm -rf " + dir); }
  std::string push(const std::string& name) {
    auto reference = address + "/" + name + ":1";
    auto docker = "DOCKER_HOST=" + docker_host() + " docker ";
    shell(docker + "tag zedops/busybox:test " + reference + " && " + docker + "push " + reference + " && " + docker +
          "rmi " + reference);
    // Removing an image's last name removes its layers: a fresh import under a second name makes a real download.
    return reference;
  }
};

msg::result<std::string> pull(engine& engine, const std::string& reference, progress_handler on_progress = {}) {
  awaited<std::string> a;
  auto handle = engine.pull_image(reference, {}, std::move(on_progress), a.handler());
  return a.get();
}

}  // namespace

TEST_CASE("docker: a pull downloads, reports its progress and ends with the Engine's final message",
          "[integration][docker]") {
  registry registry;
  auto reference = registry.push("game");
  private_engine fresh{"pull"};  // an Engine that has none of the layers
  shell("DOCKER_HOST=" + fresh.host() + " docker rmi zedops/busybox:test");
  auto client = connect_to(fresh.host());
  watched<std::vector<pull_state>> told;
  auto r = pull(*client, reference, [&](const pull_state& s) { told.change([&](auto& v) { v.push_back(s); }); });
  INFO((r ? *r : r.error().message));
  REQUIRE(r);
  CHECK(r->find("Downloaded newer image") != std::string::npos);
  auto all = told.value();
  REQUIRE(all.size() > 2);
  for (std::size_t i = 1; i < all.size(); ++i) CHECK(all[i].fraction >= all[i - 1].fraction);
  CHECK(all.back().fraction == Approx(1.0));
  CHECK(all.back().total_bytes > 100'000);
  auto image = wait_for<image_info>([&](auto h) { client->inspect_image(reference, {}, h); });
  REQUIRE(image);
  CHECK(image->bytes > 100'000);
  auto again = pull(*client, reference);
  REQUIRE(again);
  CHECK(again->find("up to date") != std::string::npos);
}

TEST_CASE("docker: an absent tag and a registry that is down give different errors", "[integration][docker]") {
  std::string address;
  auto client = connect_to(docker_host());
  {
    registry registry;
    address = registry.address;
    auto r = pull(*client, registry.push("there") + "x");
    REQUIRE_FALSE(r);
    CHECK(r.error().code == msg::ec::pull_failed);
    CHECK(r.error().hint.find("tag") != std::string::npos);
  }
  auto r = pull(*client, address + "/there:1");
  REQUIRE_FALSE(r);
  CHECK(r.error().code == msg::ec::pull_failed);
  CHECK(r.error().message.find("refused") != std::string::npos);
  CHECK(r.error().hint.find("registry") != std::string::npos);
}

TEST_CASE("docker: a broken layer fails the pull although the answer began with 200", "[integration][docker][fc-17]") {
  registry registry;
  auto reference = registry.push("broken");
  // Other bytes of the same length below each layer's name: the digest is wrong only once they have arrived.
  shell("find " + registry.dir +
        "/data -name data -size +100k -exec sh -c 'n=$(stat -c %s \"$1\"); head -c \"$n\" /dev/urandom >\"$1\"' _ {} "
        "\\;");
  private_engine fresh{"broken"};
  shell("DOCKER_HOST=" + fresh.host() + " docker rmi zedops/busybox:test");
  auto client = connect_to(fresh.host());
  auto r = pull(*client, reference);
  REQUIRE_FALSE(r);
  INFO(r.error().message);
  CHECK(r.error().code == msg::ec::pull_failed);
  CHECK(r.error().message.find("HTTP") == std::string::npos);  // reported inside the stream, not by a status
  CHECK_FALSE(wait_for<image_info>([&](auto h) { client->inspect_image(reference, {}, h); }));
}
