// What an operator does with a store while the manager is stopped or running: inspect, copy, restore. For zedctl store.
#pragma once
#include <chrono>
#include <filesystem>

#include "persistence/lmdb_store.hpp"

namespace zedops::store {

// Looks at every record of DIR. Runs in a child process, so a damaged file cannot end this one; possible while a
// manager writes. Damage is in the report, an error means that nothing could be looked at (not_found, internal).
result<verify_report> verify(const std::filesystem::path& dir,
                             std::chrono::milliseconds deadline = std::chrono::minutes{10});

// Visits one table of DIR (see reader::scan), after the file as a whole has been found sound.
result<void> dump(const std::filesystem::path& dir, table t, record_visitor visit, corrupt_visitor damaged);

// Copies DIR's store into one new file while a manager may be writing (see store::backup).
result<verify_report> backup(const std::filesystem::path& dir, const std::filesystem::path& file);

// What to do with a store that is already in the directory.
enum class existing : uint8_t { refuse, set_aside };

inline constexpr size_t set_aside_max = 3;  // older ones are removed when another is set aside

struct restore_options {
  std::filesystem::path file;  // a backup
  std::filesystem::path dir;   // no manager may be using it (busy)
  existing present = existing::refuse;
};
struct restore_report {
  verify_report restored;           // with the new epoch: cursors from before are no longer valid
  std::filesystem::path set_aside;  // where the former store went; empty: there was none
};
// The backup is verified before anything is touched; a backup with damaged records is restored and the report says so.
// already_exists: DIR has a store and `present` is refuse.
result<restore_report> restore(const restore_options& options);

}  // namespace zedops::store
