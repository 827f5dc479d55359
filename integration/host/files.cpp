#include "integration/host/files.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstring>
#include <memory>
#include <system_error>

namespace zedops::host {

std::string errno_text(int error) { return std::generic_category().message(error); }

unique_fd open_dir_at(int dir, const char* name) {
  return unique_fd(::openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

namespace {

std::string why(int dir, const char* name, int error) {
  if (error == ESTALE)
    return errno_text(error) +
           ": the server of that network disk has forgotten it; unmount it (umount -l) and mount it";
  struct stat info {};
  if (error != EACCES || ::fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return errno_text(error);
  return fmt::format("it belongs to user {}, mode {:04o}, and user {} of the agent may not read it", info.st_uid,
                     info.st_mode & 07777, ::geteuid());
}

}  // namespace

std::string why_not_opened(int dir, const char* name, const std::string& path, int error) {
  char target[4096];
  const auto size = error == ENOTDIR || error == ELOOP ? ::readlinkat(dir, name, target, sizeof target) : -1;
  if (size < 0) return path + ": " + why(dir, name, error);
  return fmt::format(
      "{} is a symbolic link to {}, and links are not followed: move the data with zedctl server move, mount it there "
      "(mount --bind), or create the server with --data-path",
      path, std::string_view(target, static_cast<size_t>(size)));
}

std::vector<std::string> relative_parts(std::string_view path) {
  std::vector<std::string> parts;
  for (size_t from = 0; from < path.size();) {
    auto to = std::min(path.find('/', from), path.size());
    auto part = path.substr(from, to - from);
    if (part.empty() || part == "." || part == ".." || part.find('\0') != part.npos) return {};
    parts.emplace_back(part);
    from = to + 1;
  }
  return parts;
}

std::string read_marker(int dir) {
  unique_fd file(::openat(dir, marker_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return {};
  char text[512];
  auto size = ::read(file.get(), text, sizeof text);
  if (size < 0) return {};
  errno = 0;
  std::string_view line(text, static_cast<size_t>(size));
  return std::string(line.substr(0, line.find('\n')));
}

msg::result<unique_fd> open_root(const data_root& root) {
  const auto& path = root.data_path;
  if (root.owner.empty() || path.empty() || path.front() != '/')
    return msg::fail(msg::ec::bad_request, fmt::format("data root '{}' is not absolute or has no owner", path),
                     "set data_path to an absolute folder");
  auto remedy = fmt::format("mount the disk that belongs to {}, or correct data_path; then check the data again", path);
  unique_fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return msg::fail(msg::ec::data_unknown, fmt::format("data root {}: {}", path, errno_text(errno)), remedy);
  auto owner = read_marker(fd.get());
  if (owner == root.owner) return fd;
  if (!owner.empty())
    return msg::fail(msg::ec::data_unknown,
                     fmt::format("data root {} belongs to {}, not to {}", path, owner, root.owner),
                     fmt::format("use another data_path; or, if this agent lost its state folder, give it its id "
                                 "back: start it with --identity {}",
                                 owner));
  auto why = errno == ENOENT ? "is missing" : errno ? "cannot be read: " + errno_text(errno) : "is empty";
  return msg::fail(msg::ec::data_unknown, fmt::format("data root {}: its marker {} {}", path, marker_name, why),
                   remedy);
}

bool is_mount_root(int dir, int parent) {
  struct statx info {};
  if (::statx(dir, "", AT_EMPTY_PATH, STATX_INO, &info) == 0 && (info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
    return info.stx_attributes & STATX_ATTR_MOUNT_ROOT;
  struct stat own {
  }, above{};
  return ::fstat(dir, &own) != 0 || ::fstat(parent, &above) != 0 || own.st_dev != above.st_dev;
}

int rename_checked(int from_dir, const char* from, int to_dir, const char* to) {
  struct stat info {};
  if (::fstatat(from_dir, from, &info, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (!S_ISDIR(info.st_mode)) {  // a link is made or refused in one step
    if (::linkat(from_dir, from, to_dir, to, 0) != 0) return errno;
    return ::unlinkat(from_dir, from, 0) == 0 ? 0 : errno;
  }
  if (::fstatat(to_dir, to, &info, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  if (errno != ENOENT) return errno;
  return ::renameat(from_dir, from, to_dir, to) == 0 ? 0 : errno;  // onto a directory with content it fails, too
}

int rename_new(int from_dir, const char* from, int to_dir, const char* to) {
  if (::renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0) return 0;
  const bool cannot = errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
  return cannot ? rename_checked(from_dir, from, to_dir, to) : errno;
}

uint64_t data_bytes(int fd, uint64_t size) {
  uint64_t bytes = 0;
  for (off_t at = 0; at < static_cast<off_t>(size);) {
    const auto data = ::lseek(fd, at, SEEK_DATA);
    if (data < 0) return errno == ENXIO ? bytes : size;  // nothing but a hole; or holes are not reported here
    const auto hole = ::lseek(fd, data, SEEK_HOLE);
    if (hole < 0) return size;
    bytes += static_cast<uint64_t>(hole - data);
    at = hole;
  }
  return bytes;
}

int list_dir(int dir, const std::function<bool(const char*, bool)>& visit) {
  // A descriptor of its own: the stream owns it, and the position of the caller's is not moved.
  int own = ::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return errno;
  auto close_stream = [](DIR* stream) { ::closedir(stream); };
  std::unique_ptr<DIR, decltype(close_stream)> stream(::fdopendir(own), close_stream);
  if (!stream) {
    int error = errno;
    ::close(own);
    return error;
  }
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (!entry) return errno;
    const char* name = entry->d_name;
    if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) continue;
    bool is_dir = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
      struct stat info {};
      if (::fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;
        return errno;
      }
      is_dir = S_ISDIR(info.st_mode);
    }
    if (!visit(name, is_dir)) return 0;
  }
}

namespace {

struct walker {
  uint64_t entries_max;
  const std::function<bool(int, const char*, bool)>& visit;
  walk_outcome out;
  bool cut = false;

  void note(const std::string& path, const std::string& why) {
    if (out.error.empty()) out.error = path.empty() ? why : path + ": " + why;
  }

  bool entry(int dir, const std::string& path, unsigned depth, const char* name, bool is_dir) {
    if (out.entries == entries_max) {
      note({}, fmt::format("more than {} entries", entries_max));
      cut = true;
      return false;
    }
    ++out.entries;
    if (!visit(dir, name, is_dir)) {
      out.stopped = true;
      return false;
    }
    if (!is_dir) return true;
    auto child_path = path.empty() ? std::string(name) : path + "/" + name;
    if (depth == tree_depth_max) {
      note(child_path, fmt::format("more than {} directories deep", tree_depth_max));
      return true;
    }
    auto child = open_dir_at(dir, name);
    if (child) descend(child.get(), child_path, depth + 1);
    else if (errno != ENOENT) note(child_path, errno_text(errno));
    return !out.stopped && !cut;
  }

  void descend(int dir, const std::string& path, unsigned depth) {
    int error = list_dir(dir, [&](const char* name, bool is_dir) { return entry(dir, path, depth, name, is_dir); });
    if (error) note(path, errno_text(error));
  }
};

}  // namespace

walk_outcome walk(int dir, uint64_t entries_max, const std::function<bool(int, const char*, bool)>& visit) {
  walker w{entries_max, visit, {}};
  w.descend(dir, {}, 1);
  return std::move(w.out);
}

tree_size measure(int dir, std::string* error) {
  tree_size size;
  auto outcome = walk(dir, size_entries_max, [&](int at, const char* name, bool is_dir) {
    struct stat info {};
    if (!is_dir && ::fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
      size.bytes += static_cast<uint64_t>(info.st_size);
    return true;
  });
  size.entries = outcome.entries;
  size.complete = outcome.error.empty();
  if (error) *error = outcome.error;
  return size;
}

}  // namespace zedops::host
