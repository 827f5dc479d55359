// Whether a program listens at a port, as seen through a container's published port.
#include <thread>

#include "integration/host/http_look.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tcp.hpp"

using namespace zedops;
using namespace std::chrono_literals;

TEST_CASE("port look: a peer that waits for data listens, one that hangs up or is absent does not", "[unit][host]") {
  const test::held_port l;
  CHECK(host::port_look(l.number, 2s).error().message.find("nothing listens") == 0);
  REQUIRE(l.listen());
  CHECK(host::port_look(l.number, 2s));
  // As the Engine's proxy does when no program listens in the container.
  std::thread proxy([&] {
    for (int n = 0; n < 2; ++n)  // the connection from above is first in the queue
      if (const int c = ::accept(l.fd, nullptr, nullptr); c >= 0) ::close(c);
  });
  const auto hung_up = host::port_look(l.number, 2s);
  proxy.join();
  REQUIRE_FALSE(hung_up);
  CHECK(hung_up.error().message.find("of the container") != std::string::npos);
}
