// The frames on the wire, as pure functions: what a message looks like, never what its body means. Bodies and options
// are opaque bytes (MessagePack made by messages/). Every parse function is total: any frames give a value or a reason.
//
//   client → manager   [zedops/1][req][request id][verb][idempotency key][deadline ms][options][body]
//   manager → client   [zedops/1][accepted|progress|result|error|chunk][request id][body]
//   agent ↔ manager    [zedops/1][tag][session][body]
//   manager → watcher  [topic][zedops/1][epoch:seq][body]
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/cursor.hpp"
#include "messages/base/error.hpp"

namespace zedops::bus {

using frames = std::vector<std::string>;

inline constexpr std::string_view protocol_version = "zedops/1";

// Limits of one message, in bytes unless said otherwise. A message beyond one is a bad message; nothing is truncated.
inline constexpr size_t frame_count_max = 8;
inline constexpr size_t request_id_max = 64;
inline constexpr size_t verb_max = 64;
inline constexpr size_t idempotency_key_max = 128;
inline constexpr size_t options_max = 4096;
inline constexpr size_t tag_max = 64;
inline constexpr size_t topic_max = 128;
inline constexpr size_t body_max = 16u << 20;
inline constexpr std::chrono::milliseconds deadline_max = std::chrono::hours(24);

using msg::cursor;
using msg::parse_cursor;
using msg::to_text;

struct request {
  std::string id;               // chosen by the client, unique among its open requests; 1-64 printable ASCII characters
  std::string verb;             // "server.start"; 1-64 of a-z 0-9 . _ -
  std::string idempotency_key;  // printable ASCII; empty: the request is not repeatable
  std::optional<std::chrono::milliseconds> deadline;  // from the moment of sending; none: the manager's default
  std::string options;                                // MessagePack map or empty
  std::string body;                                   // MessagePack or empty
};

enum class reply_kind : uint8_t { accepted, progress, result, error, chunk };
std::string_view name_of(reply_kind kind);
// A result or an error ends its request; the other kinds come before, any number of times.
constexpr bool is_final(reply_kind kind) { return kind == reply_kind::result || kind == reply_kind::error; }

struct reply {
  reply_kind kind = reply_kind::result;
  std::string request_id;
  std::string body;
};

struct agent_message {
  std::string tag;       // kind of the body: a wire number or a short name; a-z 0-9 . _ -
  uint64_t session = 0;  // given by the manager when it welcomes an agent; 0 before that
  std::string body;
};

struct raw_event {
  std::string topic;  // the subject: "server.<id>", "agent.<id>", "operation.<id>"
  cursor at;
  std::string body;
};

// The encoders do not check limits: what leaves is ours. `check` says whether the other side would take it.
frames encode(request r);
frames encode(reply r);
frames encode(agent_message m);
frames encode(raw_event e);

// The cause in the error is fit for a log line (hostile bytes are shown escaped and cut); code bad_request or
// too_large.
msg::result<request> parse_request(frames f);
msg::result<reply> parse_reply(frames f);
msg::result<agent_message> parse_agent_message(frames f);
msg::result<raw_event> parse_event(frames f);

// The id of a request that is otherwise bad, so that its sender gets an answer; empty when there is no valid one.
std::string request_id_of(const frames& f);

msg::result<void> check(const request& r);

// A watcher that subscribes to a topic of its own below this prefix gets one message on it, once all its earlier
// subscriptions work and again after each reconnect; the cursor is that of the newest event. The prefix sorts last,
// because a reconnecting socket repeats its subscriptions in order of their bytes.
inline constexpr std::string_view sync_topic_prefix = "~sync.";

}  // namespace zedops::bus
