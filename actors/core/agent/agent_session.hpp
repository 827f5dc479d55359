// The session of one agent as the manager sees it, as a pure function: no CAF, no clock, no I/O, no logging.
//
//             hello            arrival durable: welcome
//   [away] --------> [entering] ----------------------> [live] <---- any word ----.
//     ^                  ^                               |  |                     |
//     |                  | another instance, the live    |  '-- silent 2 s: suspect
//     |                  | one does not answer a ping    |
//     '---- silent 3 s, goodbye, or it declines ---------'
//
// What the record of the agent says follows from the state of the session: compared after every input, one commit at a
// time, and again when that is durable. So no order of commits and messages can leave a record that is not true.
// Silence is measured by steady time and only while this side was listening: a tick that comes late excuses the agent.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "actors/core/agent/liveness.hpp"
#include "messages/wire/link.hpp"

namespace zedops::core {

using steady_time = std::chrono::steady_clock::time_point;

// ---- inputs ----
struct greeted {
  std::string routing_id;
  msg::hello greeting;
};
struct spoke {  // anything but a hello
  std::string routing_id;
  uint64_t nonce = 0;  // of a heartbeat that answers a ping
  std::optional<bool> engine_ok{};
  std::string engine_problem{};  // why not
};
struct left {  // it says goodbye
  std::string routing_id;
};
struct declined {  // it may not follow the welcome of this session
  std::string routing_id;
  uint64_t session = 0;
};
struct hung_up {
  std::string routing_id;
};
struct written {  // the commit that was asked for is durable, or could not be made
  bool ok = true;
};
struct beat {};  // once per ping interval
using session_input = std::variant<greeted, spoke, left, declined, hung_up, written, beat>;

struct session_context {
  steady_time now{};
  liveness_policy rules{};
  uint64_t term = 0;                          // of this life of the manager
  std::optional<msg::agent_status> status{};  // as committed; empty: there is no record
  bool engine_ok = false;                     // as committed; so is the next
  std::string engine_problem{};
};

// ---- what follows ----
struct write_arrival {  // commit that it is here, and its record if there is none; answered by `written`
  msg::hello greeting;
};
struct write_suspected {
  std::chrono::milliseconds silent{};
};
struct write_lost {
  std::chrono::milliseconds silent{};
};
struct send_welcome {
  std::string routing_id;
  uint64_t session = 0;
};
struct session_begun {};  // before its first welcome
struct session_over {     // those that wait for an answer of it will get none
  std::string_view why;
};
struct send_ping {
  std::string routing_id;
  uint64_t session = 0, nonce = 0;
};
struct refuse_rival {
  std::string routing_id;
  msg::hello greeting;
};
struct send_goodbye {
  std::string routing_id;
};
using session_effect = std::variant<write_arrival, write_suspected, write_lost, send_welcome, session_begun,
                                    session_over, send_ping, refuse_rival, send_goodbye>;

class agent_session {
 public:
  // A welcome that did not arrive is sent again when the agent still says hello after this long.
  static constexpr std::chrono::milliseconds welcome_again{5'000};
  // An agent that is heard is pinged at every such beat: it gives up a manager that is silent for ten seconds.
  static constexpr unsigned beats_per_ping = 3;
  // Messages of a session that is over are answered at most this often.
  static constexpr std::chrono::milliseconds goodbye_pause{500};

  explicit agent_session(steady_time start) : heard_(start), beat_(start) {}
  std::vector<session_effect> take(session_input in, const session_context& cx);

  enum class phase : uint8_t { away, entering, live };
  phase where() const { return entering_ ? phase::entering : live_ ? phase::live : phase::away; }
  // Where to send to; null: no agent is connected.
  struct member {
    std::string routing_id;  // empty: the connection is gone, the agent may come back on another
    msg::hello greeting;
    uint64_t number = 0;
  };
  const member* online() const { return live_ && !live_->routing_id.empty() ? &*live_ : nullptr; }
  const member* session() const { return live_ ? &*live_ : nullptr; }
  bool challenged() const { return rival_.has_value(); }
  bool welcomed_before() const { return sessions_ > 0; }
  std::chrono::milliseconds silent(steady_time now) const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - heard_);
  }

 private:
  struct rival {  // says it is the same agent; the live one is asked first
    std::string routing_id;
    msg::hello greeting;
    uint64_t nonce = 0;  // of the ping that the live one has to answer
  };
  using effects = std::vector<session_effect>;
  void on(greeted& in, const session_context& cx, effects& out);
  void on(spoke& in, const session_context& cx, effects& out);
  void on(left& in, const session_context& cx, effects& out);
  void on(declined& in, const session_context& cx, effects& out);
  void on(hung_up& in, const session_context& cx, effects& out);
  void on(written& in, const session_context& cx, effects& out);
  void on(beat& in, const session_context& cx, effects& out);
  void enter(std::string routing_id, msg::hello h, const session_context& cx, effects& out);
  void end(std::string_view why, const session_context& cx, effects& out);
  void ping(effects& out);
  void align(const session_context& cx, effects& out);

  std::optional<member> live_;
  std::optional<member> entering_;  // its arrival is being committed
  std::optional<rival> rival_;
  steady_time heard_, beat_, welcomed_{}, goodbye_{};
  uint64_t sessions_ = 0, nonce_ = 0;
  unsigned unpinged_ = 0;  // beats since the last ping
  bool writing_ = false;   // a commit is on its way
  bool stalled_ = false;   // the last one failed: not before the next beat
  bool over_ = false;      // its last session has ended: it is away now, not only awaited
};

}  // namespace zedops::core
