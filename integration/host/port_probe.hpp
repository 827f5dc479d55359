// Which ports something on this host holds already. Blocking, milliseconds; for worker threads.
//
// Two looks per port: the kernel's tables of sockets, and a real bind on the IPv4 any-address. Both see the network
// namespace of this process, which is the host's only if the Engine publishes ports in it: see sight_of_ports.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "messages/records/container.hpp"

namespace zedops::host {

inline constexpr size_t socket_rows_max = 1'000'000;        // read per table
inline constexpr size_t descriptors_scanned_max = 500'000;  // while looking for the holder's process

enum class port_state { free, taken, unknown };

struct port_query {
  uint16_t port = 0;
  msg::protocol proto = msg::protocol::tcp;
};

struct port_report {
  uint16_t port = 0;
  msg::protocol proto = msg::protocol::tcp;
  port_state state = port_state::unknown;
  std::string by;  // taken: "pid 812 (nginx)" or the error of bind; unknown: why
};

enum class visibility { visible, hidden };

struct port_sight {
  visibility what = visibility::hidden;
  std::string why;  // for hidden: "host check unavailable: ..."
};

// Whether this process shares the network namespace of the Engine that listens on the given Unix socket. Without a
// socket, or when the Engine's process cannot be seen (the agent is in a container): whether it is the initial one.
port_sight sight_of_ports(const std::string& engine_socket = {});

// In the order of the queries. When the host is hidden, every port is unknown.
std::vector<port_report> check_ports(const std::vector<port_query>& queries, const port_sight& host);

}  // namespace zedops::host
