// The engine port over HTTP on the Engine's socket.
#pragma once
#include <memory>
#include <string>

#include "integration/docker/engine.hpp"

namespace zedops::docker {

// `docker_host`: unix:///path or tcp://host:port (without TLS); bad_request otherwise. Nothing is connected yet:
// whether an Engine is there is the first call's answer, and every later call tries anew. The destructor ends
// everything open with `cancelled` and must not run in a handler.
msg::result<std::unique_ptr<engine>> make_engine(const std::string& docker_host);

}  // namespace zedops::docker
