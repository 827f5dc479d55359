#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "integration/host/files.hpp"
#include "messages/base/names.hpp"

namespace zedops::host {
namespace {

using msg::data_state;

void look(int dir, sizing sizes, dir_report& report) {
  bool content = false;
  uint64_t limit = sizes == sizing::measure ? size_entries_max : look_entries_max;
  auto outcome = walk(dir, limit, [&](int, const char*, bool is_dir) {
    content = !is_dir;
    return is_dir;
  });
  report.error = outcome.error;
  report.state = content ? data_state::present : outcome.error.empty() ? data_state::empty : data_state::unknown;
  if (sizes == sizing::measure) report.size = measure(dir, &report.error);
}

dir_report check_dir(int server, const std::string& server_path, const dir_rule& rule, sizing sizes) {
  dir_report report;
  report.path = server_path + "/" + rule.path;
  auto parts = relative_parts(rule.path);
  if (parts.empty()) {
    report.error = "not a path below the server's folder";
    return report;
  }
  unique_fd at;
  for (const auto& part : parts) {
    auto next = open_dir_at(at ? at.get() : server, part.c_str());
    if (!next) {
      if (errno == ENOENT) {
        report.state = data_state::absent;
      } else {
        report.error = why_not_opened(at ? at.get() : server, part.c_str(), report.path, errno);
      }
      return report;
    }
    at = std::move(next);
  }
  look(at.get(), sizes, report);
  return report;
}

// A template may mount the backups; they do not count as the server's data.
bool below_backups(const dir_rule& rule) {
  const auto parts = relative_parts(rule.path);
  return !parts.empty() && parts.front() == backups_name;
}

// One entry proves presence; without one, a single blind spot leaves the whole unknown.
void conclude(const check_request& request, data_report& report) {
  bool unknown = false, empty = false, present = false;
  for (size_t i = 0; i < report.dirs.size(); ++i) {
    const auto& dir = report.dirs[i];
    if (report.error.empty() && !dir.error.empty()) report.error = dir.path + ": " + dir.error;
    if (!request.dirs[i].counts_as_data || below_backups(request.dirs[i])) continue;
    present |= dir.state == data_state::present;
    unknown |= dir.state == data_state::unknown;
    empty |= dir.state == data_state::empty;
  }
  report.state = present   ? data_state::present
                 : unknown ? data_state::unknown
                 : empty   ? data_state::empty
                           : data_state::absent;
}

tree_size without_backups(int server) {
  auto size = measure(server, nullptr);
  auto backups = open_dir_at(server, backups_name);
  if (!backups) return size;
  const auto kept = measure(backups.get(), nullptr);
  size.bytes -= std::min(size.bytes, kept.bytes);
  size.entries -= std::min(size.entries, kept.entries + 1);
  size.complete &= kept.complete;
  return size;
}

}  // namespace

data_report check(const check_request& request) {
  data_report report;
  auto path = request.root.data_path + "/" + request.name;
  auto all = [&](data_state state, std::string error) {
    report.state = state;
    report.error = error;
    for (const auto& rule : request.dirs) report.dirs.push_back({path + "/" + rule.path, state, {}, error});
    if (state == data_state::absent && request.sizes == sizing::measure) report.size = tree_size{};
    return report;
  };
  if (auto named = msg::check_server_name(request.name); !named) return all(data_state::unknown, named.error().message);
  auto root = open_root(request.root);
  if (!root) return all(data_state::unknown, root.error().message + "; " + root.error().hint);
  auto server = open_dir_at(root->get(), request.name.c_str());
  if (!server) {
    if (errno == ENOENT) return all(data_state::absent, {});
    return all(data_state::unknown, why_not_opened(root->get(), request.name.c_str(), path, errno));
  }
  for (const auto& rule : request.dirs) report.dirs.push_back(check_dir(server.get(), path, rule, request.sizes));
  conclude(request, report);
  struct statvfs disk {};
  if (report.error.empty() && ::fstatvfs(server.get(), &disk) == 0 && (disk.f_flag & ST_RDONLY) != 0)
    report.error = path + ": its disk is mounted read-only, so the server can save nothing";
  if (request.sizes == sizing::measure) report.size = without_backups(server.get());
  return report;
}

msg::result<disk_space> disk_usage(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0)
    return msg::fail(msg::ec::data_unknown, fmt::format("disk of {}: {}", path, errno_text(errno)),
                     "mount the disk, or correct data_path");
  uint64_t block = info.f_frsize;
  return disk_space{info.f_blocks * block, (info.f_blocks - info.f_bfree) * block, info.f_bavail * block};
}

}  // namespace zedops::host
