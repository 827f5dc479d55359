// The few things that every loop does with a ZeroMQ socket. Private to bus/: it includes zmq.hpp.
#pragma once
#include <optional>
#include <string>
#include <zmq.hpp>

#include "bus/protocol.hpp"

namespace zedops::bus::detail {

// Messages that one socket may have handled per turn of a loop, so that none starves the others.
inline constexpr size_t turn_budget_max = 256;
inline constexpr int connections_pending_max = 256;  // backlog of accept
inline constexpr int sockets_max = 16'384;           // per context

struct socket_limits {
  int send_queue_max, receive_queue_max;  // messages per peer
  int64_t frame_bytes_max;
  // Whether ZeroMQ itself checks connections that are silent. Its timers are in one list per thread that is walked
  // from the front for each answer: with thousands of connections, that is all the thread does.
  bool heartbeats = true;
};
// A socket with the settings that all of ours share: no linger, bounded queues and frames.
zmq::socket_t make_socket(zmq::context_t& context, zmq::socket_type type, const socket_limits& limits);

enum class sent : uint8_t { yes, full, unreachable };
// Never blocks. With `routing_id` the message is for that peer of a ROUTER. Whole or not at all.
sent send_frames(zmq::socket_t& socket, const std::string* routing_id, const frames& message);
// Hands large frames over instead of copying them, once the message is accepted; otherwise it stays as it is.
sent send_frames(zmq::socket_t& socket, const std::string* routing_id, frames&& message);

struct incoming {
  frames parts;
  std::string address;     // of the peer, as ZeroMQ reports it; may be empty
  std::string key;         // public, that a peer on the network has proved to have
  bool oversized = false;  // more frames than count_max; the rest was read and dropped
};
// Nothing when no message waits.
std::optional<incoming> receive_frames(zmq::socket_t& socket, size_t count_max);

size_t bytes_of(const frames& message);

// poll without the exception for a signal; `wait_ms` -1: for ever.
void poll(zmq_pollitem_t* items, size_t count, long wait_ms);

// Connection events of a socket, readable like a socket. Must end before the watched socket does.
class monitor {
 public:
  monitor(zmq::context_t& context, zmq::socket_t& watched);
  monitor(const monitor&) = delete;
  monitor& operator=(const monitor&) = delete;
  ~monitor();
  zmq::socket_t& socket() { return pair_; }
  // key_refused: the other side does not know this key. not_now: it cannot tell, or not yet. not_understood: it has
  // another key than expected, or none.
  enum class event : uint8_t { connected, disconnected, key_refused, not_now, not_understood, other };
  std::optional<event> next();

 private:
  void* watched_;
  zmq::socket_t pair_;
};

msg::error from_zmq(const std::string& doing, const zmq::error_t& e);

}  // namespace zedops::bus::detail
