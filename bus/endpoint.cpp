#include "bus/endpoint.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace zedops::bus {
namespace {

constexpr std::string_view ipc_scheme = "ipc://", tcp_scheme = "tcp://";

std::string reason(int error) { return std::strerror(error); }

// 0 when a process accepts connections at `path`, else the error number.
int try_connect(const std::filesystem::path& path) {
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  int error = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  ::close(fd);
  return error == EAGAIN ? 0 : error;  // a full backlog: the listener is busy
}

std::string owner_of(int lock_fd) {
  char text[32] = {};
  auto n = ::pread(lock_fd, text, sizeof text - 1, 0);
  return n > 0 ? "process " + std::string(text, static_cast<size_t>(n)) : "another process";
}

}  // namespace

msg::result<std::filesystem::path> ipc_path(const std::string& uri) {
  if (uri.starts_with(tcp_scheme))
    return msg::fail(msg::ec::bad_request, "a tcp endpoint needs CURVE keys and none are configured: " + uri,
                     "use an ipc:// endpoint; plain tcp is refused because anyone on the network could send requests");
  if (!uri.starts_with(ipc_scheme))
    return msg::fail(msg::ec::bad_request, "not an endpoint: '" + uri + "'",
                     "write it as ipc:///absolute/path, for example ipc:///run/zedops/clients.ipc");
  std::string path = uri.substr(ipc_scheme.size());
  if (path.empty() || path[0] != '/' || path.back() == '/' || path.find('\0') != std::string::npos)
    return msg::fail(
        msg::ec::bad_request, "an ipc endpoint needs the absolute path of a socket: '" + uri + "'",
        "write it as ipc:///absolute/path; names that start with @ have no file permissions and are refused");
  if (path.size() > ipc_path_max)
    return msg::fail(msg::ec::bad_request,
                     "the path of an ipc endpoint has " + std::to_string(path.size()) + " bytes; the system allows " +
                         std::to_string(ipc_path_max) + ": " + path,
                     "choose a shorter runtime directory (--runtime-dir)");
  return std::filesystem::path(path);
}

msg::result<void> usable(const std::string& uri, bool has_keys) {
  if (is_tcp(uri) && has_keys) return {};
  auto path = ipc_path(uri);
  if (!path) return msg::fail(path.error());
  return {};
}

msg::result<void> probe(const address& to) {
  const auto& uri = to.uri;
  if (auto ok = usable(uri, !to.manager_key.empty()); !ok) return ok;
  if (is_tcp(uri)) return {};  // whether a manager answers shows when it is dialled
  auto path = ipc_path(uri);
  if (!path) return msg::fail(path.error());
  int error = try_connect(*path);
  if (error == 0) return {};
  if (error == EACCES || error == EPERM)
    return msg::fail(msg::ec::forbidden, "no permission to open " + uri,
                     "run as root, or join the group that owns " + path->string());
  return msg::fail(
      msg::ec::agent_unreachable,
      "no manager answers at " + uri + (error == ENOENT ? " (no such socket)" : " (" + reason(error) + ")"),
      "start zedops-manager, or name its endpoint with --endpoint or ZEDCTL_ENDPOINT");
}

msg::result<void> ensure_runtime_dir(const std::filesystem::path& dir) {
  constexpr mode_t group_may_enter = 0750;
  struct stat info {};
  if (::stat(dir.c_str(), &info) == 0) {
    if (!S_ISDIR(info.st_mode))
      return msg::fail(msg::ec::bad_request, dir.string() + " is not a directory", "choose another --runtime-dir");
    // A user who may write there can replace our socket with another; not in a sticky folder.
    if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0)
      return msg::fail(msg::ec::forbidden, "every user may write to the runtime directory " + dir.string(),
                       "run chmod o-w " + dir.string() + ", or choose another --runtime-dir");
    return {};
  }
  std::error_code ignored;
  if (dir.has_parent_path()) std::filesystem::create_directories(dir.parent_path(), ignored);
  if (::mkdir(dir.c_str(), group_may_enter) == 0 && ::chmod(dir.c_str(), group_may_enter) == 0) return {};
  if (errno == EEXIST) return {};
  return msg::fail(errno == EACCES ? msg::ec::forbidden : msg::ec::bad_request,
                   "cannot make the runtime directory " + dir.string() + ": " + reason(errno),
                   "make it writable for this user, or choose another with --runtime-dir");
}

msg::result<endpoint_claim> endpoint_claim::take(const std::string& uri) {
  auto path = ipc_path(uri);
  if (!path) return msg::fail(path.error());
  auto in_use = [&](const std::string& owner) {
    return msg::fail(msg::ec::already_exists, owner + " already listens at " + uri,
                     "stop that manager first, or give this one a runtime directory of its own (--runtime-dir)");
  };
  std::string lock_path = path->string() + ".lock";
  int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return msg::fail(errno == EACCES ? msg::ec::forbidden : msg::ec::bad_request,
                     "cannot listen at " + uri + ": " + lock_path + ": " + reason(errno),
                     "the directory must exist and be writable for this user");
  endpoint_claim claim(*path, fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return in_use(owner_of(fd));
  std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0)
    return msg::fail(msg::ec::internal, "cannot write " + lock_path + ": " + reason(errno), "check its free space");
  // A program that listens without our lock is no manager of ours, but its socket must not be removed either.
  if (try_connect(*path) == 0) return in_use("another program");
  struct stat info {};
  if (::lstat(path->c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode))
      return msg::fail(msg::ec::bad_request, path->string() + " exists and is not a socket",
                       "move it away, or choose another path for the endpoint");
    ::unlink(path->c_str());
  }
  return claim;
}

msg::result<void> endpoint_claim::guard() {
  constexpr mode_t owner_and_group = 0660;
  bound_ = true;
  if (::chmod(path_.c_str(), owner_and_group) == 0) return {};
  return msg::fail(msg::ec::forbidden, "cannot set the permissions of " + path_.string() + ": " + reason(errno),
                   "the socket must belong to the user of the manager");
}

endpoint_claim::endpoint_claim(endpoint_claim&& other) noexcept
    : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)), bound_(other.bound_) {}

endpoint_claim& endpoint_claim::operator=(endpoint_claim&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_fd_, other.lock_fd_);
  std::swap(bound_, other.bound_);
  return *this;
}

endpoint_claim::~endpoint_claim() {
  if (lock_fd_ < 0) return;
  if (bound_) ::unlink(path_.c_str());  // before the lock is released: afterwards it may be another manager's
  ::close(lock_fd_);
}

}  // namespace zedops::bus
