// A text file that says who has access: no other user may write it; it changes as a whole, durably, by one process at a
// time.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "messages/base/error.hpp"

namespace zedops::bus {

// An absent file is empty. Errors: forbidden (it cannot be read, or others may write it), too_large.
msg::result<std::string> read_guarded(const std::filesystem::path& file, size_t bytes_max);
// Replaces it as a whole. For root: it gets the owner of the previous file, or of its directory. Errors: forbidden.
msg::result<void> write_guarded(const std::filesystem::path& file, const std::string& text);
// Runs `how` while no other process changes the file. Errors: busy, forbidden, those of `how`.
msg::result<void> while_locked(const std::filesystem::path& file, const std::function<msg::result<void>()>& how);

// Whether a file is the one that was read.
struct file_stamp {
  int64_t changed = 0;  // nanoseconds
  uint64_t inode = 0;
  int64_t size = -1;
  friend bool operator==(const file_stamp&, const file_stamp&) = default;
};
// One that cannot be read is read again after this long, for as long as somebody asks for it.
inline constexpr std::chrono::seconds reread_after{1};
file_stamp stamp_of(const std::filesystem::path& file);

}  // namespace zedops::bus
