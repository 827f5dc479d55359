// Making the root with its marker, and a server's directories.
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cstring>

#include "integration/host/files.hpp"
#include "messages/base/names.hpp"

namespace zedops::host {
namespace {

constexpr char marker_draft[] = ".zedops-data-root.new";

msg::ec code_of(int error) {
  if (error == ENOSPC || error == EDQUOT) return msg::ec::store_full;
  if (error == EACCES || error == EPERM || error == EROFS) return msg::ec::forbidden;
  return msg::ec::internal;
}

tl::unexpected<msg::error> failed(const std::string& doing, int error) {
  const char* remedy = error == ENOSPC || error == EDQUOT  ? "free space on that disk"
                       : error == EROFS                    ? "mount that disk for writing"
                       : error == EACCES || error == EPERM ? "give the agent's user the right to write there"
                                                           : "look at that path on the host";
  return msg::fail(code_of(error), fmt::format("{}: {}", doing, errno_text(error)), remedy);
}

// Makes every missing parent. Returns 0 or errno.
int make_path(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    if (::mkdir(path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST) return errno;
    if (slash == path.npos) return 0;
  }
}

// Complete or absent: written under another name, then linked to its name, which never replaces another marker.
int write_marker(int dir, const std::string& owner) {
  ::unlinkat(dir, marker_draft, 0);
  unique_fd file(::openat(dir, marker_draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return errno;
  auto text =
      owner + "\nThe data root of zedops on this disk; without this file its servers' data counts as unknown.\n";
  auto written = ::write(file.get(), text.data(), text.size());
  if (written < 0) return errno;
  if (static_cast<size_t>(written) != text.size()) return ENOSPC;
  if (::fsync(file.get()) != 0) return errno;
  if (int error = rename_new(dir, marker_draft, dir, marker_name)) return error;
  return ::fsync(dir) != 0 ? errno : 0;
}

bool nothing_in(int dir, int* error) {
  bool nothing = true;
  *error = list_dir(dir, [&](const char* name, bool) {
    nothing = std::strcmp(name, "lost+found") == 0 || std::strcmp(name, marker_draft) == 0;
    return nothing;
  });
  return nothing;
}

// The directory `name` in `dir`, made when missing.
struct made_dir {
  unique_fd fd;
  bool created = false;
};

msg::result<made_dir> make_dir(int dir, const std::string& name, const std::string& path) {
  bool created = ::mkdirat(dir, name.c_str(), 0755) == 0;
  if (!created && errno != EEXIST) return failed("making " + path, errno);
  auto fd = open_dir_at(dir, name.c_str());
  if (!fd && (errno == ENOTDIR || errno == ELOOP))
    return msg::fail(msg::ec::data_unknown, why_not_opened(dir, name.c_str(), path, errno), "make it a directory");
  if (!fd) return failed("opening " + path, errno);
  // The process's umask must not decide what the game can read.
  if (created && ::fchmod(fd.get(), 0755) != 0) return failed("setting the mode of " + path, errno);
  return made_dir{std::move(fd), created};
}

bool is_mine(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && info.st_uid == ::geteuid();
}

bool is_empty(int fd) {
  bool content = false;
  (void)walk(fd, 1, [&](int, const char*, bool) {
    content = true;
    return false;
  });
  return !content;
}

}  // namespace

std::string owner_of_root(const std::string& data_path) {
  unique_fd dir(::open(data_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return dir ? read_marker(dir.get()) : std::string{};
}

msg::result<root_made> prepare_root(const data_root& root) {
  const auto& path = root.data_path;
  if (auto ok = msg::check_data_path(path); !ok) return msg::fail(ok.error());
  if (root.owner.empty() || root.owner.find('\n') != root.owner.npos)
    return msg::fail(msg::ec::bad_request, "a data root needs the id of its owner", "enrol the agent first");
  if (int error = make_path(path)) return failed("making data root " + path, error);
  unique_fd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return failed("opening data root " + path, errno);
  if (read_marker(dir.get()) == root.owner) return root_made::existed;

  int error = 0;
  if (!nothing_in(dir.get(), &error)) {
    auto opened = open_root(root);  // for its error: another owner's marker, or none
    if (!opened && !read_marker(dir.get()).empty()) return msg::fail(std::move(opened.error()));
    auto why = opened ? std::string("it changed meanwhile") : opened.error().message;
    return msg::fail(msg::ec::data_unknown,
                     fmt::format("{} is not empty and was not made by this agent: {}", path, why),
                     fmt::format("mount the right disk, choose an empty folder, or, to take this data over, write {} "
                                 "into {}/{}",
                                 root.owner, path, marker_name));
  }
  if (error) return failed("reading data root " + path, error);
  error = write_marker(dir.get(), root.owner);
  if (error == EEXIST && read_marker(dir.get()) == root.owner) return root_made::existed;  // two at once
  if (error) return failed("marking data root " + path, error);
  return root_made::created;
}

msg::result<unsigned> make_dirs(const dirs_request& request) {
  if (auto ok = msg::check_server_name(request.name); !ok) return msg::fail(ok.error());
  auto root = open_root(request.root);
  if (!root) return msg::fail(root.error());
  auto server_path = request.root.data_path + "/" + request.name;
  auto server = make_dir(root->get(), request.name, server_path);
  if (!server) return msg::fail(server.error());
  unsigned count = server->created;
  for (const auto& dir : request.dirs) {
    auto parts = relative_parts(dir);
    if (parts.empty())
      return msg::fail(msg::ec::bad_request, fmt::format("directory '{}' is not a path below {}", dir, server_path),
                       "correct the template's directories");
    made_dir at;
    auto path = server_path;
    for (const auto& part : parts) {
      path += "/" + part;
      auto next = make_dir(at.fd ? at.fd.get() : server->fd.get(), part, path);
      if (!next) return msg::fail(next.error());
      at = std::move(*next);
      count += at.created;
    }
    // Also for one that existed: a crash between mkdir and chown would leave it with the wrong owner for ever.
    auto uid = request.uid.value_or(static_cast<uid_t>(-1));
    auto gid = request.gid.value_or(static_cast<gid_t>(-1));
    if (request.owned == ownership::of_empty_ones && !(is_mine(at.fd.get()) && is_empty(at.fd.get()))) continue;
    if ((request.uid || request.gid) && ::fchown(at.fd.get(), uid, gid) != 0)
      return failed("setting the owner of " + path, errno);
  }
  return count;
}

}  // namespace zedops::host
