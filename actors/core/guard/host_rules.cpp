#include "actors/core/guard/host_rules.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "messages/base/names.hpp"

namespace zedops::core {

using namespace msg;

namespace {

// * any characters, ? one; everything else is itself.
bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') ++p, ++t;
    else if (p < pattern.size() && pattern[p] == '*') star = p++, from = t;
    else if (star != std::string_view::npos) p = star + 1, t = ++from;
    else return false;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool any_matches(const host_rule& rule, std::string_view text) {
  return std::any_of(rule.allowed.begin(), rule.allowed.end(), [&](const auto& one) { return matches(one, text); });
}

std::string normal(const std::string& path) {
  auto out = std::filesystem::path(path).lexically_normal().string();
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
  return out;
}
bool below(std::string_view path, std::string_view folder) {
  return path == folder || folder == "/" ||
         (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/');
}

struct port_range {
  uint64_t first = 0, last = 0;
};
std::optional<port_range> range_of(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = parse_decimal(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_decimal(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *last > 65'535 || *first > *last) return std::nullopt;
  return port_range{*first, *last};
}

// "CAP_SYS_NICE", "sys_nice" and "SYS_NICE" are one.
std::string plain(std::string_view capability) {
  std::string out;
  for (char c : capability) out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out.starts_with("CAP_") ? out.substr(4) : out;
}
constexpr std::string_view docker_gives[] = {
    "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "MKNOD",      "NET_RAW", "SETGID",
    "SETUID", "SETFCAP",      "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",    "AUDIT_WRITE"};

bool may_have(const host_rule& rule, const std::string& capability) {
  if (std::find(std::begin(docker_gives), std::end(docker_gives), capability) != std::end(docker_gives)) return true;
  return std::any_of(rule.allowed.begin(), rule.allowed.end(),
                     [&](const auto& one) { return plain(one) == capability || plain(one) == "ALL"; });
}

tl::unexpected<error> refused(const host_rule& rule, const std::string& what) {
  std::string list;
  for (const auto& one : rule.allowed) list += (list.empty() ? "" : ", ") + one;
  return fail(ec::forbidden,
              "this host does not permit " + what + ": " + rule.name + " (" + rule.origin + ") is " +
                  (list.empty() ? "empty" : list),
              "the host's owner may add it there and restart the agent; no manager can");
}

// A server's own folders are below its data root, and nothing else is mounted in their place: bind_paths says what else
// may be mounted.
result<void> own_folders(const server_plan& plan) {
  const auto tree = plan.data.root + "/" + plan.data.name;
  const auto foreign = [](const std::string& path) {
    return fail(ec::forbidden, path + " is not a folder of this server",
                "mount it as a folder of the host: bind_paths");
  };
  for (size_t i = 0; i < plan.data.dirs.size(); ++i) {
    const auto& path = plan.data.dirs[i].path;
    if (!below(normal(path), normal(tree))) return foreign(path);
    if (i < plan.container.mounts.size() && plan.container.mounts[i].source != path)
      return foreign(plan.container.mounts[i].source);
  }
  for (const auto& v : plan.container.volumes)
    if (!v.device.empty() && !below(normal(v.device), normal(tree))) return foreign(v.device);
  return {};
}

}  // namespace

result<void> check_rules(const host_rules& rules) {
  for (const auto& text : rules.ports.allowed)
    if (!range_of(text))
      return fail(ec::bad_request, rules.ports.origin + ": '" + text + "' is neither a port nor a range of ports",
                  rules.ports.name + " = [\"16261-16999\", \"27015\"]");
  for (const auto& folder : rules.data_roots.allowed)
    if (!folder.starts_with('/'))
      return fail(ec::bad_request, rules.data_roots.origin + ": '" + folder + "' is not an absolute path",
                  "begin it with /");
  return {};
}

result<void> permit(const host_rules& rules, const server_plan& plan) {
  const auto& c = plan.container;
  if (auto ok = own_folders(plan); !ok) return ok;
  if (!rules.images.allowed.empty() && !any_matches(rules.images, c.image))
    return refused(rules.images, "the image " + c.image);
  const auto is_below = [&](const auto& folder) { return below(normal(plan.data.root), normal(folder)); };
  if (!rules.data_roots.allowed.empty() &&
      std::none_of(rules.data_roots.allowed.begin(), rules.data_roots.allowed.end(), is_below))
    return refused(rules.data_roots, "data in " + plan.data.root);
  for (const auto& n : c.networks)
    if (!rules.networks.allowed.empty() && !any_matches(rules.networks, n))
      return refused(rules.networks, "the network " + n);
  for (const auto& p : c.ports) {
    const auto holds = [&](const auto& text) {
      const auto r = range_of(text);
      return r && p.host_port >= r->first && p.host_port <= r->last;
    };
    if (!rules.ports.allowed.empty() && p.host_port != 0 &&
        std::none_of(rules.ports.allowed.begin(), rules.ports.allowed.end(), holds))
      return refused(rules.ports, "port " + std::to_string(p.host_port));
  }
  for (const auto& capability : c.cap_add)
    if (!may_have(rules.capabilities, plain(capability)))
      return refused(rules.capabilities, "the capability " + plain(capability));
  return {};
}

void impose(const host_rules& rules, container_spec& on) {
  const auto least = [](auto ours, auto theirs) {
    return theirs == 0 ? ours : ours == 0 ? theirs : std::min(ours, theirs);
  };
  on.memory_max = least(rules.memory_max, on.memory_max);
  on.pids_max = least(rules.pids_max, on.pids_max);
  on.no_new_privileges = on.no_new_privileges || rules.no_new_privileges;
  on.read_only_root = on.read_only_root || rules.read_only_root;
  if (rules.drop_capabilities) on.cap_drop = {"ALL"};
}

}  // namespace zedops::core
