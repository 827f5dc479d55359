// `zedops-agent join LINE`: enrols this host's agent at a manager, with a line of `zedctl agent token`.
#pragma once
#include "config/settings/settings.hpp"

namespace zedops::agent {

// Makes the agent's key, enrols it, and remembers the manager in the state directory. Returns a report for people.
// Errors: of the line, of the connection, of the token, of the directory.
msg::result<std::string> join(const std::string& line, const config::agent_settings& settings);

// Applies what was remembered where the settings are silent. Errors: bad_request (the file is damaged).
msg::result<void> apply_enrolment(config::loaded<config::agent_settings>& to);

}  // namespace zedops::agent
