#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/docker/docker_test.hpp"

using namespace zedops;
using namespace zedops::test;

namespace {
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE_METHOD(docker_fixture, "docker: a name that is taken names its holder", "[integration][docker][fc-64]") {
  auto first = spec();
  auto holder = created(first);
  auto second = spec();
  second.name = first.name;
  auto r = create(second);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == msg::ec::already_exists);
  CHECK(has(r.error().message, holder));
  CHECK(has(r.error().hint, holder.substr(0, 12)));
  auto third = created(spec());
  auto renamed = wait_for<effect>([&](auto h) { engine.rename_container(third, first.name, {}, h); });
  REQUIRE_FALSE(renamed);
  CHECK(renamed.error().code == msg::ec::already_exists);
}

TEST_CASE_METHOD(docker_fixture, "docker: a port of another container or of the host is a port conflict",
                 "[integration][docker]") {
  auto port = free_port();
  for (auto proto : {msg::protocol::tcp, msg::protocol::udp}) {
    auto s = spec();
    s.ports = {{port, 80, proto, ""}};
    started(s);
    auto other = spec();
    other.ports = s.ports;
    auto id = created(other);
    auto r = start(id);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == msg::ec::port_conflict);
    CHECK(has(r.error().message, std::to_string(port)));
  }
  auto taken = free_port();
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(taken);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
  REQUIRE(::listen(fd, 1) == 0);
  auto s = spec();
  s.ports = {{taken, 80, msg::protocol::tcp, ""}};
  auto r = start(created(s));
  ::close(fd);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == msg::ec::port_conflict);
}

TEST_CASE_METHOD(docker_fixture, "docker: an absent image, container, network or mount source is named with a remedy",
                 "[integration][docker]") {
  auto s = spec();
  s.image = "zedops/absent:1";
  auto r = create(s);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == msg::ec::not_found);
  CHECK(has(r.error().message, "zedops/absent:1"));
  CHECK(has(r.error().hint, "pull"));
  CHECK(wait_for<image_info>([&](auto h) { engine.inspect_image("zedops/absent:1", {}, h); }).error().code ==
        msg::ec::not_found);
  CHECK(start("no-such-container").error().code == msg::ec::not_found);
  CHECK(stop("no-such-container").error().code == msg::ec::not_found);
  CHECK(wait_for<network_info>([&](auto h) { engine.inspect_network("no-such-network", {}, h); }).error().code ==
        msg::ec::not_found);

  auto mount = spec();
  mount.mounts = {{"/no/such/directory", "/data", false}};
  auto m = create(mount);
  REQUIRE_FALSE(m);
  CHECK(m.error().code == msg::ec::bad_request);
  CHECK(has(m.error().message, "/no/such/directory"));
  CHECK(has(m.error().hint, "create that directory"));
}

TEST_CASE_METHOD(docker_fixture, "docker: a running container is not removed without force", "[integration][docker]") {
  auto id = started(spec());
  auto r = remove(id, removal::stopped_only);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == msg::ec::wrong_state);
  CHECK(inspect(id));
}

TEST_CASE_METHOD(docker_fixture, "docker: names that try to climb to another endpoint reach none",
                 "[integration][docker]") {
  for (auto name : {"../images/json?", "x/json?size=1", "..", "%2e%2e", "a\r\nX: y"}) {
    INFO(name);
    CHECK_FALSE(inspect(name));
    CHECK_FALSE(start(name));
  }
}

TEST_CASE("docker: without an Engine every call says so and how to fix it", "[integration][docker]") {
  auto client = connect_to("unix:///nowhere/docker.sock");
  auto r = wait_for<std::string>([&](auto h) { client->ping({}, h); });
  REQUIRE_FALSE(r);
  CHECK(r.error().code == msg::ec::engine_error);
  CHECK(has(r.error().message, "no Docker Engine at unix:///nowhere/docker.sock"));
  CHECK_FALSE(r.error().hint.empty());
  auto tcp = connect_to("tcp://127.0.0.1:1");
  CHECK(has(wait_for<std::string>([&](auto h) { tcp->ping({}, h); }).error().message, "refused"));
}
