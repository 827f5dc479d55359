// Following the events without silent loss, as a pure machine. Live events may be lost, doubled or late; the history
// can be asked for. What comes out is complete and in order (per subject when the subscription is filtered), or says
// in an explicit gap what is missing.
//
//            on_live: next in line ────────────► out
//   live ──► on_live: seen before  ────────────► dropped
//            on_live: a hole, on_head: behind ─► wants_replay() ──► ask ──► on_page ──► out (until the page is
//            complete)
//
// Live events are dropped while a replay is wanted: an event is durable before it is published, so the replay has it.
#pragma once
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "bus/protocol.hpp"

namespace zedops::bus {

struct event_gap {
  enum class why : uint8_t {
    trimmed,        // the history no longer holds these events
    epoch_changed,  // the history was reset: read the state again
    missing,        // the history itself has a hole
  };
  why reason = why::trimmed;
  cursor after;    // the last event before the gap
  cursor through;  // the last event in it; for epoch_changed: the start of the new epoch
};

using follow_item = std::variant<raw_event, event_gap>;

// One answer of the history: the events that match the subscription, in order, after the cursor that was asked for.
struct replay_page {
  std::vector<raw_event> events;
  std::optional<event_gap> gap;  // comes before the events
  cursor through;                // the page covers the history up to here, whether or not events matched
  bool complete = true;          // false: ask again from `through`
};

// An event's place among those of its subject, consecutive from 1; nothing when the body cannot tell.
using subject_seq_fn = std::function<std::optional<uint64_t>(const raw_event&)>;

class event_follower {
 public:
  // What the subscription covers. Global sequence numbers are consecutive only when it covers everything.
  static event_follower of_everything(std::optional<cursor> since);
  static event_follower of_subjects(std::optional<cursor> since, subject_seq_fn subject_seq);

  void on_live(raw_event event);
  void on_head(cursor newest);  // the synchronisation message: nothing up to here is still on its way
  void on_quiet();              // nothing came for a while: make sure that nothing was lost at the tail
  void on_page(replay_page page);

  // The history after this cursor is needed: ask for it and call on_page().
  std::optional<cursor> wants_replay() const { return healing_ ? base_ : std::nullopt; }
  std::optional<follow_item> pop();
  // Everything up to here has come out: the cursor to resume from. Nothing before the first on_head() or event.
  std::optional<cursor> position() const { return base_; }

  // Filtered subscriptions: subjects remembered, and events let through, before a replay confirms them all.
  static constexpr size_t subjects_max = 10'000;
  static constexpr size_t unconfirmed_max = 10'000;

 private:
  struct place {
    uint64_t subject_seq, seq;
  };
  event_follower(std::optional<cursor> since, subject_seq_fn subject_seq);
  void enter_epoch(uint64_t epoch);
  bool next_in_line(const raw_event& event, std::optional<uint64_t> subject_seq) const;
  void deliver(raw_event event, std::optional<uint64_t> subject_seq);
  void deliver_replayed(raw_event event);
  void add_gap(event_gap::why reason, cursor after, cursor through);

  subject_seq_fn subject_seq_;                           // none: everything is followed
  std::optional<cursor> base_;                           // everything up to here has come out
  std::unordered_map<std::string, place> subject_last_;  // filtered: the last event of each subject that came out
  size_t unconfirmed_ = 0;                               // filtered: events that came out after base_
  uint64_t gap_through_ = 0;                             // holes of subjects up to here have been reported
  bool healing_ = false;
  std::deque<follow_item> out_;
};

}  // namespace zedops::bus
