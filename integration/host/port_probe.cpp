#include "integration/host/port_probe.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <map>

#include "integration/host/files.hpp"
#include "integration/host/sockets.hpp"

namespace zedops::host {
namespace {

using msg::protocol;

// The error that a program would get for this port; 0 when the port is free.
int try_bind(port_query query) {
  bool tcp = query.proto == protocol::tcp;
  unique_fd fd(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  // As every server does for TCP: connections lingering after a close do not block it. For UDP it would hide a holder.
  int on = 1;
  if (tcp && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return errno;
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(query.port);
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0 ? 0 : errno;
}

struct tables {
  socket_table tcp, udp;
};

port_report judge(port_query query, const tables& seen, std::vector<uint64_t>& holders) {
  port_report report{query.port, query.proto, port_state::unknown, {}};
  if (query.port == 0) {
    report.by = "0 is not a port";
    return report;
  }
  const auto& table = query.proto == protocol::tcp ? seen.tcp : seen.udp;
  if (auto held = table.holders.find(query.port); held != table.holders.end()) {
    report.state = port_state::taken;
    holders.push_back(held->second);
    return report;
  }
  int error = try_bind(query);
  if (error == EADDRINUSE) {
    report.state = port_state::taken;
    report.by = "bind: " + errno_text(error);
  } else if (error) {
    report.by = "bind: " + errno_text(error);
  } else if (!table.error.empty()) {
    report.by = table.error;  // a listener on one address or on IPv6 alone would show only there
  } else {
    report.state = port_state::free;
  }
  return report;
}

}  // namespace

std::vector<port_report> check_ports(const std::vector<port_query>& queries, const port_sight& host) {
  std::vector<port_report> reports;
  reports.reserve(queries.size());
  if (host.what == visibility::hidden) {
    for (auto query : queries) reports.push_back({query.port, query.proto, port_state::unknown, host.why});
    return reports;
  }
  tables seen{read_sockets("tcp"), read_sockets("udp")};
  std::map<size_t, uint64_t> inode_of;  // by index of the report
  std::vector<uint64_t> inodes;
  for (auto query : queries) {
    auto known = inodes.size();
    reports.push_back(judge(query, seen, inodes));
    if (inodes.size() > known) inode_of[reports.size() - 1] = inodes.back();
  }
  if (inodes.empty()) return reports;
  auto names = processes_of(inodes);
  for (auto [index, inode] : inode_of) {
    auto name = names.find(inode);
    reports[index].by = name != names.end() ? name->second : "a process that this user may not see";
  }
  return reports;
}

}  // namespace zedops::host
