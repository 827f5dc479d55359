// Keys of simulated agents. They follow from the agents' names, so that anybody who knows the names can admit them:
// they are no secret, and for load tests only.
#pragma once
#include <filesystem>
#include <string>

#include "bus/security/keys.hpp"

namespace zedops::load {

bus::key_pair key_of_agent(const std::string& name);

// Admits agents `prefix`0 to `prefix`N-1 to the manager of this data directory. Errors: those of write_keys.
msg::result<void> allow_agents(const std::filesystem::path& data_dir, const std::string& prefix, size_t count);

}  // namespace zedops::load
