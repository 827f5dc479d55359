#include "bus/detail/dial.hpp"

#include <mutex>

#include "bus/detail/socket.hpp"

namespace zedops::bus::detail {

std::shared_ptr<zmq::context_t> shared_context() {
  static std::mutex mutex;
  static std::weak_ptr<zmq::context_t> current;
  std::lock_guard guard(mutex);
  auto context = current.lock();
  if (!context) {
    context = std::make_shared<zmq::context_t>();
    context->set(zmq::ctxopt::max_sockets, sockets_max);
    current = context;
  }
  return context;
}

}  // namespace zedops::bus::detail
