// The core's way to its manager, from the first moment on.
#include "actors/agent/session/link_adapter.hpp"

#include <caf/all.hpp>

#include "tests/integration/bus/support.hpp"

using namespace zedops;
using namespace zedops::agent;

namespace {

// Says hello as soon as there is a connection, on a thread of its own, as the core does.
core_actor spawn_eager(caf::actor_system& sys, link_adapter& link, std::atomic<int>& refused) {
  return sys.spawn([&](core_actor::pointer) -> core_actor::behavior_type {
    return {
        [&](link_input& in) {
          if (std::holds_alternative<link_up>(in) && !link.send(msg::hello{}, 0)) ++refused;
        },
        [](engine_input&) {},
        [](const completion&) {},
        [](tick_atom) {},
        [](stop_atom) {},
        [](busy_atom) -> uint64_t { return 0; },
    };
  });
}

}  // namespace

TEST_CASE("link adapter: a connection that comes before dial() has returned is answered", "[integration][agent]") {
  bus_test::fixture manager;
  caf::actor_system_config config;
  std::atomic<int> refused{0};
  link_adapter adapter;
  caf::actor_system system{config};
  auto core = spawn_eager(system, adapter, refused);
  adapter.attach(core);
  bus::agent_link_options options;
  options.manager = manager.uri("agents");
  // As dial() does it, but no further: what arrives now arrives while dial() is still running.
  auto link = bus::agent_link::start(options, adapter);
  REQUIRE(link);
  CHECK(manager.seen.wait([&] { return manager.seen.messages.size() == 1; }));
  CHECK(refused == 0);
  (*link)->stop(bus_test::patience);
  caf::scoped_actor self{system};
  self->send_exit(core, caf::exit_reason::user_shutdown);
  self->wait_for(core);
}
