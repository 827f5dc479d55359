// One open LMDB environment: its tables, room for the next batch, and the way back after a failed disk write.
#pragma once
#include <atomic>
#include <memory>

#include "persistence/detail/data_dir.hpp"
#include "persistence/detail/lmdb_ops.hpp"
#include "persistence/detail/reader_gate.hpp"
#include "persistence/lmdb_store.hpp"

namespace zedops::store::detail {

inline constexpr std::chrono::milliseconds gate_patience_max{5'000};  // for readers to leave before the map changes

class environment {
 public:
  static result<std::unique_ptr<environment>> open(const lmdb_options& options);

  // Inside the gate, until end() or commit(). Any thread.
  result<txn_ptr> begin_read();
  // Makes room first. store_full at once when the disk was full and still is.
  result<txn_ptr> begin_write(write_kind kind);
  void end(txn_ptr txn);  // aborts and leaves the gate
  // The result is true: when the disk fails in mid-commit, the environment is reopened to see what was kept.
  result<void> commit(txn_ptr txn);

  const table_handles& handles() const { return handles_; }  // inside the gate only
  // Room for one large transaction (a migration) of about `bytes`.
  result<void> reserve_map(uint64_t bytes);
  // Copies into the open file, as of now.
  result<void> copy_to(int fd);
  // MDB_MAP_FULL is "full" only when the map could not grow any more.
  msg::error write_error(int rc, std::string_view what);

  struct sizes {
    uint64_t used_bytes = 0;
    uint64_t map_bytes = 0;
  };
  sizes measure();

 private:
  explicit environment(const lmdb_options& options);
  result<void> open_env_and_tables();
  result<txn_ptr> begin_inside(unsigned flags);
  result<void> reopen_if_panicked();
  void adopt_grown_map();
  void make_room(write_kind kind);
  void recycle_freed_pages();
  void write_ahead();
  bool resize(uint64_t bytes, std::chrono::milliseconds patience);
  sizes measure_inside() const;
  bool writable() const { return mode_ == access::read_write; }

  std::filesystem::path dir_;
  access mode_;
  uint64_t map_bytes_, map_max_bytes_, reserve_bytes_, headroom_bytes_, ahead_bytes_;
  uint64_t page_bytes_ = 4096;
  reserve_space reserve_;
  uint64_t written_ahead_to_ = 0;                         // the writer's
  std::atomic<bool> disk_full_{false}, map_full_{false};  // the last write found it so
  std::mutex change_;                                     // one change of the map or the environment at a time
  reader_gate gate_;
  env_ptr env_;            // replaced and resized with the gate closed
  table_handles handles_;  // likewise
};

}  // namespace zedops::store::detail
