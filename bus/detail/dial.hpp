// What clients and subscribers share: one ZeroMQ context per process, alive while it is in use.
#pragma once
#include <memory>
#include <zmq.hpp>

namespace zedops::bus::detail {

std::shared_ptr<zmq::context_t> shared_context();

}  // namespace zedops::bus::detail
