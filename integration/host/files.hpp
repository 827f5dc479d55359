// Private to this folder: descriptors, and walking a tree without following a link.
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "integration/host/data/data_dir.hpp"

namespace zedops::host {

class unique_fd {
 public:
  unique_fd() = default;
  explicit unique_fd(int fd) : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    if (this != &other) close_now(), fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~unique_fd() { close_now(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  void close_now() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int fd_ = -1;
};

std::string errno_text(int error);

// One component, a directory, never through a link; errno on failure.
unique_fd open_dir_at(int dir, const char* name);

// Why open_dir_at failed with `error`, in helpful words: a link is named with its target.
std::string why_not_opened(int dir, const char* name, const std::string& path, int error);

// "a/b" into its components; nothing when it is absolute, empty, or holds "." or "..".
std::vector<std::string> relative_parts(std::string_view path);

// Opens the root and checks its marker; any failure is data_unknown.
msg::result<unique_fd> open_root(const data_root& root);

// The first line of the marker in `dir`; empty and errno when there is none or it cannot be read.
std::string read_marker(int dir);

// Whether the directory is the root of a mount, with its parent for kernels that cannot say.
bool is_mount_root(int dir, int parent);

// The directory's entries but "." and "..", in no order. `visit` gets the name and whether it is a directory itself;
// returning false ends the listing. Returns 0 or errno.
int list_dir(int dir, const std::function<bool(const char* name, bool is_dir)>& visit);

// Renames and never replaces anything. On file systems that cannot promise that (NFS, CephFS, 9p, older ZFS) it checks
// first that the name is free: only the agent makes entries at the top of a data root. Returns 0 or errno.
int rename_new(int from_dir, const char* from, int to_dir, const char* to);
int rename_checked(int from_dir, const char* from, int to_dir, const char* to);  // always with that check

// Bytes of a file that are on disk, its holes left out.
uint64_t data_bytes(int fd, uint64_t size);

struct walk_outcome {
  uint64_t entries = 0;
  bool stopped = false;  // by the visitor
  std::string error;     // the first one; everything readable was walked nevertheless
};

// Visits every entry below `dir`, directories before their content. Entries that vanish meanwhile are skipped.
walk_outcome walk(int dir, uint64_t entries_max,
                  const std::function<bool(int dir, const char* name, bool is_dir)>& visit);

// Removes the directory `name` in `root` with all its content, following no link; absent is success. Returns the bytes
// freed.
msg::result<uint64_t> remove_dir(int root, const std::string& root_path, const std::string& name);

tree_size measure(int dir, std::string* error);

}  // namespace zedops::host
