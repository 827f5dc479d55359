// Recovery of an agent that lost its state folder, or cannot read it: it is given its id again, deliberately.
#pragma once
#include "actors/agent/agent_state.hpp"
#include "config/settings/settings.hpp"

namespace zedops::agent {

// Takes the id that the settings name, if they name one that the state does not hold. Refused (bad_request,
// wrong_state) unless the marker of the data path says that its data is that agent's, and while any data root carries
// the id that would be given up.
msg::result<void> take_identity(agent_state& state, const config::agent_settings& settings);

// For a state that cannot be read: the store suggests restoring a backup, which rarely exists and holds outdated
// desired states. An agent should start over with its old id instead.
msg::error with_way_back(msg::error problem, const config::agent_settings& settings);

}  // namespace zedops::agent
