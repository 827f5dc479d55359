// What of a container's own layer its user would miss.
#pragma once
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>

#include "integration/docker/engine.hpp"
#include "messages/api/views.hpp"

namespace zedops::agent {

inline msg::layer_reply summary_of(const docker::container_layer& layer) {
  constexpr std::array<std::string_view, 11> nobodys = {"/tmp/",       "/run/",     "/var/run/",  "/var/tmp/",
                                                        "/var/cache/", "/var/log/", "/dev/",      "/proc/",
                                                        "/sys/",       "/etc/mtab", "/.dockerenv"};
  constexpr std::array<std::string_view, 3> made_by_engine = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"};
  constexpr size_t folders_max = 5;
  msg::layer_reply out;
  out.bytes = layer.bytes;
  std::map<std::string, uint64_t> folders;
  for (const auto& path : layer.files) {
    const bool skip =
        std::any_of(nobodys.begin(), nobodys.end(), [&](std::string_view p) { return path.starts_with(p); }) ||
        std::find(made_by_engine.begin(), made_by_engine.end(), path) != made_by_engine.end();
    if (skip) continue;
    ++out.files;
    // "/opt/game/saves/a" lies in "/opt/game".
    const auto second = path.find('/', path.find('/', 1) + 1);
    const auto parent = path.rfind('/');
    ++folders[path.substr(0, std::max<size_t>(1, std::min(second, parent)))];
  }
  for (const auto& [path, files] : folders) out.folders.push_back({path, files});
  std::stable_sort(out.folders.begin(), out.folders.end(),
                   [](const auto& a, const auto& b) { return a.files > b.files; });
  if (out.folders.size() > folders_max) out.folders.resize(folders_max);
  return out;
}

}  // namespace zedops::agent
