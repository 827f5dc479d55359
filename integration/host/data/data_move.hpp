// A server's tree as a verified copy of another: of its tree in another data root (a move), or of directories that a
// container has mounted (an adoption). The original is only read here. Blocking, maybe for hours; for worker threads.
//
//   {to}/.zedops-moving-{name}-{id}/        made first, removed last: says that {to}/{name} is this operation's copy
//   {to}/.zedops-moving-{name}-{id}/tree    the copy until it is complete and verified
//   {to}/{name}                             the copy, put into place by one rename
//
// So after a crash it can be seen what exists: nothing, a part, or all of the copy. A tree at {to}/{name} without that
// folder belongs to somebody else and is never touched.
#pragma once
#include <functional>

#include "integration/host/data/data_dir.hpp"

namespace zedops::host {

inline constexpr uint64_t copy_spare_bytes = 16 << 20;  // left free on the target's disk beside the copy

struct copy_part {
  std::string path;  // absolute: a directory anywhere on this host
  std::string to;    // below {to}/{name}
};
struct copy_request {
  data_root from;
  data_root to;
  std::string name;
  std::string id;                  // of the operation: letters, digits, underscores
  std::vector<copy_part> parts{};  // not empty: these make up the tree, and `from` means nothing
};

// Before anything is made: `path` may become a data root. Refused: what check_data_path refuses, also when links in it
// lead there, and a folder within another data root, where it would be among or inside the trees of servers.
msg::result<void> check_new_root(const std::string& path);

// Bytes free for a folder that may not exist yet: on the disk of the nearest folder above it that exists.
msg::result<uint64_t> free_space_at(const std::string& path);

enum class copy_stage { none, partial, placed };
// How far this operation has come at its target. already_exists: the place is taken by something else.
msg::result<copy_stage> look_at_copy(const copy_request& request);

struct copy_size {
  uint64_t bytes = 0;    // as tree_size counts them
  uint64_t entries = 0;  // files, links and directories
};
// Can it be copied? Refused: special files, mount points and other data roots in the tree, too many or too deep
// entries, the same folder under two names, a target within the tree, and store_full when there is no room.
msg::result<copy_size> check_copy(const copy_request& request);

enum class copy_phase { copying, verifying };
// Bytes done of this phase; false ends the work with `cancelled`.
using copy_progress = std::function<bool(copy_phase phase, uint64_t bytes)>;

// Copies with modes, owners, times, links, hard links, ACLs and user attributes; writes all of it to the disk; then
// compares every entry, each file by size and hash of what is read back. What an earlier attempt left is made anew.
msg::result<copy_size> copy_tree(const copy_request& request, const copy_progress& progress);
// Puts a copy that copy_tree made into place. It is durable there when this returns.
msg::result<void> place_copy(const copy_request& request);

enum class copy_fate {
  remove,
  keep
};  // keep: it stays beside its place, because it may hold what the original has not
// Rolls back what look_at_copy can see; nothing is at {to}/{name} afterwards. Returns where a kept copy is.
msg::result<std::string> drop_copy(const copy_request& request, copy_fate fate);
// The copy is what counts now: removes the operation's folder, after which only the name says whose it is.
msg::result<void> finish_copy(const copy_request& request);

}  // namespace zedops::host
