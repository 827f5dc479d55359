// How records lie in the store: keys, and what is loaded at start-up.
#pragma once
#include <memory>
#include <string>

#include "actors/manager/records/catalog.hpp"
#include "actors/manager/records/kinds.hpp"
#include "actors/runtime/ports.hpp"
#include "persistence/store.hpp"

namespace zedops::manager {

inline constexpr std::string_view meta_manager_id = "manager.id";
inline constexpr std::string_view meta_term = "manager.term";
inline constexpr std::string_view meta_last_seq = "log.last";  // survives the trimming of the whole log

std::string log_key(uint64_t first_seq);  // big endian: byte order is number order
uint64_t log_number(std::string_view key);

inline constexpr size_t page_bytes_max = 8 << 20;  // a page ends there, and after one row at least

// What a restart continues from.
struct recovered {
  std::string manager_id;
  uint64_t term = 0;      // one more than the last run's
  uint64_t last_seq = 0;  // newest event
  msg::time_point last_time{};
  std::map<std::string_view, uint64_t> records;  // by kind
  uint64_t damaged = 0;
};

// One sequential scan of the snapshots into the catalog, and a new term. `random` feeds the id of a new manager.
msg::result<recovered> recover(store::store& s, const kind_list& kinds, catalog& into, rt::randomness& random);

// Reading history: facts as public events.
class history {
 public:
  history(const store::store& s, std::string epoch) : store_(s), epoch_(std::move(epoch)) {}

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
  const std::string& epoch() const { return epoch_; }

 private:
  const store::store& store_;
  std::string epoch_;
};

msg::event event_of(const std::string& epoch, const msg::log_entry& entry, size_t index);

}  // namespace zedops::manager
