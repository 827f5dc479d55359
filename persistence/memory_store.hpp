// A store in memory for simulations: the same contract as on disk, and faults on demand. What was committed survives
// crash() and restart(); what was not is gone. Thread-safe like the real one.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "persistence/store.hpp"

namespace zedops::store {

struct memory_options {
  uint64_t epoch = 1;
  uint32_t schema = 1;
  batch_limits batch;
};

// What a crash in mid-commit leaves: the caller gets no answer, so both are possible.
enum class crash_keeps : uint8_t { nothing, everything };
enum class disk : uint8_t { has_room, is_full };

class memory_store final : public store {
 public:
  explicit memory_store(memory_options options = {});
  ~memory_store() override;

  result<std::unique_ptr<writer>> begin_write(write_kind kind) override;
  using store::begin_write;
  result<std::unique_ptr<reader>> begin_read() const override;
  uint64_t epoch() const override { return options_.epoch; }
  stats statistics() const override;
  // wrong_state: what is in memory has no file.
  result<verify_report> backup(const std::filesystem::path& file) const override;

  // The n-th commit from now (1: the next) fails with this error and keeps nothing. Several may be armed.
  void fail_commit(uint64_t nth, msg::error with);
  // The next n puts of ordinary transactions fail with this error, as when a disk fills up in the midst of one.
  void fail_puts(uint64_t n, msg::error with);
  // The n-th commit from now never returns success: the store crashes in it.
  void crash_in_commit(uint64_t nth, crash_keeps kept);
  // Full: ordinary writes are refused (store_full), essential ones and reads go on.
  void set_disk(disk state);
  // Every open transaction is dead and every call fails until restart(). Committed data stays.
  void crash();
  void restart();
  // The record's checksum no longer matches from now on; a put heals it. False: there is no such record.
  bool damage(table t, std::string_view key);
  struct image;  // a backup: all that was committed, as it is at that moment
  std::shared_ptr<const image> copy() const;
  void put_back(const image& backup);  // crashed stores only: what was committed since is gone
  uint64_t commits() const;            // that succeeded
  uint64_t attempts() const;           // also those that failed

  struct records {  // one table, as a snapshot shares it
    std::map<std::string, std::string, std::less<>> rows;
    std::set<std::string, std::less<>> damaged;
  };
  using snapshot = std::array<std::shared_ptr<const records>, table_count>;
  using changes = std::array<std::map<std::string, std::optional<std::string>, std::less<>>, table_count>;

 private:
  template <class Base>
  friend class memory_view;
  friend class memory_reader;
  friend class memory_writer;
  bool alive(uint64_t life) const;
  snapshot take_snapshot() const;
  void release(snapshot& s) const;
  result<void> commit(changes& c, snapshot& base, uint64_t life, write_kind kind);
  void apply(changes& c);

  memory_options options_;
  mutable std::mutex mutex_;
  std::array<std::shared_ptr<records>, table_count> tables_;
  std::map<uint64_t, msg::error> failing_;    // by the number of the commit
  std::map<uint64_t, crash_keeps> crashing_;  // likewise
  uint64_t failing_puts_ = 0;
  msg::error put_failure_;
  uint64_t attempts_ = 0, commits_ = 0, life_ = 1;  // life_: how often the store was started
  bool crashed_ = false, writing_ = false, full_ = false;
};

}  // namespace zedops::store
