// What the owner of a host permits on it, whatever a manager asks for. Pure: the agent reads its settings into these.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "messages/wire/link.hpp"

namespace zedops::core {

struct host_rule {
  std::string name;                  // of the setting: "allow_images"
  std::string origin;                // where it stands: "/etc/zedops/agent.toml:12:1"
  std::vector<std::string> allowed;  // empty: everything
};

struct host_rules {
  host_rule images;         // patterns: * and ? as in a shell
  host_rule data_roots;     // folders
  host_rule networks;       // patterns
  host_rule ports;          // of the host: "16261", "27015-27030"
  host_rule capabilities;   // beyond those that Docker gives by itself: "SYS_NICE"; "ALL"
  uint64_t memory_max = 0;  // of one server, bytes: it is given no more, and this when it asks for none; zero: no limit
  uint32_t pids_max = 0;    // the same for processes
  bool no_new_privileges = false;  // these three are enforced on every container
  bool drop_capabilities = false;  // all but those that it asks for
  bool read_only_root = false;
};

inline const host_rules no_host_rules{};

// Errors: bad_request, a rule without meaning (a port that is not a number).
msg::result<void> check_rules(const host_rules& rules);

// Errors: forbidden, naming what, the rule and where it stands.
msg::result<void> permit(const host_rules& rules, const msg::server_plan& plan);

// Enforces the host's limits on a container that it permits.
void impose(const host_rules& rules, msg::container_spec& on);

}  // namespace zedops::core
