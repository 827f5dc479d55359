#include "bus/detail/socket.hpp"

#include <atomic>
#include <cstring>

namespace zedops::bus::detail {

zmq::socket_t make_socket(zmq::context_t& context, zmq::socket_type type, const socket_limits& limits) {
  constexpr int handshake_ms = 5'000, heartbeat_ms = 2'000, heartbeat_timeout_ms = 6'000;
  zmq::socket_t s(context, type);
  s.set(zmq::sockopt::linger, 0);
  s.set(zmq::sockopt::sndhwm, limits.send_queue_max);
  s.set(zmq::sockopt::rcvhwm, limits.receive_queue_max);
  s.set(zmq::sockopt::maxmsgsize, limits.frame_bytes_max);
  s.set(zmq::sockopt::backlog, connections_pending_max);
  s.set(zmq::sockopt::handshake_ivl, handshake_ms);
  if (!limits.heartbeats) return s;
  s.set(zmq::sockopt::heartbeat_ivl, heartbeat_ms);
  s.set(zmq::sockopt::heartbeat_timeout, heartbeat_timeout_ms);
  s.set(zmq::sockopt::heartbeat_ttl, heartbeat_timeout_ms);
  return s;
}

namespace {

constexpr size_t large_bytes = 64 << 10;

int flags_of(bool more) { return ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0); }

bool put(zmq::socket_t& socket, const std::string& frame, bool more) {
  return zmq_send(socket.handle(), frame.data(), frame.size(), flags_of(more)) >= 0;
}
bool put_over(zmq::socket_t& socket, std::string& frame, bool more) {
  auto* owned = new std::string(std::move(frame));
  zmq::message_t part(
      owned->data(), owned->size(), [](void*, void* it) { delete static_cast<std::string*>(it); }, owned);
  return zmq_msg_send(part.handle(), socket.handle(), flags_of(more)) >= 0;
}

// ZeroMQ decides at the first frame; what follows it cannot be refused.
template <class Frames, class Put>
sent send_all(zmq::socket_t& socket, const std::string* routing_id, Frames& message, Put put_next) {
  const auto refused = [] { return errno == EAGAIN ? sent::full : sent::unreachable; };
  if (routing_id && !put(socket, *routing_id, true)) return refused();
  for (size_t i = 0; i < message.size(); ++i) {
    const bool more = i + 1 < message.size(), first = i == 0 && !routing_id;
    if (!(first ? put(socket, message[i], more) : put_next(message[i], more))) return refused();
  }
  return sent::yes;
}

}  // namespace

sent send_frames(zmq::socket_t& socket, const std::string* routing_id, const frames& message) {
  return send_all(socket, routing_id, message,
                  [&](const std::string& frame, bool more) { return put(socket, frame, more); });
}
sent send_frames(zmq::socket_t& socket, const std::string* routing_id, frames&& message) {
  return send_all(socket, routing_id, message, [&](std::string& frame, bool more) {
    return frame.size() < large_bytes ? put(socket, frame, more) : put_over(socket, frame, more);
  });
}

std::optional<incoming> receive_frames(zmq::socket_t& socket, size_t count_max) {
  incoming in;
  zmq::message_t part;
  if (zmq_msg_recv(part.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) return std::nullopt;
  in.parts.reserve(count_max);
  for (;;) {
    if (in.parts.size() < count_max) {
      in.parts.emplace_back(static_cast<const char*>(part.data()), part.size());
    } else {
      in.oversized = true;
    }
    if (!part.more()) {
      if (const char* address = zmq_msg_gets(part.handle(), "Peer-Address")) in.address = address;
      if (const char* key = zmq_msg_gets(part.handle(), "User-Id")) in.key = key;
      return in;
    }
    // The rest of a message is always there; a failure means that the context ends.
    if (zmq_msg_recv(part.handle(), socket.handle(), 0) < 0) return std::nullopt;
  }
}

size_t bytes_of(const frames& message) {
  size_t n = 0;
  for (const auto& f : message) n += f.size() + sizeof(std::string);
  return n;
}

void poll(zmq_pollitem_t* items, size_t count, long wait_ms) {
  if (zmq_poll(items, static_cast<int>(count), wait_ms) >= 0) return;
  for (size_t i = 0; i < count; ++i) items[i].revents = 0;  // a signal: the caller looks at its flags and polls again
}

monitor::monitor(zmq::context_t& context, zmq::socket_t& watched)
    : watched_(watched.handle()), pair_(context, zmq::socket_type::pair) {
  static std::atomic<uint64_t> counter{0};
  std::string address = "inproc://zedops.monitor." + std::to_string(++counter);
  if (zmq_socket_monitor(watched.handle(), address.c_str(),
                         ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                             ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) != 0)
    throw zmq::error_t();
  pair_.set(zmq::sockopt::linger, 0);
  pair_.connect(address);
}

// ZeroMQ's own thread would block for ever on an event that is never taken.
monitor::~monitor() { zmq_socket_monitor(watched_, nullptr, 0); }

std::optional<monitor::event> monitor::next() {
  constexpr size_t event_frames = 2;
  auto in = receive_frames(pair_, event_frames);
  if (!in) return std::nullopt;
  uint16_t number = 0;
  if (!in->parts.empty() && in->parts[0].size() >= sizeof number)
    std::memcpy(&number, in->parts[0].data(), sizeof number);
  if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return event::connected;
  if (number == ZMQ_EVENT_DISCONNECTED) return event::disconnected;
  if (number == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
    constexpr uint32_t unknown_key = 400;
    uint32_t status = 0;
    if (in->parts[0].size() >= sizeof number + sizeof status)
      std::memcpy(&status, in->parts[0].data() + sizeof number, sizeof status);
    return status == unknown_key ? event::key_refused : event::not_now;
  }
  if (number == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL || number == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
    return event::not_understood;
  return event::other;
}

msg::error from_zmq(const std::string& doing, const zmq::error_t& e) {
  return {msg::ec::internal, doing + " failed: " + e.what(), "check the limits of open files and of memory", {}};
}

}  // namespace zedops::bus::detail
