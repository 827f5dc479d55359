// ZeroMQ asks this for each connection whether to admit it (RFC 27): over tcp its key decides. Private to bus/.
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

// Bound before any socket of the context is, and ended after all of them: without it ZeroMQ admits every connection.
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

// Makes a socket on the network take CURVE connections only, of keys that `admit` accepts at this door.
void guard(zmq::socket_t& socket, const key_pair& own, std::string_view domain);
// Makes a socket with a file refuse ZMTP 1 and 2, whose peers send their id as the first message: plain text would be
// an id, and ZeroMQ never frees what it holds for a second connection with the id of a first.
void guard_local(zmq::socket_t& socket);
// Makes a socket dial with keys, if its address has them.
void dial_with(zmq::socket_t& socket, const address& to);

// True: a connection with an unknown key was refused, as it has to be.
bool refuses_strangers(zmq::context_t& context, const key_pair& own);

}  // namespace zedops::bus::detail
