// ZeroMQ asks this for each connection over tcp whether its key may come in (RFC 27). Private to bus/.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <zmq.hpp>

#include "bus/security/keys.hpp"
#include "bus/server_bus.hpp"

namespace zedops::bus::detail {

class wake_fd;

// On the handler's thread. Domain: the door.
using admit_fn = std::function<admission(std::string_view domain, std::string_view public_key)>;

// Bound before any socket of the context is, and ended after all of them: without it ZeroMQ lets everybody in.
class zap_handler {
 public:
  zap_handler(zmq::context_t& context, admit_fn admit);  // throws zmq::error_t
  ~zap_handler();
  zap_handler(const zap_handler&) = delete;
  zap_handler& operator=(const zap_handler&) = delete;

 private:
  void run() noexcept;
  void answer();

  zmq::socket_t socket_;
  admit_fn admit_;
  std::unique_ptr<wake_fd> stop_;
  std::thread thread_;
};

// Makes a socket take CURVE connections only, of keys that `admit` lets through this door.
void guard(zmq::socket_t& socket, const key_pair& own, std::string_view domain);
// Makes a socket dial with keys, if its address has them.
void dial_with(zmq::socket_t& socket, const address& to);

// True: a connection with a key that nobody knows was refused, as it has to be.
bool refuses_strangers(zmq::context_t& context, const key_pair& own);

}  // namespace zedops::bus::detail
