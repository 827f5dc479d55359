// The data of servers on this host's disk. Blocking; for worker threads.
//
//   {data_path}/                    the data root, one per disk
//     .zedops-data-root             marker: first line is the owner (the agent's id)
//     {name}/{bin,data,...}         one tree per server
//     {name}/backups/               backups somebody made: not the server's data, and kept when its data is removed
//     .trash-{name}-{id}            a tree whose removal is not finished
//
// A root without our marker is most likely the mount point of a disk that is not mounted: everything below it is
// `unknown` and nothing is written. Below the root no link is ever followed.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/base/error.hpp"
#include "messages/records/server.hpp"

namespace zedops::host {

inline constexpr char marker_name[] = ".zedops-data-root";
inline constexpr char backups_name[] = "backups";
inline constexpr uint64_t look_entries_max = 100'000;    // of a search for content in a tree of empty directories
inline constexpr uint64_t size_entries_max = 2'000'000;  // of a sizing; beyond it sizes are lower bounds
inline constexpr unsigned tree_depth_max = 64;           // directories held open at once

struct data_root {
  std::string data_path;  // links in this path are the administrator's and are followed
  std::string owner;      // whom the marker has to name
};

struct dir_rule {
  std::string path;  // below {data_path}/{name}/, e.g. "data"
  bool counts_as_data = true;
};

enum class sizing { skip, measure };

struct check_request {
  data_root root;
  std::string name;
  std::vector<dir_rule> dirs;
  sizing sizes = sizing::skip;
};

// Bytes are the sum of file sizes as `ls -l` shows them, links and special files counting nothing.
struct tree_size {
  uint64_t bytes = 0;
  uint64_t entries = 0;
  bool complete = true;  // false: an error or the limit cut the walk short, both numbers are lower bounds
};

struct dir_report {
  std::string path;  // absolute
  msg::data_state state = msg::data_state::unknown;
  std::optional<tree_size> size;
  std::string error;  // why it is unknown, or what could not be read beside what was found
};

struct data_report {
  msg::data_state state = msg::data_state::unknown;
  std::vector<dir_report> dirs;   // in the order of the request
  std::optional<tree_size> size;  // of the server's whole tree but its backups: what a purge would free
  std::string error;
};

// present: some directory that counts holds anything but directories; one such entry is proof whatever else failed.
// empty: only directories. absent: ENOENT below a root with the right marker. unknown: any other error. What lies below
// {name}/backups never counts.
data_report check(const check_request& request);

enum class root_made { existed, created };

// Makes the root and its marker: for the first use of a data path, when the agent knows that it never used it. A root
// that is marked already is left as it is; one that is not empty but has no marker, or another owner's, is refused
// (data_unknown): it may be a disk that lost its marker, or somebody else's folder.
msg::result<root_made> prepare_root(const data_root& root);

// The owner of that data root, as its marker names it. Empty: no such folder, no marker, or it cannot be read.
std::string owner_of_root(const std::string& data_path);

// Which of the named directories get the owner: all, or those that are empty and belong to this process's user.
enum class ownership { of_all, of_empty_ones };

struct dirs_request {
  data_root root;
  std::string name;
  std::vector<std::string> dirs;  // below {data_path}/{name}/
  std::optional<uid_t> uid;       // owner of each named directory; absent: unchanged
  std::optional<gid_t> gid;
  ownership owned = ownership::of_all;
};

// Makes {data_path}/{name} and the named directories, mode 0755; those that exist are kept. Returns how many were made.
msg::result<unsigned> make_dirs(const dirs_request& request);

enum class backups_fate { keep, remove };  // remove: there are copies of them elsewhere

struct remove_request {
  data_root root;
  std::string name;
  std::string id;  // of the operation: letters, digits, underscores
  backups_fate backups = backups_fate::keep;
};

struct removed_tree {
  uint64_t bytes = 0;  // freed, as tree_size counts them
  std::string kept;    // the path of the backups that stay; empty: there are none, and the whole tree is gone
};

// Removes the server's tree, crash-safe: renamed to .trash-{name}-{id} first; a later call for that name finishes what
// is left under any id. A tree that is absent is success. Unless asked, a directory {name}/backups that is not empty
// stays where it is, untouched, and everything beside it is removed. Refused before anything changes: a bad name, a
// link, a mount point or another data root in what would be removed.
msg::result<removed_tree> remove_tree(const remove_request& request);

struct disk_space {
  uint64_t total = 0;  // bytes
  uint64_t used = 0;
  uint64_t free = 0;  // for unprivileged writers
};

msg::result<disk_space> disk_usage(const std::string& path);

}  // namespace zedops::host
