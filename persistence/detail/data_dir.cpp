#include "persistence/detail/data_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>
#include <vector>

namespace zedops::store::detail {

using msg::ec;
using msg::fail;

msg::error io_error(int number, const std::string& what) {
  const std::string cause = what + ": " + std::strerror(number);
  if (number == ENOSPC || number == EDQUOT)
    return {ec::store_full, cause, "free space on the file system of the data directory", {}};
  if (number == EACCES || number == EPERM || number == EROFS)
    return {ec::forbidden,
            cause,
            "give it to the user that runs the manager (chown), or run this as the owner of the data directory",
            {}};
  if (number == EIO)
    return {ec::internal,
            cause,
            "the disk failed: check the system log; it may be necessary to restore a backup on another disk",
            {}};
  if (number == ENOENT || number == ENOTDIR) return {ec::not_found, cause, "check the path", {}};
  return {ec::internal, cause, "check the system log", {}};
}

void give_to_dir_owner(const std::filesystem::path& file) {
  if (::geteuid() != 0) return;
  struct stat dir {
  }, s{};
  const auto parent = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  if (::stat(parent.c_str(), &dir) || ::lstat(file.c_str(), &s) || !S_ISREG(s.st_mode) || s.st_uid == dir.st_uid)
    return;
  // A failure here shows at the start that may not open the file.
  if (::lchown(file.c_str(), dir.st_uid, dir.st_gid)) return;
}

fd_owner::~fd_owner() {
  if (fd_ >= 0) ::close(fd_);
}

namespace {

struct open_dirs {
  std::mutex mutex;
  std::set<std::pair<uint64_t, uint64_t>> ids;
};
open_dirs& dirs() {
  static open_dirs d;
  return d;
}

std::string read_start(int fd) {
  char text[64] = {};
  const ssize_t n = ::pread(fd, text, sizeof text - 1, 0);
  return std::string(text, n > 0 ? static_cast<size_t>(n) : 0);
}

last_run parse_last_run(const std::string& text, bool has_data) {
  if (text.starts_with("clean")) return last_run::clean;
  if (text.starts_with("creating")) return last_run::creating;
  if (text.empty() && !has_data) return last_run::none;
  return last_run::crashed;
}

}  // namespace

result<process_claim> process_claim::take(const std::filesystem::path& dir) {
  struct stat s {};
  if (::stat(dir.c_str(), &s)) return fail(io_error(errno, "data directory " + dir.string()));
  process_claim claim;
  auto& d = dirs();
  const std::lock_guard guard(d.mutex);
  const std::pair<uint64_t, uint64_t> id{s.st_dev, s.st_ino};
  if (!d.ids.insert(id).second)
    return fail(ec::busy, "this process has already opened the store in " + dir.string(), "use the open one");
  claim.id_ = id;
  return claim;
}

process_claim::~process_claim() {
  if (id_.second == 0) return;
  auto& d = dirs();
  const std::lock_guard guard(d.mutex);
  d.ids.erase(id_);
}

result<dir_lock> dir_lock::take(const std::filesystem::path& dir) {
  std::error_code error;
  if (!std::filesystem::exists(dir, error) && std::filesystem::create_directories(dir, error))
    std::filesystem::permissions(dir, std::filesystem::perms::owner_all, error);
  if (error) return fail(io_error(error.value(), "data directory " + dir.string()));
  dir_lock lock;
  lock.path_ = dir / lock_file;
  lock.fd_ = fd_owner(::open(lock.path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.fd_) return fail(io_error(errno, lock.path_.string()));
  if (::flock(lock.fd_.get(), LOCK_EX | LOCK_NB)) {
    if (errno != EWOULDBLOCK) return fail(io_error(errno, lock.path_.string()));
    const auto text = read_start(lock.fd_.get());
    const auto space = text.find(' ');
    const auto pid = space == std::string::npos
                         ? "unknown"
                         : text.substr(space + 1, text.find_first_of(" \n", space + 1) - space - 1);
    return fail(ec::busy, "another manager (pid " + pid + ") uses " + dir.string(),
                "stop it, or give this one another --data-dir");
  }
  give_to_dir_owner(lock.path_);
  lock.found_ = parse_last_run(read_start(lock.fd_.get()), std::filesystem::exists(dir / data_file, error));
  return lock;
}

namespace {
// Always the same length, written in place: it needs no new disk space, so a full disk cannot stop a start.
bool write_state(int fd, std::string text) {
  text.resize(31, ' ');
  text += '\n';
  return ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}
}  // namespace

result<void> dir_lock::say(const char* state) {
  if (!write_state(fd_.get(), state + std::to_string(::getpid()))) return fail(io_error(errno, path_.string()));
  return {};
}

void dir_lock::say_clean() {
  // A failure leaves something else than "clean" behind: the next start verifies once too often, that is all.
  if (fd_) write_state(fd_.get(), "clean");
}

bool reserve_space::hold() {
  if (bytes_ == 0) return true;
  const fd_owner fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return errno != ENOSPC && errno != EDQUOT;
  if (::fallocate(fd.get(), 0, 0, static_cast<off_t>(bytes_)) == 0) return true;
  const int number = errno;
  if (::ftruncate(fd.get(), 0)) return false;
  return number != ENOSPC && number != EDQUOT;  // a file system without fallocate has no reserve, but works
}

void reserve_space::give_up() {
  if (bytes_ == 0) return;
  if (::truncate(path_.c_str(), 0)) return;  // nothing held: nothing to give up
}

void lengthen_with_zeros(const std::filesystem::path& file, uint64_t bytes) {
  const std::vector<char> zeros(64 << 10);
  const fd_owner fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st)) return;
  for (auto at = static_cast<uint64_t>(st.st_size); at < bytes;) {
    const auto n =
        ::pwrite(fd.get(), zeros.data(), std::min<uint64_t>(zeros.size(), bytes - at), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      (void)!::ftruncate(fd.get(), st.st_size);  // longer than needed is harmless
      return;
    }
    at += static_cast<uint64_t>(n);
  }
}

}  // namespace zedops::store::detail
