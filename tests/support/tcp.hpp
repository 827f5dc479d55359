// TCP on the loopback, for tests that hold sockets themselves.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <system_error>

namespace zedops::test {

inline sockaddr_in loopback(uint16_t port = 0) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(port);
  return a;
}

// A connection, or -1 when the port is closed.
inline int dial(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto a = loopback(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0) return fd;
  ::close(fd);
  return -1;
}

// Holds a port: any that is free, or the given one. It does not listen there before listen().
class held_port {
 public:
  explicit held_port(uint16_t wanted = 0) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto a = loopback(wanted);
    socklen_t size = sizeof a;
    auto* at = reinterpret_cast<sockaddr*>(&a);
    if (::bind(fd, at, size) != 0 || ::getsockname(fd, at, &size) != 0) {
      const auto why = errno;
      ::close(fd);
      throw std::system_error(why, std::generic_category(), "a port of the loopback");
    }
    number = ntohs(a.sin_port);
  }
  ~held_port() { ::close(fd); }
  held_port(const held_port&) = delete;
  held_port& operator=(const held_port&) = delete;
  bool listen() const { return ::listen(fd, 4) == 0; }

  const int fd;
  uint16_t number = 0;
};

// A port where nobody listens. Outside the range that the kernel takes for outgoing connections, because one of those
// would have the port before the caller; programs that run in parallel start at different numbers.
inline uint16_t free_tcp_port() {
  static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 37U};
  for (int tries = 0; tries < 2000; ++tries) {
    try {
      return held_port(static_cast<uint16_t>(12000 + next++ % 9000)).number;
    } catch (const std::system_error&) {
    }
  }
  throw std::runtime_error("no free port between 12000 and 20999");
}

}  // namespace zedops::test
