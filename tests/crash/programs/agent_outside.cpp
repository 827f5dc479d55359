// zedops-agent-crash: the unchanged agent, on a store, an Engine and a disk that kill it.
#include "integration/docker/beast_engine.hpp"
#include "tests/crash/programs/crashing_engine.hpp"
#include "tests/crash/programs/crashing_host.hpp"
#include "tests/crash/programs/crashing_store.hpp"
#include "tools/agent/outside.hpp"

namespace zedops::agent {

using crash::crash_plan;

msg::result<std::unique_ptr<store::store>> open_store(store::lmdb_options options) {
  auto real = store::open_lmdb(std::move(options));
  if (!real) return real;
  return crash::crashing_store(std::move(*real), crash_plan::of_this_process());
}

msg::result<std::unique_ptr<docker::engine>> open_engine(const std::string& docker_host) {
  auto real = docker::make_engine(docker_host);
  if (!real) return real;
  return crash::crashing_engine(std::move(*real), crash_plan::of_this_process());
}

std::function<void(std::string_view)> effect_hook() {
  return [](std::string_view name) { crash_plan::of_this_process().pass("effect", name, crash::side::after); };
}

std::unique_ptr<machine_port> open_host(std::string engine_socket, std::vector<std::string> bind_paths) {
  return crash::crashing_host(make_machine_port(std::move(engine_socket), std::move(bind_paths)),
                              crash_plan::of_this_process());
}

}  // namespace zedops::agent
