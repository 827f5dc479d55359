// Watching events: the bare subscription, and the stream that heals what the subscription loses.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bus/follower.hpp"
#include "bus/security/keys.hpp"

namespace zedops::bus {

// Best effort: a slow or reconnecting subscriber misses events. One thread per subscriber.
class subscriber {
 public:
  // Looks for the manager at once, as client::connect does; afterwards it reconnects by itself, for ever.
  static msg::result<subscriber> connect(const address& to, int queue_max = 10'000);
  subscriber(subscriber&&) noexcept;
  subscriber& operator=(subscriber&&) noexcept;
  ~subscriber();

  msg::result<void> subscribe(const std::string& topic_prefix);  // empty: everything
  // The next event; nothing when none came in time. Errors: bad_request (the message is not an event).
  msg::result<std::optional<raw_event>> next(std::chrono::milliseconds wait);

 private:
  struct impl;
  explicit subscriber(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

struct event_stream_options {
  address events_at{std::string{}};
  std::vector<std::string> topic_prefixes;  // empty: everything
  std::optional<cursor> since;              // none: from now
  subject_seq_fn subject_seq;               // needed with topic_prefixes
  std::chrono::milliseconds quiet{10'000};  // after this long without an event the history is asked if any was lost
};

class event_stream {
 public:
  // Asks the history (verb "event.replay") for what follows a cursor and matches the same topic prefixes.
  using replay_fn = std::function<msg::result<replay_page>(cursor after)>;

  static msg::result<event_stream> open(event_stream_options options, replay_fn replay);

  // The next event or gap; nothing when none came in time. After an error (of the replay) it may be called again and
  // goes on where it was.
  msg::result<std::optional<follow_item>> next(std::chrono::milliseconds wait);
  std::optional<cursor> position() const { return follower_.position(); }

 private:
  event_stream(event_stream_options options, replay_fn replay, subscriber s, event_follower f, std::string sync_topic);

  event_stream_options options_;
  replay_fn replay_;
  subscriber subscriber_;
  event_follower follower_;
  std::string sync_topic_;
  std::chrono::steady_clock::time_point last_event_ = std::chrono::steady_clock::now();
  bool synchronised_ = false;  // the subscription works: only now does a replay leave no hole behind it
};

}  // namespace zedops::bus
