// The way back of an agent that lost its state folder: it is given its id again, deliberately.
#pragma once
#include "actors/agent/agent_state.hpp"
#include "config/settings.hpp"

namespace zedops::agent {

// Takes the id that the settings name, if they name one that the state does not hold. Refused (bad_request,
// wrong_state) unless the marker of the data path says that its data is that agent's, and while any data root carries
// the id that would be given up.
msg::result<void> take_identity(agent_state& state, const config::agent_settings& settings);

}  // namespace zedops::agent
