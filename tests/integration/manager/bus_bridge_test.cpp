// Between the bus and the actors, from the first moment on.
#include "tools/manager/bus_bridge.hpp"

#include "tests/integration/bus/support.hpp"

using namespace zedops;

TEST_CASE("bus bridge: a request that is read before open() has returned can be answered", "[integration][manager]") {
  bus_test::temp_dir dir;
  app::known_keys keys(dir.path / "authorized_keys", "here");
  app::bus_bridge bridge(1, keys);
  CHECK_FALSE(bridge.reply({&bridge, "somebody", "1"}, rt::answer::result, "too early"));
  bus::server_bus_options options;
  options.runtime_dir = dir.path / "run";
  options.clients_uris = {"ipc://" + (options.runtime_dir / "clients.ipc").string()};
  // As open() does it, but no further: what arrives now arrives while open() is still running.
  auto bus = bus::server_bus::start(std::move(options), bridge);
  REQUIRE(bus);
  CHECK(bus_test::eventually([&] { return bridge.reply({&bridge, "somebody", "1"}, rt::answer::result, "in time"); }));
  (*bus)->stop(bus_test::patience);
}
