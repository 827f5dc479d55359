#include "tools/agent/host_policy.hpp"

#include "config/settings/values.hpp"

namespace zedops::agent {

using namespace msg;

result<core::host_rules> host_rules_of(const config::loaded<config::agent_settings>& from) {
  const auto& s = from.settings;
  const auto origin = [&](const std::string& name) {
    const auto i = from.values.find(name);
    return i == from.values.end() ? std::string("default") : i->second.origin;
  };
  const auto rule = [&](const char* name, const std::vector<std::string>& allowed) {
    return core::host_rule{name, origin(name), allowed};
  };
  core::host_rules out;
  out.images = rule("allow_images", s.allow_images);
  out.data_roots = rule("allow_data_roots", s.allow_data_roots);
  out.networks = rule("allow_networks", s.allow_networks);
  out.ports = rule("allow_ports", s.allow_ports);
  out.capabilities = rule("allow_capabilities", s.allow_capabilities);
  out.pids_max = s.server_pids_max;
  if (!s.server_memory_max.empty()) {
    const auto bytes = config::parse_size(s.server_memory_max);
    if (!bytes)
      return fail(ec::bad_request, origin("server_memory_max") + ": '" + s.server_memory_max + "' is not a size",
                  "write it as server_memory_max = \"8GiB\"");
    out.memory_max = *bytes;
  }
  for (const auto& one : s.impose) {
    if (one == "no-new-privileges") out.no_new_privileges = true;
    else if (one == "drop-capabilities") out.drop_capabilities = true;
    else if (one == "read-only-root") out.read_only_root = true;
    else
      return fail(ec::bad_request, origin("impose") + ": there is no '" + one + "' to impose",
                  "choose no-new-privileges, drop-capabilities or read-only-root");
  }
  if (auto ok = core::check_rules(out); !ok) return fail(ok.error());
  return out;
}

}  // namespace zedops::agent
