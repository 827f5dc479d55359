// TCP on the loopback, for tests that hold sockets themselves.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
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

// Holds a port that was free. It does not listen there before listen().
class held_port {
 public:
  held_port() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto a = loopback();
    socklen_t size = sizeof a;
    auto* at = reinterpret_cast<sockaddr*>(&a);
    if (::bind(fd, at, size) != 0 || ::getsockname(fd, at, &size) != 0)
      throw std::system_error(errno, std::generic_category(), "a port of the loopback");
    number = ntohs(a.sin_port);
  }
  ~held_port() { ::close(fd); }
  held_port(const held_port&) = delete;
  held_port& operator=(const held_port&) = delete;
  bool listen() const { return ::listen(fd, 4) == 0; }

  const int fd;
  uint16_t number = 0;
};

inline uint16_t free_tcp_port() { return held_port().number; }

}  // namespace zedops::test
