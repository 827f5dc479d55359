#include "integration/host/sockets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <unordered_set>

#include "integration/host/files.hpp"
#include "integration/host/port_probe.hpp"

namespace zedops::host {
namespace {

template <class T>
bool number(std::string_view text, int base, T& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc{} && end == text.data() + text.size();
}

bool all_digits(const char* text) {
  if (!*text) return false;
  for (; *text; ++text)
    if (*text < '0' || *text > '9') return false;
  return true;
}

std::string process_name(const char* pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return fmt::format("pid {} ({})", pid, name.empty() ? "?" : name);
}

// The inode of "socket:[123]"; 0 for anything else.
uint64_t socket_inode(int dir, const char* fd) {
  char target[64];
  auto size = ::readlinkat(dir, fd, target, sizeof target);
  std::string_view text(target, size > 0 ? static_cast<size_t>(size) : 0);
  uint64_t inode = 0;
  if (!text.starts_with("socket:[") || !text.ends_with(']')) return 0;
  return number(text.substr(8, text.size() - 9), 10, inode) ? inode : 0;
}

}  // namespace

bool parse_socket_row(std::string_view line, bool listening_only, uint16_t& port, uint64_t& inode) {
  //   sl  local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...
  std::array<std::string_view, 10> field;
  size_t count = 0;
  while (count < field.size()) {
    auto from = line.find_first_not_of(' ');
    if (from == line.npos) return false;
    line.remove_prefix(from);
    auto to = std::min(line.find(' '), line.size());
    field[count++] = line.substr(0, to);
    line.remove_prefix(to);
  }
  auto colon = field[1].rfind(':');
  if (colon == std::string_view::npos || !number(field[1].substr(colon + 1), 16, port)) return false;
  if (listening_only && field[3] != "0A") return false;
  return number(field[9], 10, inode);
}

socket_table read_sockets(const std::string& proto) {
  socket_table table;
  for (const auto* family : {"", "6"}) {
    auto path = "/proc/net/" + proto + family;
    std::ifstream file(path);
    if (!file) {
      // A kernel without IPv6 has no such table, and nothing that could be in it.
      if (*family == 0) table.error = path + " cannot be read";
      continue;
    }
    std::string line;
    std::getline(file, line);  // heading
    for (size_t row = 0; std::getline(file, line); ++row) {
      if (row == socket_rows_max) {
        table.error = fmt::format("{} has more than {} rows", path, socket_rows_max);
        break;
      }
      uint16_t port = 0;
      uint64_t inode = 0;
      if (parse_socket_row(line, proto == "tcp", port, inode)) table.holders.emplace(port, inode);
    }
    if (file.bad()) table.error = path + " could not be read to its end";
  }
  return table;
}

std::unordered_map<uint64_t, std::string> processes_of(const std::vector<uint64_t>& inodes) {
  std::unordered_set<uint64_t> wanted(inodes.begin(), inodes.end());
  std::unordered_map<uint64_t, std::string> names;
  size_t scanned = 0;
  unique_fd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return names;
  list_dir(proc.get(), [&](const char* pid, bool) {
    if (!all_digits(pid)) return true;
    auto dir = open_dir_at(proc.get(), fmt::format("{}/fd", pid).c_str());
    if (!dir) return true;  // gone, or another user's
    list_dir(dir.get(), [&](const char* fd, bool) {
      auto inode = socket_inode(dir.get(), fd);
      if (wanted.erase(inode)) names[inode] = process_name(pid);
      return ++scanned < descriptors_scanned_max && !wanted.empty();
    });
    return scanned < descriptors_scanned_max && !wanted.empty();
  });
  return names;
}

}  // namespace zedops::host
