// Doors to the world: production binds them to ZeroMQ, clocks and the kernel; simulations to fakes.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "messages/api/requests.hpp"
#include "messages/api/views.hpp"
#include "messages/base/time.hpp"
#include "messages/records/principal.hpp"
#include "messages/wire/link.hpp"

namespace zedops::rt {

// item: one of a stream, e.g. an event that is followed. result and error are the last of a request.
enum class answer { accepted, progress, item, result, error };

class door;
struct peer {  // one request of one client
  door* via = nullptr;
  std::string connection;
  std::string request;
  friend auto operator<=>(const peer&, const peer&) = default;
};

// All are called from any thread, never block, and say false when the peer is gone or its queue is full.

// How clients connect. A door reads requests, authenticates each (client_call::by), gives them to the node, brings back
// the answers, and reports to the node which connections have closed. It outlives the node.
class door {
 public:
  virtual ~door() = default;
  virtual bool reply(const peer& to, answer kind, std::string body) = 0;
};

class agent_port {
 public:
  virtual ~agent_port() = default;
  virtual bool send(const std::string& routing_id, uint64_t session, const msg::to_agent& message) = 0;
};

struct public_event {
  std::string topic;
  uint64_t seq = 0;
  std::string body;
  std::string_view type{};  // static
};
class event_port {
 public:
  virtual ~event_port() = default;
  virtual bool publish(public_event e) = 0;
  // False: there is no watcher at the moment, and encoding events would be wasted work.
  virtual bool watched() const = 0;
  // Events up to `last_seq` that are made when their turn comes, if there is a watcher then; about `count` of them.
  virtual bool publish_if_watched(uint64_t last_seq, size_t count, std::function<std::vector<public_event>()> make) = 0;
};

// Which keys may connect over a network. Changes are durable when they return, and apply from the next request on.
class key_port {
 public:
  virtual ~key_port() = default;
  virtual msg::result<msg::key_list> keys() = 0;
  virtual msg::result<msg::key_list> add(const msg::add_key& k) = 0;        // what the key may now
  virtual msg::result<msg::key_list> remove(const msg::remove_key& k) = 0;  // what it could do
  virtual msg::result<msg::token_reply> make_token(const msg::make_token& t, msg::time_point now) = 0;
  // `by` has authenticated with a token; it is used up by this.
  virtual msg::result<msg::enrol_reply> enrol(const msg::enrol_agent& e, const msg::principal& by,
                                              msg::time_point now) = 0;
  virtual msg::result<msg::enrol_reply> approve(const msg::approve_agent& a) = 0;
  // The public key that the manager will answer with later; empty: the one it has. Asked with each ping.
  virtual std::string next_key() = 0;
  // Without what its agents know. Errors: wrong_state (there is no next key to finish or to forget).
  virtual msg::result<msg::rotation_view> rotate(const msg::rotate_key& k) = 0;
};

// Who may use HTTP. As with keys, changes are durable when they return, and apply from the next request on.
class account_port {
 public:
  virtual ~account_port() = default;
  virtual msg::result<msg::user_list> users() = 0;
  virtual msg::result<msg::user_link> add(const msg::add_user& u, msg::time_point now) = 0;
  virtual msg::result<msg::user_list> remove(const msg::remove_user& u) = 0;  // the user that was removed
  virtual msg::result<msg::user_link> reset(const msg::reset_user& u, msg::time_point now) = 0;
  virtual msg::result<msg::token_list> tokens() = 0;
  virtual msg::result<msg::token_made> add(const msg::add_token& t, msg::time_point now) = 0;
  virtual msg::result<msg::token_list> remove(const msg::remove_token& t) = 0;
};

// Wall time that never goes back within one process; see manager/clock.hpp.
class wall_clock {
 public:
  virtual ~wall_clock() = default;
  virtual msg::time_point now() = 0;
  // For how long the host's clock has gone evenly: since it was last stepped forward by more than clock_step_max, at
  // most since the process began; zero while it is behind `now` by more than that.
  virtual msg::duration even_for() = 0;
};
inline constexpr msg::duration clock_step_max{60'000};

class randomness {
 public:
  virtual ~randomness() = default;
  virtual uint64_t bits() = 0;
  std::string id(char kind) {
    const auto high = bits();
    return msg::id_text(kind, high, bits());
  }
};

}  // namespace zedops::rt
