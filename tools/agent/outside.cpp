#include "tools/agent/outside.hpp"

#include "integration/docker/beast_engine.hpp"

namespace zedops::agent {

msg::result<std::unique_ptr<store::store>> open_store(store::lmdb_options options) {
  return store::open_lmdb(std::move(options));
}

msg::result<std::unique_ptr<docker::engine>> open_engine(const std::string& docker_host) {
  return docker::make_engine(docker_host);
}

std::function<void(std::string_view)> effect_hook() { return {}; }

std::unique_ptr<machine_port> open_host(std::string engine_socket, std::vector<std::string> bind_paths) {
  return make_machine_port(std::move(engine_socket), std::move(bind_paths));
}

}  // namespace zedops::agent
