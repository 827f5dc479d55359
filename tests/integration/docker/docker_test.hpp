// What the Docker suites share: a client of the shared Engine, a label of its own, and plain calls.
#pragma once
#include "integration/docker/beast_engine.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/engine_fixture.hpp"

namespace zedops::test {

using namespace docker;

inline std::unique_ptr<engine> connect_to(const std::string& host) {
  auto made = make_engine(host);
  REQUIRE(made);
  return std::move(*made);
}

// Plain calls with checked results; `tag` marks everything this test makes.
struct docker_fixture {
  std::unique_ptr<docker::engine> client = connect_to(docker_host());
  docker::engine& engine = *client;
  std::string tag = unique_name("t");
  docker::labels mine{{"zedops.test", tag}};
  cleanup sweep{engine, mine};

  msg::container_spec spec(std::vector<std::string> command = {"sleep", "1000"}) {
    msg::container_spec s;
    s.name = unique_name("c");
    s.image = "zedops/busybox:test";
    s.labels = mine;
    s.command = std::move(command);
    s.stop_signal = "SIGKILL";  // a shell as first process ignores SIGTERM, and the tests should not wait
    return s;
  }
  msg::result<created_container> create(msg::container_spec s) {
    return wait_for<created_container>([&](auto h) { engine.create_container(std::move(s), {}, std::move(h)); });
  }
  std::string created(msg::container_spec s) {
    auto made = create(std::move(s));
    INFO((made ? "" : made.error().message));
    REQUIRE(made);
    return made->id;
  }
  std::string started(msg::container_spec s) {
    auto id = created(std::move(s));
    auto r = start(id);
    INFO((r ? "" : r.error().message));
    REQUIRE(r);
    return id;
  }
  msg::result<effect> start(const std::string& id) {
    return wait_for<effect>([&](auto h) { engine.start_container(id, {}, std::move(h)); });
  }
  msg::result<effect> stop(const std::string& id, msg::duration grace = std::chrono::seconds{5}) {
    return wait_for<effect>([&](auto h) { engine.stop_container(id, grace, {}, std::move(h)); });
  }
  msg::result<effect> remove(const std::string& id, removal how = removal::force) {
    return wait_for<effect>(
        [&](auto h) { engine.remove_container(id, how, anonymous_volumes::remove, {}, std::move(h)); });
  }
  msg::result<container_details> inspect(const std::string& id) {
    return wait_for<container_details>([&](auto h) { engine.inspect_container(id, {}, std::move(h)); });
  }
  // Asks again and again: a container that never ends fails the test at its deadline.
  bool has_ended(const std::string& id) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (std::chrono::steady_clock::now() < deadline)
      if (auto seen = inspect(id); seen && seen->view.state == msg::container_state::exited) return true;
    return false;
  }
  msg::result<std::vector<container_summary>> list(labels which) {
    return wait_for<std::vector<container_summary>>(
        [&](auto h) { engine.list_containers(std::move(which), {}, std::move(h)); });
  }
};

}  // namespace zedops::test
