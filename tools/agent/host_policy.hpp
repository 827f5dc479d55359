// The settings of the host's owner, as the rules by which the agent judges a manager's requests.
#pragma once
#include "actors/core/guard/host_rules.hpp"
#include "config/settings/settings.hpp"

namespace zedops::agent {

// Errors: bad_request, naming the setting and where it was set.
msg::result<core::host_rules> host_rules_of(const config::loaded<config::agent_settings>& from);

}  // namespace zedops::agent
