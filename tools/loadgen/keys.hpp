// Keys of simulated agents. They follow from the agents' names, so that whoever knows the names can let them in: they
// are no secret, and for load only.
#pragma once
#include <filesystem>
#include <string>

#include "bus/security/keys.hpp"

namespace zedops::load {

bus::key_pair key_of_agent(const std::string& name);

// Lets agents `prefix`0 to `prefix`N-1 into the manager of this data directory. Errors: those of write_keys.
msg::result<void> allow_agents(const std::filesystem::path& data_dir, const std::string& prefix, size_t count);

}  // namespace zedops::load
