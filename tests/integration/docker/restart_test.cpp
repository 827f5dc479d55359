#include "tests/integration/docker/docker_test.hpp"

using namespace zedops;
using namespace zedops::test;

TEST_CASE("docker: a daemon that restarts or is killed ends the streams, and the same client works with the new one",
          "[integration][docker][fc-61]") {
  private_engine own{"restart"};
  auto client = connect_to(own.host());
  for (auto verb : {"restart", "kill"}) {
    INFO(verb);
    auto ping = [&] { return wait_for<std::string>([&](auto h) { client->ping({}, h); }); };
    REQUIRE(ping());
    awaited<void> end;
    watched<bool> open;
    auto handle = client->events(
        {.on_open = [&] { open.change([](bool& b) { b = true; }); }}, [](const event&) {}, end.handler());
    REQUIRE(open.wait([](bool b) { return b; }));
    own.run(verb);
    auto ended = end.get();
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code == msg::ec::engine_error);
    if (std::string{verb} == "kill") {
      auto down = ping();
      REQUIRE_FALSE(down);
      INFO(down.error().message);  // refused, or cut off on a connection that was just being made: the same message
      CHECK(down.error().code == msg::ec::engine_error);
      CHECK(down.error().message.find("no Docker Engine at " + own.host()) == 0);
      CHECK(down.error().hint.find("systemctl start docker") != std::string::npos);
      own.run("up");
    }
    auto back = ping();
    INFO((back ? "" : back.error().message));
    CHECK(back);
    CHECK(wait_for<std::vector<container_summary>>([&](auto h) { client->list_containers({}, {}, h); }));
  }
}
