// Is the network namespace we are in the one where the Engine publishes ports?
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <optional>

#include "integration/host/files.hpp"
#include "integration/host/port_probe.hpp"

namespace zedops::host {
namespace {

constexpr const char* hidden_why =
    "host check unavailable: this process is in a network namespace of its own; run the agent on the host or with host "
    "networking";

// The process behind a listening Unix socket; 0 when it is in a process namespace that we cannot see.
std::optional<pid_t> listener_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  // Non-blocking: a full backlog of a hung Engine must not block us.
  unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return std::nullopt;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.pid;
}

std::optional<bool> same_network_as(pid_t pid) {
  struct stat own {
  }, other{};
  if (::stat("/proc/self/ns/net", &own) != 0) return std::nullopt;
  if (::stat(fmt::format("/proc/{}/ns/net", pid).c_str(), &other) != 0) return std::nullopt;
  return own.st_ino == other.st_ino && own.st_dev == other.st_dev;
}

// The queue of received packets is a setting of the machine; the kernel shows it in the initial namespace only.
bool in_initial_network() { return ::access("/proc/sys/net/core/netdev_max_backlog", F_OK) == 0; }

}  // namespace

port_sight sight_of_ports(const std::string& engine_socket) {
  if (auto pid = listener_of(engine_socket); pid && *pid > 0)
    if (auto same = same_network_as(*pid))
      return *same ? port_sight{visibility::visible, {}} : port_sight{visibility::hidden, hidden_why};
  return in_initial_network() ? port_sight{visibility::visible, {}} : port_sight{visibility::hidden, hidden_why};
}

}  // namespace zedops::host
