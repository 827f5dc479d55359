// The settings of a container that somebody else made. Private.
#pragma once
#include <string>
#include <vector>

#include "integration/docker/json_read.hpp"
#include "messages/records/spec.hpp"

namespace zedops::docker::json {

msg::healthcheck health_in(const nlohmann::json& check);

// What `config` and `host` (Config and HostConfig of the Engine's answer) say that differs from the Engine's defaults.
msg::server_spec spec_in(const nlohmann::json& config, const nlohmann::json& host, const std::string& id);

// Its settings that none of our containers can be given, in words. Settings that are unknown here are named, too.
std::vector<std::string> unusual_in(const nlohmann::json& host, const std::map<std::string, std::string>& labels);

}  // namespace zedops::docker::json
