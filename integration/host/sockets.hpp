// Private to this folder: the kernel's socket tables and whose sockets they are.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace zedops::host {

struct socket_table {
  std::unordered_map<uint16_t, uint64_t> holders;  // port -> inode of a socket that listens (TCP) or is bound (UDP)
  std::string error;                               // some part could not be read
};

// One line of /proc/net/{tcp,udp}[6]; false when it is no row, or a TCP socket that does not listen.
bool parse_socket_row(std::string_view line, bool listening_only, uint16_t& port, uint64_t& inode);

// "tcp" or "udp": both address families.
socket_table read_sockets(const std::string& proto);

// "pid 812 (nginx)" for each socket whose process can be seen.
std::unordered_map<uint64_t, std::string> processes_of(const std::vector<uint64_t>& inodes);

}  // namespace zedops::host
