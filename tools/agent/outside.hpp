// What the agent depends on. outside.cpp has the real things; a program that breaks them on purpose (tests/crash) links
// its own definitions in their place, so that this costs the real agent nothing.
#pragma once
#include <functional>
#include <string_view>

#include "actors/agent/ports.hpp"
#include "integration/docker/engine.hpp"
#include "persistence/lmdb_store.hpp"

namespace zedops::agent {

msg::result<std::unique_ptr<store::store>> open_store(store::lmdb_options options);
msg::result<std::unique_ptr<docker::engine>> open_engine(const std::string& docker_host);
// Called after each step of a job that has changed something; mostly empty.
std::function<void(std::string_view)> effect_hook();
std::unique_ptr<machine_port> open_host(std::string engine_socket, std::vector<std::string> bind_paths);

}  // namespace zedops::agent
