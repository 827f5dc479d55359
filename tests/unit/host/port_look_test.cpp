// Whether somebody listens at a port, as a published port of a container shows it.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "integration/host/http_look.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace std::chrono_literals;

namespace {

struct listener {
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  uint16_t port = 0;
  listener() {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&a), size) == 0);
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size) == 0);
    port = ntohs(a.sin_port);
  }
  ~listener() { ::close(fd); }
};

}  // namespace

TEST_CASE("port look: who waits for a word listens, who hangs up or is not there does not", "[unit][host]") {
  listener l;
  CHECK(host::port_look(l.port, 2s).error().message.find("nobody listens") == 0);
  REQUIRE(::listen(l.fd, 4) == 0);
  CHECK(host::port_look(l.port, 2s));
  // As the Engine's proxy does when nobody listens in the container.
  std::thread proxy([&] {
    for (int n = 0; n < 2; ++n)  // the connection from above is first in the queue
      if (const int c = ::accept(l.fd, nullptr, nullptr); c >= 0) ::close(c);
  });
  const auto hung_up = host::port_look(l.port, 2s);
  proxy.join();
  REQUIRE_FALSE(hung_up);
  CHECK(hung_up.error().message.find("of the container") != std::string::npos);
}
