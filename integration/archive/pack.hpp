// Packs a folder as an archive: tar.gz with the same bytes for the same files, so that its hash recognises it when it
// is sent again.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "messages/base/error.hpp"

namespace zedops::archive {

struct packed {
  uint64_t files = 0;
  uint64_t bytes = 0;  // of the files
};

// What `.zedopsignore`, or else `.gitignore`, in the folder names is left out: one pattern a line in git's syntax,
// without "!". Version control's own folder (.git) is always left out. `file` is made or replaced.
// Links are kept as links; devices and sockets are errors.
// Errors: not_found, bad_request, internal.
msg::result<packed> pack(const std::string& dir, const std::string& file);

// A folder as the context of a build: tar, without what its `.dockerignore` names, as Docker reads it. The dockerfile,
// a path in it, is never left out. Errors: as pack.
msg::result<packed> pack_context(const std::string& dir, const std::string& dockerfile, const std::string& file);
// A folder as tar, with all that is in it. Errors: as pack.
msg::result<packed> pack_all(const std::string& dir, const std::string& file);
bool is_out_of_context(const std::vector<std::string>& patterns, std::string_view path);

// Whether a path (below the folder, with slashes) is left out; for `is_dir`, with all its content.
bool is_ignored(const std::vector<std::string>& patterns, std::string_view path, bool is_dir);

}  // namespace zedops::archive
