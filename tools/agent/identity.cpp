#include "tools/agent/identity.hpp"

#include <fmt/format.h>

#include "config/logging/logging.hpp"
#include "integration/host/data/data_dir.hpp"

namespace zedops::agent {

using namespace msg;

result<void> take_identity(agent_state& state, const config::agent_settings& settings) {
  const auto& wanted = settings.identity;
  const auto made = state.id().value;
  if (wanted.empty() || wanted == made) return {};
  if (wanted.size() != id_length || wanted.front() != 'a')
    return fail(
        ec::bad_request, fmt::format("identity '{}' is not the id of an agent", wanted),
        fmt::format("it is {} characters long and begins with a: zedctl agent describe {}", id_length, settings.name));
  // Only data on the disk proves whose it is: a typing error, or a disk that is not mounted, must not pass.
  const auto& path = settings.data_path;
  const auto owner = host::owner_of_root(path);
  if (owner.empty())
    return fail(
        ec::wrong_state, fmt::format("no data of {} at {}: there is no readable {}", wanted, path, host::marker_name),
        "mount the disk with its data or correct data_path; a host that begins without that data needs no identity");
  if (owner != wanted)
    return fail(ec::wrong_state, fmt::format("the data at {} belongs to {}, not to {}", path, owner, wanted),
                fmt::format("compare with zedctl agent describe {}, or correct data_path", settings.name));
  for (const auto& root : state.used_roots())
    if (host::owner_of_root(root) == made)
      return fail(
          ec::wrong_state,
          fmt::format("this agent is {}, and has data of its own at {}: it cannot become {}", made, root, wanted),
          "leave identity empty, or give this agent another state_dir");
  if (auto ok = state.become({wanted}); !ok) return ok;
  config::log_event("identity.taken", {{"id", wanted}, {"instead_of", made}, {"data_path", path}});
  return {};
}

error with_way_back(error problem, const config::agent_settings& settings) {
  if (problem.hint.find("zedctl store restore") == std::string::npos) return problem;
  const auto owner = host::owner_of_root(settings.data_path);
  problem.hint = fmt::format(
      "the agent's store is unusable, its servers keep running: move {} away and start it once with --identity {}",
      settings.state_dir, owner.empty() ? "ID (zedctl agent describe " + settings.name + " shows it)" : owner);
  return problem;
}

}  // namespace zedops::agent
