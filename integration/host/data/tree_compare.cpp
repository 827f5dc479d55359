// The proof of a copy: compares two trees, entry by entry. Shares nothing with the copying but the hashes of its reads.
#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <map>
#include <memory>

#include "integration/host/data/tree_copy.hpp"

namespace zedops::host {
namespace {

constexpr size_t buffer_bytes = 1 << 20;

tl::unexpected<msg::error> differs(const std::string& path, const std::string& what) {
  return msg::fail(msg::ec::internal,
                   fmt::format("the copy of {} differs from the original: {}", path.empty() ? "the data" : path, what),
                   "nothing was lost: the original is as it was; check the target's disk, and that nothing else writes "
                   "to the data");
}

// Some file systems keep whole seconds only, or every second one.
bool same_mtime(const timespec& original, const timespec& copy) {
  if (original.tv_sec == copy.tv_sec && original.tv_nsec == copy.tv_nsec) return true;
  return copy.tv_nsec == 0 && original.tv_sec - copy.tv_sec >= 0 && original.tv_sec - copy.tv_sec < 2;
}

class comparer {
 public:
  comparer(const copied_tree& copied, const copy_progress& progress)
      : copied_(copied), progress_(progress), buffer_(buffer_bytes) {}

  msg::result<void> dir(int original, int copy, const std::string& path) {
    std::vector<std::string> names, copies;
    if (int error = sorted_names(original, names)) return copy_trouble(path, error);
    if (int error = sorted_names(copy, copies)) return copy_trouble(path, error);
    if (names != copies) return differs(path, "its entries");
    for (const auto& name : names)
      if (auto ok = entry(original, copy, path.empty() ? name : path + "/" + name, name); !ok) return ok;
    return {};
  }

  msg::result<void> at_end() const {
    if (next_ != copied_.hashes.size()) return differs({}, "the number of files has changed");
    return {};
  }

 private:
  msg::result<void> entry(int original, int copy, const std::string& path, const std::string& name) {
    struct stat a {
    }, b{};
    if (::fstatat(original, name.c_str(), &a, AT_SYMLINK_NOFOLLOW) != 0 ||
        ::fstatat(copy, name.c_str(), &b, AT_SYMLINK_NOFOLLOW) != 0)
      return copy_trouble(path, errno);
    if ((a.st_mode & S_IFMT) != (b.st_mode & S_IFMT)) return differs(path, "its file type");
    if (!S_ISLNK(a.st_mode) && (a.st_mode & 07777) != (b.st_mode & 07777)) return differs(path, "its mode");
    if (a.st_uid != b.st_uid || a.st_gid != b.st_gid) return differs(path, "its owner");
    if (!same_mtime(a.st_mtim, b.st_mtim)) return differs(path, "its modification time");
    if (S_ISDIR(a.st_mode)) {
      auto from = open_dir_at(original, name.c_str());
      auto to = open_dir_at(copy, name.c_str());
      if (!from || !to) return copy_trouble(path, errno);
      return dir(from.get(), to.get(), path);
    }
    if (S_ISLNK(a.st_mode)) return link(original, copy, path, name);
    if (a.st_size != b.st_size) return differs(path, fmt::format("{} bytes instead of {}", b.st_size, a.st_size));
    if (a.st_nlink > 1) {
      auto [known, fresh] = twins_.try_emplace({a.st_dev, a.st_ino}, b.st_ino);
      if (!fresh) return known->second == b.st_ino ? msg::result<void>{} : differs(path, "it is no longer a hard link");
    }
    return file(copy, path, name);
  }

  msg::result<void> link(int original, int copy, const std::string& path, const std::string& name) {
    char a[PATH_MAX], b[PATH_MAX];
    const auto m = ::readlinkat(original, name.c_str(), a, sizeof a);
    const auto n = ::readlinkat(copy, name.c_str(), b, sizeof b);
    if (m < 0 || n < 0) return copy_trouble(path, errno);
    if (std::string_view(a, static_cast<size_t>(m)) != std::string_view(b, static_cast<size_t>(n)))
      return differs(path, "its link points elsewhere");
    return {};
  }

  msg::result<void> file(int copy, const std::string& path, const std::string& name) {
    unique_fd fd(::openat(copy, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd) return copy_trouble(path, errno);
    // The copy was written to the disk before: dropped from the cache, it is read from the disk now, not from memory.
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state{XXH3_createState(), XXH3_freeState};
    XXH3_128bits_reset(state.get());
    for (;;) {
      const auto got = ::read(fd.get(), buffer_.data(), buffer_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return copy_trouble(path, errno);
      if (got == 0) break;
      XXH3_128bits_update(state.get(), buffer_.data(), static_cast<size_t>(got));
      bytes_ += static_cast<uint64_t>(got);
      if (!progress_(copy_phase::verifying, bytes_)) return msg::fail(msg::ec::cancelled, "the copy was stopped");
    }
    const auto hash = XXH3_128bits_digest(state.get());
    if (next_ >= copied_.hashes.size()) return differs(path, "it has appeared since");
    const auto& wanted = copied_.hashes[next_++];
    if (wanted[0] != hash.high64 || wanted[1] != hash.low64) return differs(path, "its content");
    return {};
  }

  const copied_tree& copied_;
  const copy_progress& progress_;
  std::vector<char> buffer_;
  std::map<std::pair<dev_t, ino_t>, ino_t> twins_;  // names of one file in the original, one file in the copy
  size_t next_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace

msg::result<void> compare_content(int from, int to, const copied_tree& copied, const copy_progress& progress) {
  comparer c(copied, progress);
  if (auto ok = c.dir(from, to, {}); !ok) return ok;
  return c.at_end();
}

}  // namespace zedops::host
