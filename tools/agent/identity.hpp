// The way back of an agent that lost its state folder, or cannot read it: it is given its id again, deliberately.
#pragma once
#include "actors/agent/agent_state.hpp"
#include "config/settings/settings.hpp"

namespace zedops::agent {

// Takes the id that the settings name, if they name one that the state does not hold. Refused (bad_request,
// wrong_state) unless the marker of the data path says that its data is that agent's, and while any data root carries
// the id that would be given up.
msg::result<void> take_identity(agent_state& state, const config::agent_settings& settings);

// Of a state that cannot be read: the remedy of the store is a backup of it, which is rarely there and tells of wishes
// that are over. An agent's is to start over with its old id.
msg::error with_way_back(msg::error problem, const config::agent_settings& settings);

}  // namespace zedops::agent
