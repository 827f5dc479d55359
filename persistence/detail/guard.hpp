// Looks at a store file before the process trusts it: LMDB maps the file, so damage can end the process (SIGBUS,
// SIGSEGV, SIGABRT). The cheap look reads two pages; the thorough one walks every record in a child process.
#pragma once
#include <chrono>
#include <filesystem>
#include <string>

#include "persistence/store.hpp"

namespace zedops::store::detail {

enum class file_look : uint8_t {
  absent,
  empty,
  sound,
  short_file,  // shorter than its meta page says: cut off, or its last pages were never needed
  damaged,
  unreadable,  // the system refuses to read it: nothing is known of its content
};
struct file_facts {
  file_look look = file_look::absent;
  uint64_t file_bytes = 0;
  uint64_t needed_bytes = 0;
  uint64_t page_bytes = 0;
  std::string reason;  // of damaged and unreadable
  int number = 0;      // errno, of unreadable
};
// Reads LMDB's two meta pages with pread, never by mapping. O(1).
file_facts look_at(const std::filesystem::path& file);

enum class file_kind : uint8_t {
  directory,    // DIR with data.mdb; another process may be writing
  single_file,  // a backup that no process writes to
};
// Walks the whole file in a child process. A child that dies or finds a broken structure shows in report.structure, a
// missed deadline in report.complete. Errors: only when the child cannot be started.
result<verify_report> verify_in_child(const std::filesystem::path& path, file_kind kind,
                                      std::chrono::milliseconds deadline);

// The walk itself, in this process.
verify_report walk(const std::filesystem::path& path, file_kind kind);

msg::error damaged_file_error(const std::filesystem::path& file, const std::string& why);

}  // namespace zedops::store::detail
