#include "bus/detail/event_doors.hpp"

#include <sys/socket.h>

#include "bus/detail/outbox.hpp"
#include "bus/detail/zap.hpp"

namespace zedops::bus::detail {
namespace {

// The connection that a message came from; nothing when that is closed already.
std::optional<connection> sender_of(zmq::message_t& message) {
  connection c{zmq_msg_get(message.handle(), ZMQ_SRCFD), 0};
  socklen_t bytes = sizeof c.cookie;
  if (c.fd < 0 || ::getsockopt(c.fd, SOL_SOCKET, SO_COOKIE, &c.cookie, &bytes) != 0) return std::nullopt;
  return c;
}

bool is_alive(const connection& c) {
  uint64_t cookie = 0;
  socklen_t bytes = sizeof cookie;
  return ::getsockopt(c.fd, SOL_SOCKET, SO_COOKIE, &cookie, &bytes) == 0 && cookie == c.cookie;
}

// As the handshake has proved it; empty: it came through a socket file.
std::string key_of(zmq::message_t& message) {
  const char* key = zmq_msg_gets(message.handle(), "User-Id");
  return key ? key : std::string{};
}

}  // namespace

void event_doors::add(zmq::context_t& context, bool network) {
  // What watchers send are subscriptions only: a byte and a topic. On the network they come wrapped, after a handshake
  // that is larger.
  constexpr int64_t handshake_bytes = 1'024;
  const int64_t subscription_bytes_max = network ? handshake_bytes : static_cast<int64_t>(topic_max + 1);
  // ZeroMQ takes in whatever a watcher sends before this thread sees the first of it: with a queue of one it has to
  // pause in between, so that a flood is noticed while it flows. With keys, libzmq 4.3 needs one more: with a queue of
  // one it never hands over the first.
  const int subscription_queue_max = network ? 2 : 1;
  auto s = make_socket(context, zmq::socket_type::xpub,
                       {options_.limits.subscriber_queue_max, subscription_queue_max, subscription_bytes_max});
  // Every subscription is reported, not only the first to its topic: two watchers may have chosen the same ~sync topic.
  s.set(zmq::sockopt::xpub_verboser, true);
  if (network) {
    guard(s, options_.key, name_of(door::events));
    s.set(zmq::sockopt::xpub_manual, 1);  // a subscription counts once it has been looked at
  } else {
    guard_local(s);
  }
  sockets_.push_back(std::move(s));
  network_.push_back(network);
}

bool event_doors::may_watch(const std::string& key, std::string_view topic) const {
  if (topic.starts_with(sync_topic_prefix)) return true;  // reveals nothing but a cursor
  return !options_.may_watch || options_.may_watch(key, topic);
}

void event_doors::read(size_t socket, const cursor& head) {
  auto& from = sockets_[socket];
  zmq::message_t message;
  for (size_t n = 0; n < turn_budget_max; ++n) {
    if (zmq_msg_recv(message.handle(), from.handle(), ZMQ_DONTWAIT) < 0) return;
    read_one(from, network_[socket], message, head);
  }
}

void event_doors::read_one(zmq::socket_t& from, bool network, zmq::message_t& message, const cursor& head) {
  const std::string_view m(static_cast<const char*>(message.data()), message.size());
  const auto who = sender_of(message);
  if (m.empty() || (m[0] != 0 && m[0] != 1)) {
    if (who) dismiss(*who, {msg::ec::bad_request, "a watcher sent something other than a subscription", {}, {}});
    return;
  }
  const auto topic = m.substr(1);
  if (m[0] == 0) {  // asked for, or made by ZeroMQ for a watcher that has left
    if (network) from.set(zmq::sockopt::unsubscribe, topic);
    if ((!who || watchers_.unsubscribe(*who, topic)) && subscriptions_ > 0) --subscriptions_;
    return;
  }
  const auto key = network ? key_of(message) : std::string{};
  if (network && !may_watch(key, topic)) {
    if (who)
      dismiss(*who, {msg::ec::forbidden,
                     "a watcher subscribed to the topic '" + std::string(topic.substr(0, 60)) +
                         "', which its key may not watch",
                     {},
                     {}});
    return;
  }
  const auto entry = who ? watchers_.subscribe(*who, topic, is_alive, key) : watcher_book::entry::added;
  if (entry == watcher_book::entry::beyond)
    return dismiss(
        *who, {msg::ec::too_large, "a watcher subscribed to too many topics", "subscribe to a prefix instead", {}});
  if (network) from.set(zmq::sockopt::subscribe, topic);
  if (entry == watcher_book::entry::added) ++subscriptions_;
  if (topic.starts_with(sync_topic_prefix)) send_frames(from, nullptr, encode(raw_event{std::string(topic), head, {}}));
}

bool event_doors::look_after_rights(std::chrono::steady_clock::time_point now) {
  if (sockets_.size() < 2 || watchers_.with_keys() == 0) return false;
  constexpr std::chrono::seconds period{1};
  if (now - looked_ < period) return true;
  looked_ = now;
  watchers_.each_with_key([&](const connection& who, const std::string& key, const auto& topics) {
    for (const auto& topic : topics)
      if (!may_watch(key, topic) && is_alive(who)) {
        dismiss(who, {msg::ec::forbidden, "the key of a watcher may no longer watch its events", {}, {}});
        return;
      }
  });
  return true;
}

// The one way to make ZeroMQ drop a peer: its connection is closed below it.
void event_doors::dismiss(const connection& who, msg::error reason) {
  ++bad_messages_;
  if (is_alive(who)) ::shutdown(who.fd, SHUT_RDWR);
  const auto line = lines_.permit();
  listener_.on_bad_message({door::events, {}, {}, std::move(reason), line.value_or(0), line.has_value()});
}

}  // namespace zedops::bus::detail
