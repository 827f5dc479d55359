#include "integration/host/port_probe.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "tests/integration/host/disk.hpp"

using namespace zedops;
using host::port_state;
using host::visibility;
using msg::protocol;

namespace {

// A socket of this process on a port of the kernel's choice.
struct holder {
  int fd = -1;
  uint16_t port = 0;

  explicit holder(int type, int family = AF_INET, bool loopback = false) {
    fd = ::socket(family, type | SOCK_CLOEXEC, 0);
    sockaddr_storage address{};
    socklen_t size = 0;
    if (family == AF_INET) {
      auto* a = reinterpret_cast<sockaddr_in*>(&address);
      a->sin_family = AF_INET;
      if (loopback) a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      size = sizeof *a;
    } else {
      auto* a = reinterpret_cast<sockaddr_in6*>(&address);
      int on = 1;
      ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
      a->sin6_family = AF_INET6;
      size = sizeof *a;
    }
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    if (type == SOCK_STREAM) REQUIRE(::listen(fd, 1) == 0);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);  // at the same offset in both families
  }
  ~holder() { ::close(fd); }
  holder(const holder&) = delete;
  holder& operator=(const holder&) = delete;
};

const host::port_sight visible{visibility::visible, {}};

host::port_report ask(uint16_t port, protocol proto) { return host::check_ports({{port, proto}}, visible).at(0); }

}  // namespace

TEST_CASE("ports: a listener is named by its process", "[integration][host][acc-67]") {
  holder tcp(SOCK_STREAM);
  auto report = ask(tcp.port, protocol::tcp);
  CHECK(report.state == port_state::taken);
  CHECK(report.by.find("pid " + std::to_string(::getpid()) + " (host_test") == 0);
}

TEST_CASE("ports: TCP and UDP are separate", "[integration][host][acc-65][fc-46]") {
  holder udp(SOCK_DGRAM);
  CHECK(ask(udp.port, protocol::udp).state == port_state::taken);
  CHECK(ask(udp.port, protocol::tcp).state == port_state::free);
}

TEST_CASE("ports: one that is taken on loopback only or on IPv6 only is taken too", "[integration][host]") {
  holder loopback(SOCK_STREAM, AF_INET, true);
  CHECK(ask(loopback.port, protocol::tcp).state == port_state::taken);
  if (int fd = ::socket(AF_INET6, SOCK_STREAM, 0); fd >= 0) {
    ::close(fd);
    holder six(SOCK_STREAM, AF_INET6);
    CHECK(ask(six.port, protocol::tcp).state == port_state::taken);
  }
}

TEST_CASE("ports: a port is free again when its holder has ended", "[integration][host]") {
  uint16_t port = 0;
  {
    holder udp(SOCK_DGRAM);
    port = udp.port;
    REQUIRE(ask(port, protocol::udp).state == port_state::taken);
  }
  CHECK(ask(port, protocol::udp).state == port_state::free);
}

TEST_CASE("ports: answers are in the order of the questions, and port 0 is not a port", "[integration][host]") {
  holder tcp(SOCK_STREAM), udp(SOCK_DGRAM);
  auto reports = host::check_ports({{0, protocol::tcp}, {udp.port, protocol::udp}, {tcp.port, protocol::tcp}}, visible);
  REQUIRE(reports.size() == 3);
  CHECK(reports[0].state == port_state::unknown);
  CHECK(reports[1].port == udp.port);
  CHECK(reports[1].state == port_state::taken);
  CHECK(reports[2].port == tcp.port);
  CHECK_FALSE(reports[2].by.empty());
}

TEST_CASE("ports: a socket that is bound but does not listen yet is found by bind", "[integration][host]") {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  socklen_t size = sizeof any;
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&any), size) == 0);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&any), &size);
  auto report = ask(ntohs(any.sin_port), protocol::tcp);
  ::close(fd);
  CHECK(report.state == port_state::taken);
  CHECK(report.by.find("bind: ") == 0);
}

TEST_CASE("ports: one that this user may not bind is unknown, not free", "[integration][host]") {
  if (!test::is_root()) return;
  CHECK(test::in_child([]() -> std::string {
          std::ifstream setting("/proc/sys/net/ipv4/ip_unprivileged_port_start");
          if (int first = 0; setting >> first && first < 2)
            return "unknown bind: Permission denied";  // no such ports here
          if (::setegid(65534) != 0 || ::seteuid(65534) != 0) return "cannot change the user";
          auto report = ask(1, protocol::udp);
          return (report.state == port_state::unknown ? "unknown " : "known ") + report.by;
        }) == "unknown bind: Permission denied");
}

TEST_CASE("ports: in a network namespace of its own the host check says so", "[integration][host][fc-48]") {
  if (!test::is_root()) return;
  CHECK(test::in_child([]() -> std::string {
          if (::unshare(CLONE_NEWNET) != 0) return "no network namespace";
          auto seen = host::sight_of_ports();
          if (seen.what != visibility::hidden) return "believes to see the host";
          auto report = host::check_ports({{16261, protocol::udp}}, seen).at(0);
          if (report.state != port_state::unknown) return "claims to know";
          return report.by.find("host check unavailable") == 0 ? "" : report.by;
        }) == "");
}

TEST_CASE("ports: what counts is the namespace of the Engine's process", "[integration][host][fc-48]") {
  if (!test::is_root()) return;
  test::disk d;
  auto path = (d.path / "engine.sock").string();
  int engine = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  REQUIRE(::bind(engine, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(engine, 8) == 0);
  CHECK(host::sight_of_ports(path).what == visibility::visible);
  auto from_elsewhere = test::in_child([&]() -> std::string {
    if (::unshare(CLONE_NEWNET) != 0) return "no network namespace";
    return host::sight_of_ports(path).what == visibility::hidden ? "" : "believes to see the Engine's ports";
  });
  // An Engine in its own namespace, and the agent beside it: that namespace is its host, although not the machine's.
  auto beside = test::in_child([&]() -> std::string {
    if (::unshare(CLONE_NEWNET) != 0) return "no network namespace";
    auto own = path + "2";
    int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::memcpy(address.sun_path, own.data(), own.size());
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 8) != 0)
      return "no socket";
    return host::sight_of_ports(own).what == visibility::visible ? "" : "does not see its own Engine";
  });
  ::close(engine);
  CHECK(from_elsewhere == "");
  CHECK(beside == "");
}
