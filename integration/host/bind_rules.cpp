#include "integration/host/bind_rules.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

namespace zedops::host {
namespace {

// Nothing when it does not exist or cannot be looked at.
std::string real_path(const std::string& path) {
  char out[PATH_MAX];
  return ::realpath(path.c_str(), out) ? std::string(out) : std::string{};
}

bool at_or_below(const std::string& path, const std::string& folder) {
  return path == folder || (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/');
}

}  // namespace

msg::result<void> check_bind(const std::string& path, const std::vector<std::string>& allowed) {
  std::string list;
  for (const auto& folder : allowed) list += (list.empty() ? "" : ", ") + folder;
  const auto refused = [&](const std::string& what) {
    return msg::fail(msg::ec::forbidden, what + (list.empty() ? "; it permits none" : "; it permits " + list),
                     "the host's owner may add it to bind_paths in the agent's settings; a folder of the server's own "
                     "needs no permission: --folder");
  };
  if (list.empty()) return refused("this host does not permit mounting " + path);
  const auto real = real_path(path);
  if (real.empty())
    return msg::fail(msg::ec::not_found, path + " cannot be mounted: " + std::strerror(errno),
                     "create it on the agent's host, then repeat");
  for (const auto& folder : allowed)
    if (const auto there = real_path(folder); !there.empty() && at_or_below(real, there)) return {};
  return refused("this host does not permit mounting " + path + (real == path ? "" : ", which is " + real));
}

}  // namespace zedops::host
