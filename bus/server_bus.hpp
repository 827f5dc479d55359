// The manager's side of the bus. One thread owns every socket and sleeps in poll over them and an eventfd, without a
// timeout: an idle bus never wakes. Everything else talks to it through a bounded outbox, from any thread.
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bus/credit.hpp"
#include "bus/protocol.hpp"
#include "bus/security/keys.hpp"

namespace zedops::bus {

enum class door : uint8_t { clients, agents, events };
std::string_view name_of(door d);

struct server_bus_limits {
  size_t outbox_max = 65'536;            // messages accepted by send() and publish() and not yet given to ZeroMQ
  size_t outbox_bytes_max = 256u << 20;  // their bodies and frames together
  size_t inbound_max = 4'096;            // credits per door: messages handed to the listener and not yet released
  int peer_queue_max = 1'000;            // ZeroMQ's high-water mark, messages per peer and direction
  int subscriber_queue_max = 10'000;     // the same for watchers of events; beyond it a slow one loses events
  size_t watcher_topics_max = 1'000;     // of one watcher of events; beyond it its connection is closed
  size_t topic_bytes_max = 512u << 10;   // of all topics that are watched; the same
  size_t bad_lines_per_second_max = 5;   // how many bad messages per door are logged
};

// Whether a key is admitted. cannot_tell: not now, but it may be worth trying again.
enum class admission { yes, not_known, cannot_tell };

struct server_bus_options {
  std::vector<std::string> clients_uris;  // "ipc:///run/zedops/clients.ipc"; several per door are fine
  std::vector<std::string> agents_uris;
  std::vector<std::string> events_uris;
  std::filesystem::path runtime_dir;  // made with mode 0750 when missing
  cursor head;                        // the newest event in the store at start-up, sent to watchers that synchronise
  server_bus_limits limits;
  // Of tcp:// endpoints; without a key there are none.
  key_pair key;
  std::function<admission(door, std::string_view public_key)> admits;  // on a thread of its own, for each connection
  // Whether a key may watch a topic, that is all events whose topics begin with it; empty: every key may. On the bus
  // thread, for each subscription, and again each second.
  std::function<bool(std::string_view public_key, std::string_view topic)> may_watch;
  bool on_network() const;                                             // whether any endpoint is tcp://
};

struct client_request : request {
  std::string routing_id;  // of the connection: where replies go
  std::string address;     // of the sender, as ZeroMQ has it from the kernel: "host:uid:gid:pid" for a socket file
  std::string key;         // public, of a sender on the network; empty: it came through a socket file
  credit token;
};

struct agent_inbound : agent_message {
  std::string routing_id;
  std::string key;  // as above
  credit token;
};

struct bad_message {
  door from;
  std::string routing_id;
  std::string request_id;  // when it is known: answer it, so that its sender need not wait for a timeout
  msg::error reason;
  size_t suppressed = 0;  // bad messages since the last log line
  bool log = true;        // false: too many lines this second
};

struct unmade_events {
  cursor last;       // of the newest of them
  size_t bytes = 0;  // what they would take, roughly: counted in the outbox
  std::function<std::vector<raw_event>()> make;
};

class server_bus;

// Called on the bus thread: must not block and must not throw. send() and publish() may be called from inside.
class server_bus_listener {
 public:
  virtual ~server_bus_listener() = default;
  // Before everything else, since a message may come before start() has returned: the bus to answer with.
  virtual void on_start(server_bus&) noexcept {}
  virtual void on_request(client_request&& request) noexcept = 0;
  virtual void on_agent_message(agent_inbound&& message) noexcept = 0;
  virtual void on_bad_message(const bad_message& bad) noexcept = 0;
  // The peer is gone: the message was not sent.
  virtual void on_unreachable(door to, const std::string& routing_id) noexcept = 0;
  // The peer's queue is full: this message to it was dropped, others are not affected.
  virtual void on_slow(door to, const std::string& routing_id) noexcept = 0;
};

struct server_bus_stats {
  uint64_t requests = 0, agent_messages = 0, bad_messages = 0;
  uint64_t sent = 0, published = 0;
  uint64_t unreachable = 0, slow = 0;  // messages lost to a vanished or a slow peer
  uint64_t refused = 0;                // send() or publish() found the outbox full
  uint64_t wakeups = 0;                // turns of the loop
  size_t outbox = 0, outbox_bytes = 0;
  size_t credits_clients = 0, credits_agents = 0;  // outstanding
  size_t subscriptions = 0;                        // topics watched, counted per watcher
};

class server_bus {
 public:
  // Binds every endpoint or none. Errors: bad_request (unusable URI), already_exists (another manager owns the socket),
  // forbidden (directory or socket not permitted), internal. `listener` must outlive the bus.
  static msg::result<std::unique_ptr<server_bus>> start(server_bus_options options, server_bus_listener& listener);
  ~server_bus();  // stop() without waiting

  // False: the outbox is full (or the bus has stopped) and the message is not taken. True is no proof of delivery.
  // The outbox is shared: a caller with very much to send paces itself by stats().outbox, to leave room for the others.
  bool send(door to, std::string routing_id, frames message);
  bool publish(raw_event event);
  // Whether any topic is watched, as far as the bus thread knows.
  bool watched() const;
  // For events that had no watcher when they happened. `make` runs on the bus thread when their turn comes, if there is
  // a watcher by then; so it is as if they had been published.
  bool publish_if_watched(unmade_events events);

  // Stops reading, sends what the outbox holds, and gives ZeroMQ until the deadline to hand it to the peers.
  void stop(std::chrono::milliseconds deadline);

  server_bus_stats stats() const;

 private:
  struct impl;
  explicit server_bus(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

}  // namespace zedops::bus
