#include "bus/security/guarded_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

namespace zedops::bus {

msg::result<std::string> read_guarded(const std::filesystem::path& file, size_t bytes_max) {
  const auto unreadable = [&] {
    return msg::fail(msg::ec::forbidden, "cannot read " + file.string() + ": " + std::strerror(errno),
                     "make it readable for this user");
  };
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) {
    if (errno == ENOENT) return std::string{};
    return unreadable();
  }
  if ((info.st_mode & 022) != 0)
    return msg::fail(msg::ec::forbidden, "others may write " + file.string() + " and so grant access to anyone",
                     "chmod 600 " + file.string());
  if (info.st_size > static_cast<off_t>(bytes_max))
    return msg::fail(msg::ec::too_large, file.string() + " is larger than such a file can be", "check what is in it");
  std::ifstream in(file);
  std::ostringstream text;
  if (!in || (info.st_size > 0 && !(text << in.rdbuf()))) return unreadable();
  return std::move(text).str();
}

msg::result<void> write_guarded(const std::filesystem::path& file, const std::string& text) {
  const auto part = file.string() + ".new";
  const auto failed = [&](const char* doing) {
    const auto why = std::string(std::strerror(errno));
    ::unlink(part.c_str());
    return msg::fail(msg::ec::forbidden, std::string("cannot ") + doing + " " + file.string() + ": " + why,
                     "check the directory's owner, mode and free space");
  };
  struct stat before {};
  const bool replaces = ::stat(file.c_str(), &before) == 0;
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed("write");
  bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  // Root may change the file of a manager that runs as another user.
  if (ok && ::geteuid() == 0) {
    struct stat dir {};
    const auto& owner = replaces ? before : dir;
    if (!replaces && ::stat(file.parent_path().c_str(), &dir) != 0) ok = false;
    ok = ok && ::fchown(fd, owner.st_uid, owner.st_gid) == 0;
  }
  ::close(fd);
  if (!ok) return failed("write");
  if (::rename(part.c_str(), file.c_str()) != 0) return failed("replace");
  const int dir = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ok = dir >= 0 && ::fsync(dir) == 0;
  if (dir >= 0) ::close(dir);
  if (!ok) return failed("sync");
  return {};
}

msg::result<void> while_locked(const std::filesystem::path& file, const std::function<msg::result<void>()>& how) {
  // A lock of its own: the file itself is replaced.
  const auto lock = file.string() + ".lock";
  const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return msg::fail(msg::ec::forbidden, "cannot change " + file.string() + ": " + std::strerror(errno),
                     "check the directory's owner and mode");
  struct stat dir {};
  if (::geteuid() == 0 && ::stat(file.parent_path().c_str(), &dir) == 0 && ::fchown(fd, dir.st_uid, dir.st_gid) != 0) {
    // it stays root's then: the manager's own user gets an error when it needs the lock
  }
  // Its holder writes one small file. A holder that was stopped in the middle must not stop the manager as well.
  constexpr std::chrono::milliseconds patience(1'000), look(5);
  const auto until = std::chrono::steady_clock::now() + patience;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() >= until) {
      ::close(fd);
      return msg::fail(msg::ec::busy, "another process is changing " + file.string(), "try again in a moment");
    }
    std::this_thread::sleep_for(look);
  }
  auto done = how();
  ::close(fd);
  return done;
}

file_stamp stamp_of(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return {};
  return {static_cast<int64_t>(info.st_ctim.tv_sec) * 1'000'000'000 + info.st_ctim.tv_nsec, info.st_ino, info.st_size};
}

}  // namespace zedops::bus
