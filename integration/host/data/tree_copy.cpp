#include "integration/host/data/tree_copy.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <memory>

namespace zedops::host {

int sorted_names(int dir, std::vector<std::string>& names) {
  int error = list_dir(dir, [&](const char* name, bool) {
    names.emplace_back(name);
    return true;
  });
  std::sort(names.begin(), names.end());
  return error;
}

tl::unexpected<msg::error> copy_trouble(const std::string& path, const std::string& why) {
  return msg::fail(msg::ec::internal, fmt::format("copying {}: {}", path.empty() ? "the data" : path, why),
                   "nothing was lost: the original is as it was; look at that file, then repeat");
}

tl::unexpected<msg::error> copy_trouble(const std::string& path, int error) {
  if (error == ENOSPC || error == EDQUOT)
    return msg::fail(msg::ec::store_full, fmt::format("copying {}: {}", path, errno_text(error)),
                     "free space on the target's disk, or name another folder");
  if (error == EACCES || error == EPERM || error == EROFS)
    return msg::fail(msg::ec::forbidden, fmt::format("copying {}: {}", path, errno_text(error)),
                     "the agent must be able to read the data, write to the target and give files their owner");
  return copy_trouble(path, errno_text(error));
}

namespace {

constexpr size_t buffer_bytes = 1 << 20;
constexpr size_t attribute_bytes_max = 64 << 10;  // the kernel's own limit

struct hash_state {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state{XXH3_createState(), XXH3_freeState};
  hash_state() { XXH3_128bits_reset(state.get()); }
  void add(const char* data, size_t size) { XXH3_128bits_update(state.get(), data, size); }
  std::array<uint64_t, 2> value() const {
    const auto h = XXH3_128bits_digest(state.get());
    return {h.high64, h.low64};
  }
};

bool same_time(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

// ACLs and user attributes; the rest (SELinux labels, capabilities) belongs to the place, not to the data.
bool travels(std::string_view attribute) {
  return attribute.starts_with("user.") || attribute.starts_with("system.posix_acl_");
}

int copy_attributes(int from, int to) {
  std::vector<char> names(attribute_bytes_max);
  const auto size = ::flistxattr(from, names.data(), names.size());
  if (size < 0) return errno == ENOTSUP ? 0 : errno;
  std::vector<char> value;
  for (const char* name = names.data(); name < names.data() + size; name += std::char_traits<char>::length(name) + 1) {
    if (!travels(name)) continue;
    value.resize(attribute_bytes_max);
    const auto bytes = ::fgetxattr(from, name, value.data(), value.size());
    if (bytes < 0) return errno;
    if (::fsetxattr(to, name, value.data(), static_cast<size_t>(bytes), 0) != 0) return errno;
  }
  return 0;
}

// Owner before mode: a change of owner clears the set-id bits. Times last. Returns 0 or errno.
int dress(int from, int to, const struct stat& like) {
  struct stat now {};
  if (::fstat(to, &now) != 0) return errno;
  if ((now.st_uid != like.st_uid || now.st_gid != like.st_gid) && ::fchown(to, like.st_uid, like.st_gid) != 0)
    return errno;
  // Removes what the folder above gave it by its default ACL: it would be more open than the original.
  for (const char* acl : {"system.posix_acl_access", "system.posix_acl_default"})
    if (::fgetxattr(from, acl, nullptr, 0) < 0 && ::fremovexattr(to, acl) != 0 && errno != ENODATA && errno != ENOTSUP)
      return errno;
  if (::fchmod(to, like.st_mode & 07777) != 0) return errno;
  if (int error = copy_attributes(from, to)) return error;
  const timespec times[2] = {like.st_atim, like.st_mtim};
  return ::futimens(to, times) != 0 ? errno : 0;
}

class copier {
 public:
  copier(int top, const copy_progress& progress) : top_(top), progress_(progress), buffer_(buffer_bytes) {}

  msg::result<void> dir(int from, int to, const std::string& path, unsigned depth) {
    struct stat like {};
    if (::fstat(from, &like) != 0) return copy_trouble(path, errno);
    std::vector<std::string> names;
    if (int error = sorted_names(from, names)) return copy_trouble(path, error);
    for (const auto& name : names)
      if (auto ok = entry(from, to, path.empty() ? name : path + "/" + name, name, depth); !ok) return ok;
    if (int error = dress(from, to, like)) return copy_trouble(path, error);
    return {};
  }

  copied_tree out;

 private:
  msg::result<void> entry(int from, int to, const std::string& path, const std::string& name, unsigned depth) {
    struct stat info {};
    if (::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return copy_trouble(path, errno);
    if (++out.size.entries > size_entries_max)
      return copy_trouble({}, fmt::format("more than {} entries", size_entries_max));
    if (S_ISDIR(info.st_mode)) return sub_dir(from, to, path, name, depth);
    if (S_ISLNK(info.st_mode)) return link(from, to, path, name, info);
    if (!S_ISREG(info.st_mode)) return copy_trouble(path, "it is a special file");
    if (info.st_nlink > 1) {
      auto [first, fresh] = linked_.try_emplace({info.st_dev, info.st_ino}, path);
      if (!fresh) {
        if (::linkat(top_, first->second.c_str(), to, name.c_str(), 0) != 0) return copy_trouble(path, errno);
        return {};
      }
    }
    return file(from, to, path, name);
  }

  msg::result<void> sub_dir(int from, int to, const std::string& path, const std::string& name, unsigned depth) {
    if (depth == tree_depth_max)
      return copy_trouble(path, fmt::format("more than {} directories deep", tree_depth_max));
    auto source = open_dir_at(from, name.c_str());
    if (!source) return copy_trouble(path, errno);
    if (is_mount_root(source.get(), from)) return copy_trouble(path, "it is a mount point");
    if (::mkdirat(to, name.c_str(), 0700) != 0) return copy_trouble(path, errno);
    auto target = open_dir_at(to, name.c_str());
    if (!target) return copy_trouble(path, errno);
    return dir(source.get(), target.get(), path, depth + 1);
  }

  msg::result<void> link(int from, int to, const std::string& path, const std::string& name, const struct stat& info) {
    std::string text(static_cast<size_t>(info.st_size) + 1, '\0');
    const auto size = ::readlinkat(from, name.c_str(), text.data(), text.size());
    if (size < 0) return copy_trouble(path, errno);
    if (size > info.st_size) return copy_trouble(path, "it changed meanwhile");
    text.resize(static_cast<size_t>(size));
    if (::symlinkat(text.c_str(), to, name.c_str()) != 0) return copy_trouble(path, errno);
    struct stat made {};
    if (::fstatat(to, name.c_str(), &made, AT_SYMLINK_NOFOLLOW) != 0) return copy_trouble(path, errno);
    if ((made.st_uid != info.st_uid || made.st_gid != info.st_gid) &&
        ::fchownat(to, name.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
      return copy_trouble(path, errno);
    const timespec times[2] = {info.st_atim, info.st_mtim};
    if (::utimensat(to, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) return copy_trouble(path, errno);
    return {};
  }

  msg::result<void> file(int from, int to, const std::string& path, const std::string& name) {
    // Non-blocking: it may have been replaced by a pipe since it was looked at.
    unique_fd source(::openat(from, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!source) return copy_trouble(path, errno);
    struct stat before {
    }, after{};
    if (::fstat(source.get(), &before) != 0) return copy_trouble(path, errno);
    if (!S_ISREG(before.st_mode)) return copy_trouble(path, "it changed meanwhile");
    unique_fd target(::openat(to, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!target) return copy_trouble(path, errno);
    hash_state hash;
    const auto size = static_cast<uint64_t>(before.st_size);
    for (uint64_t data_left = 0;;) {
      if (data_left == 0) {
        auto next = skip_hole(source.get(), target.get(), size, hash);
        if (!next) return msg::fail(std::move(next.error()));
        data_left = *next;
      }
      const auto got = ::read(source.get(), buffer_.data(), std::min<uint64_t>(buffer_.size(), data_left));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return copy_trouble(path, errno);
      if (got == 0) break;
      data_left -= static_cast<uint64_t>(got);
      hash.add(buffer_.data(), static_cast<size_t>(got));
      if (int error = write_all(target.get(), static_cast<size_t>(got))) return copy_trouble(path, error);
      out.size.bytes += static_cast<uint64_t>(got);
      if (!progress_(copy_phase::copying, out.size.bytes)) return msg::fail(msg::ec::cancelled, "the copy was stopped");
    }
    if (::ftruncate(target.get(), static_cast<off_t>(size)) != 0)
      return copy_trouble(path, errno);  // it ends in a hole
    if (::fstat(source.get(), &after) != 0) return copy_trouble(path, errno);
    if (after.st_size != before.st_size || !same_time(after.st_mtim, before.st_mtim))
      return copy_trouble(path, "something writes to it");
    if (int error = dress(source.get(), target.get(), before)) return copy_trouble(path, error);
    out.hashes.push_back(hash.value());
    return {};
  }

  // A hole is hashed as the zeros that a read would give, and not written. Returns how much data may be read at once.
  msg::result<uint64_t> skip_hole(int source, int target, uint64_t size, hash_state& hash) {
    const auto at = ::lseek(source, 0, SEEK_CUR);
    auto data = ::lseek(source, at, SEEK_DATA);
    const bool all_hole = data < 0 && errno == ENXIO;
    if (data < 0 && !all_hole) return UINT64_MAX;  // holes are not reported here
    if (all_hole) data = std::max(at, static_cast<off_t>(size));
    if (data > at) std::fill(buffer_.begin(), buffer_.end(), '\0');
    for (auto left = data - at; left > 0;) {
      const auto n = std::min<off_t>(left, static_cast<off_t>(buffer_.size()));
      hash.add(buffer_.data(), static_cast<size_t>(n));
      out.size.bytes += static_cast<uint64_t>(n);
      if (!progress_(copy_phase::copying, out.size.bytes)) return msg::fail(msg::ec::cancelled, "the copy was stopped");
      left -= n;
    }
    if (data > at) (void)::lseek(target, data - at, SEEK_CUR);
    const auto end = ::lseek(source, data, SEEK_HOLE);
    (void)::lseek(source, data, SEEK_SET);
    return end > data ? static_cast<uint64_t>(end - data) : UINT64_MAX;
  }

  int write_all(int fd, size_t size) {
    for (size_t done = 0; done < size;) {
      const auto wrote = ::write(fd, buffer_.data() + done, size - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return errno;
      done += static_cast<size_t>(wrote);
    }
    return 0;
  }

  int top_;
  const copy_progress& progress_;
  std::vector<char> buffer_;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;  // files with several names, by the path of the first one
};

}  // namespace

msg::result<copied_tree> copy_content(int from, int to, const copy_progress& progress) {
  copier c(to, progress);
  if (auto ok = c.dir(from, to, {}, 1); !ok) return msg::fail(std::move(ok.error()));
  return std::move(c.out);
}

}  // namespace zedops::host
