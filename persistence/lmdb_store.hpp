// The store on disk: DIR/data.mdb (LMDB), DIR/lock (one process at a time), DIR/reserve (space for essential writes).
#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <vector>

#include "persistence/store.hpp"

namespace zedops::store {

enum class access : uint8_t {
  read_write,
  read_only,  // for tools; possible while a manager runs, but not in the manager's own process
};

// LMDB maps its file: damage can end a process with SIGBUS or SIGSEGV. Two header pages are always checked
// (microseconds). A walk over every record in a child process costs about 0.5 us per record plus a fork; by default it
// happens only when the last run did not close the store: power cuts and crashes are what damages files, and when a
// process crashes on a damaged file, that very crash causes the walk at its next start.
enum class guard : uint8_t { structure_only, after_crash, always };

struct lmdb_options {
  std::filesystem::path dir;
  access mode = access::read_write;
  uint64_t map_bytes = uint64_t{1} << 30;       // address space at first, not disk space
  uint64_t map_max_bytes = uint64_t{64} << 30;  // the store never gets larger
  uint64_t reserve_bytes = uint64_t{16} << 20;  // kept for essential writes, in the map and on the disk; 0: none
  // The file is kept longer than its contents, by as much again, at most by this: commits then need not lengthen it.
  uint64_t ahead_bytes = 0;
  batch_limits batch;
  guard check = guard::after_crash;
  std::chrono::milliseconds check_deadline{30'000};  // a walk that takes longer is given up: partly_verified
  uint32_t schema = 1;                               // what this program writes
  std::vector<migration> migrations;                 // from older schemas, each step once
};

// Errors: busy (another manager has DIR, the message names its pid), wrong_state (schema newer than ours, or no way
// from the older one; nothing was changed), internal (damaged file, with the remedy), store_full, forbidden.
result<std::unique_ptr<store>> open_lmdb(lmdb_options options);

}  // namespace zedops::store
