// Where events go out: one XPUB for socket files, and one for the network, where each watcher's key says which topics
// it may watch. All of it on the bus thread; only the number of subscriptions may be read from others.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "bus/detail/line_limiter.hpp"
#include "bus/detail/socket.hpp"
#include "bus/detail/watcher_book.hpp"
#include "bus/server_bus.hpp"

namespace zedops::bus::detail {

class event_doors {
 public:
  event_doors(const server_bus_options& options, server_bus_listener& listener, std::atomic<uint64_t>& bad_messages)
      : options_(options),
        listener_(listener),
        bad_messages_(bad_messages),
        watchers_({options.limits.watcher_topics_max, options.limits.topic_bytes_max}),
        lines_(options.limits.bad_lines_per_second_max) {}

  void add(zmq::context_t& context, bool network);
  std::vector<zmq::socket_t>& sockets() { return sockets_; }
  bool watched() const { return subscriptions_ > 0; }
  size_t subscriptions() const { return subscriptions_; }

  void send(const frames& message) {
    for (auto& s : sockets_) send_frames(s, nullptr, message);  // never refused: a watcher that is too slow misses it
  }
  // What watchers have asked for. `head`: the newest event, sent to those that synchronise.
  void read(size_t socket, const cursor& head);
  // Keys change: watchers that may no longer watch their topics are disconnected. Looks at most once a second; true:
  // there are watchers with keys.
  bool look_after_rights(std::chrono::steady_clock::time_point now);

 private:
  void read_one(zmq::socket_t& from, bool network, zmq::message_t& message, const cursor& head);
  bool may_watch(const std::string& key, std::string_view topic) const;
  void dismiss(const connection& who, msg::error reason);

  const server_bus_options& options_;
  server_bus_listener& listener_;
  std::atomic<uint64_t>& bad_messages_;
  std::vector<zmq::socket_t> sockets_;
  std::vector<bool> network_;
  watcher_book watchers_;
  line_limiter lines_;
  std::atomic<size_t> subscriptions_{0};
  std::chrono::steady_clock::time_point looked_{};
};

}  // namespace zedops::bus::detail
