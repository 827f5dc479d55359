// The decisions around opening, copying and migrating a store, apart from the store itself.
#pragma once
#include <vector>

#include "persistence/detail/data_dir.hpp"
#include "persistence/lmdb_store.hpp"

namespace zedops::store::detail {

struct opening {
  opened_as how = opened_as::clean;
  uint64_t damaged = 0;  // records, when they were looked at
};
// Decides whether the file in options.dir may be trusted, and notes in DIR/lock what is going on.
result<opening> check_before_open(const lmdb_options& options, dir_lock& lock);

// LMDB gives numbers to pages that it then never writes, so a sound file may be shorter than its header says, and we
// keep it longer while it is written. At a clean end it gets that length, so that the next start can recognise a file
// that was cut off.
void fit_file(const std::filesystem::path& file);

// The steps from `found` to options.schema, in order. wrong_state: `found` is newer, or a step is missing.
result<std::vector<const migration*>> plan_migration(uint32_t found, const lmdb_options& options);
// Runs one step; an exception becomes an error.
result<void> run_step(const migration& step, writer& w);

// Makes `file` by `copy` (into an open descriptor), verifies it, and only then gives it its name.
result<verify_report> write_backup(const std::filesystem::path& file, std::chrono::milliseconds deadline,
                                   function_ref<result<void>(int fd)> copy);

result<void> sync_path(const std::filesystem::path& path);  // a file or directory

}  // namespace zedops::store::detail
