// Archives that strangers made: tar, tar.gz, tar.zst and zip, unpacked below one folder and nowhere else.
//
// Allowed are regular files, directories, and symbolic links that lead to something inside. Anything else - devices,
// hard links, absolute names, "..", encrypted entries - is an error that names the entry, and nothing of the archive
// counts. The agent owns the files: 0644, or 0755 if anybody may execute them; no owner, no setuid bit is kept.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "messages/base/error.hpp"

namespace zedops::archive {

struct unpack_limits {
  uint64_t entries_max = 1'000'000;
  uint64_t bytes_max = uint64_t{20} << 30;  // of all files together
  uint64_t ratio_max = 1'000;               // unpacked bytes for each byte of the archive, beyond the first 64 MiB
  unsigned depth_max = 64;
};
struct unpacked {
  uint64_t files = 0;
  uint64_t entries = 0;
  uint64_t bytes = 0;
  std::string tree_hash;  // SHA-256 over names, kinds and contents, in the order of the archive
};
// Called now and then with what is unpacked and how much of the archive is read; false: stop with `cancelled`.
using unpack_progress = std::function<bool(const unpacked& so_far, uint64_t archive_bytes_read)>;

// `into` is made, and must not exist. Whatever happens, the caller removes or keeps it. Everything is on the disk
// when this returns. Errors: bad_request (the archive), no_space, cancelled, internal (the disk).
// `folder`: the only part to unpack ("docs/public"), as if it were the whole archive; empty: everything.
msg::result<unpacked> unpack(const std::string& file, const std::string& into, const unpack_limits& limits,
                             const unpack_progress& progress, const std::string& folder = {});

}  // namespace zedops::archive
