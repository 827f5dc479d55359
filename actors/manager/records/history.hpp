// Reading the log: pages of events, the chain of one entity, ended operations.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "actors/manager/records/records.hpp"
#include "messages/base/cursor.hpp"

namespace zedops::manager {

inline constexpr size_t page_bytes_max = 8 << 20;  // a page ends there, and after one row at least

inline constexpr size_t chain_entries_max = 1'000'000;  // entries of one entity that are walked at most

// Visits the entries of a chain from `head` backwards until `visit` returns false. Returns the number of the entry that
// is no longer kept and ended the walk; zero: there was none.
msg::result<uint64_t> walk_back(const store::reader& r, uint64_t head,
                                const std::function<bool(msg::log_entry&&)>& visit);

// Reading history: facts as public events.
class history {
 public:
  history(const store::store& s, uint64_t epoch) : store_(s), epoch_(epoch) {}

  // Events after `since`, in order, that pass the filter; at most `limit`, and a bounded number of log entries.
  msg::result<msg::event_page> replay(uint64_t since, uint64_t last_seq, const msg::replay_events& filter) const;
  // Events of one server or agent, newest first: entries from `head` backwards, older than `before` if given.
  msg::result<msg::event_page> of_entity(uint64_t head, uint64_t before, size_t limit) const;
  msg::result<std::optional<msg::operation>> operation(const msg::operation_id& id) const;  // an ended one
  struct place {  // of an operation in that order
    msg::time_point started_at{};
    std::string id;
  };
  // Ended operations, newest first, those older than `after` if given; `target` is a server id, both filters may be
  // empty.
  msg::result<std::vector<msg::operation>> operations(size_t limit, const std::string& target,
                                                      const std::string& status,
                                                      const std::optional<place>& after = {}) const;
  uint64_t oldest_seq() const;
  uint64_t epoch() const { return epoch_; }

 private:
  const store::store& store_;
  uint64_t epoch_;
};

msg::event event_of(uint64_t epoch, const msg::log_entry& entry, size_t index);

}  // namespace zedops::manager
