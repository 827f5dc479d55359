// The agent's side of the bus: one DEALER that dials the manager and redials for ever (0.1 s, doubling to 2 s), in a
// thread of its own. A message belongs to the connection it was sent on: what is unsent when the connection breaks is
// dropped, and nothing is accepted until it is back, so that the first message of a connection is the sender's hello.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "bus/credit.hpp"
#include "bus/protocol.hpp"
#include "bus/security/keys.hpp"

namespace zedops::bus {

struct agent_link_options {
  address manager{std::string{}};
  // Another key that the manager may answer with. When one gets no answer for this long, the other is tried.
  std::string other_key{};
  std::chrono::milliseconds key_patience{3'000};
  std::chrono::milliseconds redial_min{100};
  std::chrono::milliseconds redial_max{2'000};
  std::chrono::milliseconds refused_max{300'000};  // until an unknown key is refused `for_good`
  size_t outbox_max = 8'192;
  size_t outbox_bytes_max = 64u << 20;
  size_t inbound_max = 1'024;  // credits, as in server_bus
  int peer_queue_max = 1'000;  // ZeroMQ's high-water mark, messages per direction
};

struct link_inbound : agent_message {
  credit token;
};

class agent_link;

// Called on the link's thread: must not block and must not throw. send() may be called from inside.
class agent_link_listener {
 public:
  virtual ~agent_link_listener() = default;
  // Before everything else, since the connection may be up before start() has returned: the link to send with.
  virtual void on_start(agent_link&) noexcept {}
  virtual void on_connected() noexcept = 0;     // say hello again: the manager knows nothing of earlier connections
  virtual void on_disconnected() noexcept = 0;  // what was unsent is gone
  // The manager does not admit this key. It is dialled again all the same; `for_good`: it has answered for refused_max
  // that it does not know the key.
  virtual void on_refused(bool /*for_good*/) noexcept {}
  virtual void on_message(link_inbound&& message) noexcept = 0;
  virtual void on_bad_message(const msg::error& reason) noexcept = 0;
};

struct agent_link_stats {
  uint64_t received = 0, sent = 0, bad_messages = 0;
  uint64_t dropped = 0;  // accepted, then lost with their connection before ZeroMQ had them
  uint64_t connects = 0;
  uint64_t wakeups = 0;
  size_t outbox = 0, outbox_bytes = 0;
};

class agent_link {
 public:
  // Does not wait for the manager: on_connected() follows when it answers. Errors: bad_request (unusable URI),
  // internal.
  static msg::result<std::unique_ptr<agent_link>> start(agent_link_options options, agent_link_listener& listener);
  ~agent_link();  // stop() without waiting

  // False: not connected, or the outbox is full.
  bool send(agent_message message);
  bool connected() const;
  // The manager may answer with this key from now on, beside the one that it answers with now. From any thread.
  void also_expect(std::string manager_key);
  // The manager's key of the connection that stands, or of the last one.
  std::string answered_with() const;
  // Different for each process and link, the same for all its connections.
  const std::string& routing_id() const;
  void stop(std::chrono::milliseconds deadline);
  agent_link_stats stats() const;

 private:
  struct impl;
  explicit agent_link(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

}  // namespace zedops::bus
