#include "integration/host/data/data_move.hpp"

#include <fmt/format.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <set>

#include "integration/host/data/tree_copy.hpp"
#include "messages/base/names.hpp"

namespace zedops::host {
namespace {

constexpr const char* copy_name = "tree";  // within the operation's folder

msg::result<void> check_names(const copy_request& r) {
  if (auto ok = msg::check_server_name(r.name); !ok) return ok;
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (r.id.empty() || r.id.size() > 64 || !std::all_of(r.id.begin(), r.id.end(), plain))
    return msg::fail(msg::ec::bad_request, "a copy needs an id of letters, digits and underscores",
                     "give the operation's id");
  return {};
}

std::string folder_of(const copy_request& r) { return fmt::format(".zedops-moving-{}-{}", r.name, r.id); }

// The target's root, and in it the operation's folder if there is one.
struct places {
  unique_fd to, folder;
};

msg::result<places> open_places(const copy_request& r) {
  if (auto ok = check_names(r); !ok) return msg::fail(ok.error());
  auto to = open_root(r.to);
  if (!to) return msg::fail(std::move(to.error()));
  places p{std::move(*to), {}};
  p.folder = open_dir_at(p.to.get(), folder_of(r).c_str());
  if (!p.folder && errno != ENOENT)
    return msg::fail(msg::ec::data_unknown, fmt::format("{}/{}: {}", r.to.data_path, folder_of(r), errno_text(errno)),
                     "look at it on the host");
  return p;
}

enum class there { no, yes, failed };
there is_there(int dir, const char* name) {
  struct stat info {};
  if (::fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0) return there::yes;
  return errno == ENOENT ? there::no : there::failed;
}

tl::unexpected<msg::error> failed(const std::string& doing, int error) {
  return msg::fail(error == ENOSPC ? msg::ec::store_full : msg::ec::internal,
                   fmt::format("{}: {}", doing, errno_text(error)), "look at that path on the host, then repeat");
}

// Is the directory `inner`, or one above it, the same as `outer`? True when that cannot be seen.
bool within(int inner, int outer) {
  struct stat wanted {
  }, at{};
  if (::fstat(outer, &wanted) != 0) return true;
  unique_fd dir = open_dir_at(inner, ".");
  for (unsigned depth = 0; dir && depth < PATH_MAX / 2; ++depth) {
    if (::fstat(dir.get(), &at) != 0) return true;
    if (at.st_dev == wanted.st_dev && at.st_ino == wanted.st_ino) return true;
    auto above = open_dir_at(dir.get(), "..");
    struct stat up {};
    if (!above || ::fstat(above.get(), &up) != 0) return true;
    if (up.st_dev == at.st_dev && up.st_ino == at.st_ino) return false;  // the root of the file system
    dir = std::move(above);
  }
  return true;
}

std::string parent_of(const std::string& path) { return path.substr(0, std::max<size_t>(path.rfind('/'), 1)); }

std::string existing_part(std::string path) {
  while (path.size() > 1 && ::access(path.c_str(), F_OK) != 0) path = parent_of(path);
  return path;
}

// What prevents copying this tree, and the space that its copy takes.
struct survey {
  copy_size size;
  uint64_t room = 0;
  std::string obstacle;
};

// The copy has the holes of the original.
uint64_t room_of(int dir, const char* name, const struct stat& info) {
  const auto size = static_cast<uint64_t>(info.st_size);
  if (static_cast<uint64_t>(info.st_blocks) * 512 >= size) return size;
  unique_fd file(::openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  return file ? data_bytes(file.get(), size) : size;
}

// Why this process could not copy an entry, or keep its owner: found before anything is stopped. Root can.
std::string out_of_reach(int dir, const char* name, bool is_dir, const struct stat& info) {
  if (::faccessat(dir, name, is_dir ? R_OK | X_OK : R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) != 0)
    return fmt::format("{} in it may not be read by the agent's user", name);
  if (info.st_uid != ::geteuid())
    return fmt::format("{} in it belongs to user {}, and only root may give a copy to that user", name, info.st_uid);
  return {};
}

survey look_through(int tree) {
  survey s;
  const bool is_root = ::geteuid() == 0;
  std::set<std::pair<dev_t, ino_t>> linked;  // files with several names are copied once
  auto outcome = walk(tree, size_entries_max, [&](int at, const char* name, bool is_dir) {
    struct stat info {};
    if (::fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;  // vanished: the server runs
    ++s.size.entries;
    s.room += 4096;
    if (!is_root) s.obstacle = out_of_reach(at, name, is_dir, info);
    if (!s.obstacle.empty()) return false;
    if (is_dir) {
      auto child = open_dir_at(at, name);
      if (child && is_mount_root(child.get(), at)) s.obstacle = fmt::format("{} in it is a mount point", name);
    } else if (std::string_view(name) == marker_name) {
      s.obstacle = "it holds another data root";
    } else if (S_ISREG(info.st_mode)) {
      s.size.bytes += static_cast<uint64_t>(info.st_size);
      const bool counted = info.st_nlink > 1 && !linked.insert({info.st_dev, info.st_ino}).second;
      if (!counted) s.room += room_of(at, name, info);
    } else if (!S_ISLNK(info.st_mode)) {
      s.obstacle = fmt::format("{} in it is a special file (a pipe, a socket or a device)", name);
    }
    return s.obstacle.empty();
  });
  if (s.obstacle.empty() && !outcome.error.empty()) s.obstacle = outcome.error;
  return s;
}

msg::result<unique_fd> open_tree(const copy_request& r) {
  auto from = open_root(r.from);
  if (!from) return msg::fail(std::move(from.error()));
  const int root = from->get();
  auto tree = open_dir_at(root, r.name.c_str());
  const auto path = r.from.data_path + "/" + r.name;
  if (!tree && errno == ENOENT)
    return msg::fail(msg::ec::no_data, "there is no data in " + path, "restore it there, or check the disk");
  if (!tree) return msg::fail(msg::ec::data_unknown, path + ": " + errno_text(errno), "look at it on the host");
  if (is_mount_root(tree.get(), root))
    return msg::fail(msg::ec::forbidden, path + " is a mount point", "mount that disk elsewhere instead of moving");
  return tree;
}

// One tree that is copied, and its place within the copy; empty: it is the whole copy.
struct source {
  unique_fd tree;
  std::string path;
  std::string to;
};

msg::result<source> open_part(const copy_part& part) {
  // Through links, as the Engine does; a container may well have a mount point mounted.
  source s{unique_fd(::open(part.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), part.path, part.to};
  if (s.tree) return s;
  if (errno == ENOENT)
    return msg::fail(msg::ec::no_data, "there is no directory " + part.path, "restore it there, or check the disk");
  return msg::fail(errno == ENOTDIR ? msg::ec::bad_request : msg::ec::data_unknown,
                   part.path + ": " + errno_text(errno), "only a directory of this host can be taken over");
}

msg::result<std::vector<source>> open_sources(const copy_request& r) {
  std::vector<source> out;
  if (r.parts.empty()) {
    auto tree = open_tree(r);
    if (!tree) return msg::fail(std::move(tree.error()));
    out.push_back({std::move(*tree), r.from.data_path + "/" + r.name, {}});
  }
  for (const auto& part : r.parts) {
    if (relative_parts(part.to).empty())
      return msg::fail(msg::ec::bad_request, fmt::format("'{}' is not a path below the server's tree", part.to),
                       "correct the template's directories");
    auto s = open_part(part);
    if (!s) return msg::fail(std::move(s.error()));
    out.push_back(std::move(*s));
  }
  return out;
}

// The directory of the copy that this source becomes, made if it is missing.
msg::result<unique_fd> place_in(int copy, const source& s) {
  auto at = open_dir_at(copy, ".");
  for (const auto& part : relative_parts(s.to)) {
    if (::mkdirat(at.get(), part.c_str(), 0755) != 0 && errno != EEXIST) return failed("making " + s.to, errno);
    at = open_dir_at(at.get(), part.c_str());
    if (!at) return failed("opening " + s.to, errno);
  }
  return at;
}

copy_stage stage_of(const places& p) {
  if (!p.folder) return copy_stage::none;
  return is_there(p.folder.get(), copy_name) == there::no ? copy_stage::placed : copy_stage::partial;
}

// A move within one folder that has two names would end with the removal of what it has copied.
msg::result<void> check_other_root(const copy_request& r, int to) {
  auto from = open_root(r.from);
  if (!from) return msg::fail(std::move(from.error()));
  struct stat a {
  }, b{};
  if (::fstat(from->get(), &a) != 0 || ::fstat(to, &b) != 0) return failed("looking at the roots", errno);
  if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
    return msg::fail(msg::ec::bad_request, r.to.data_path + " is the folder that has the data already, by another name",
                     "name another folder");
  return {};
}

}  // namespace

msg::result<void> check_new_root(const std::string& path) {
  if (auto ok = msg::check_data_path(path); !ok) return ok;
  const auto existing = existing_part(path);
  char real[PATH_MAX];
  if (!::realpath(existing.c_str(), real)) return failed("looking at " + existing, errno);
  const std::string rest = path.substr(existing.size());
  const std::string target = std::string(real) + (rest.empty() || rest.front() == '/' ? rest : "/" + rest);
  if (target != path)
    if (auto ok = msg::check_data_path(target); !ok) {
      auto e = ok.error();
      e.message = path + " leads to " + target + ": " + e.message;
      return msg::fail(std::move(e));
    }
  for (auto above = parent_of(target); above.size() > 1; above = parent_of(above))
    if (is_there(AT_FDCWD, (above + "/" + marker_name).c_str()) != there::no && !owner_of_root(above).empty())
      return msg::fail(msg::ec::bad_request, path + " is within the data root " + above,
                       "name a folder beside it: what is within belongs to the servers there");
  return {};
}

msg::result<uint64_t> free_space_at(const std::string& path) {
  auto disk = disk_usage(existing_part(path));
  if (!disk) return msg::fail(std::move(disk.error()));
  return disk->free;
}

msg::result<copy_stage> look_at_copy(const copy_request& r) {
  auto p = open_places(r);
  if (!p) return msg::fail(std::move(p.error()));
  const auto stage = stage_of(*p);
  const auto path = r.to.data_path + "/" + r.name;
  switch (is_there(p->to.get(), r.name.c_str())) {
    case there::failed: return failed("looking at " + path, errno);
    case there::no: return stage == copy_stage::placed ? copy_stage::partial : stage;
    case there::yes: break;
  }
  if (stage == copy_stage::placed) return stage;
  return msg::fail(msg::ec::already_exists, path + " exists already, and is not the copy of this operation",
                   "it is left untouched: find out whose it is, move it away by hand, or name another folder");
}

msg::result<copy_size> check_copy(const copy_request& r) {
  auto p = open_places(r);
  if (!p) return msg::fail(std::move(p.error()));
  auto sources = open_sources(r);
  if (!sources) return msg::fail(std::move(sources.error()));
  copy_size size;
  uint64_t room = copy_spare_bytes;
  for (const auto& s : *sources) {
    if (within(p->to.get(), s.tree.get()))
      return msg::fail(msg::ec::bad_request, r.to.data_path + " is within the data that would be copied",
                       "name a folder outside of " + s.path);
    const auto found = look_through(s.tree.get());
    if (!found.obstacle.empty())
      return msg::fail(msg::ec::forbidden, fmt::format("{} cannot be copied: {}", s.path, found.obstacle),
                       "no data was changed and nothing stopped; remove what is in the way, then repeat");
    size.bytes += found.size.bytes;
    size.entries += found.size.entries;
    room += found.room;
  }
  if (r.parts.empty())
    if (auto ok = check_other_root(r, p->to.get()); !ok) return msg::fail(std::move(ok.error()));
  struct statvfs disk {};
  if (::fstatvfs(p->to.get(), &disk) != 0) return failed("disk of " + r.to.data_path, errno);
  const uint64_t free = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free < room)
    return msg::fail(msg::ec::store_full,
                     fmt::format("{} has {} free, the copy of {} needs {}", r.to.data_path, msg::format_bytes(free),
                                 sources->front().path, msg::format_bytes(room)),
                     "no data was changed and nothing stopped; free space there, or name a folder on another disk");
  return size;
}

namespace {

// Progress is reported over all sources.
msg::result<copied_tree> copy_one(int copy, const source& s, const copy_size& before, const copy_progress& progress) {
  auto place = place_in(copy, s);
  if (!place) return msg::fail(std::move(place.error()));
  return copy_content(s.tree.get(), place->get(),
                      [&](copy_phase phase, uint64_t bytes) { return progress(phase, before.bytes + bytes); });
}

msg::result<void> compare_one(int copy, const source& s, const copied_tree& copied, uint64_t before,
                              const copy_progress& progress) {
  auto place = place_in(copy, s);
  if (!place) return msg::fail(std::move(place.error()));
  return compare_content(s.tree.get(), place->get(), copied,
                         [&](copy_phase phase, uint64_t bytes) { return progress(phase, before + bytes); });
}

}  // namespace

msg::result<copy_size> copy_tree(const copy_request& r, const copy_progress& progress) {
  if (auto stage = look_at_copy(r); !stage) return msg::fail(std::move(stage.error()));
  if (auto gone = drop_copy(r, copy_fate::remove); !gone) return msg::fail(std::move(gone.error()));
  auto p = open_places(r);
  if (!p) return msg::fail(std::move(p.error()));
  auto sources = open_sources(r);
  if (!sources) return msg::fail(std::move(sources.error()));
  const auto folder = folder_of(r);
  const auto path = r.to.data_path + "/" + folder;
  // Open to its owner only: its content has its final modes already.
  if (::mkdirat(p->to.get(), folder.c_str(), 0700) != 0) return failed("making " + path, errno);
  p->folder = open_dir_at(p->to.get(), folder.c_str());
  if (!p->folder || ::mkdirat(p->folder.get(), copy_name, 0755) != 0) return failed("making " + path, errno);
  auto copy = open_dir_at(p->folder.get(), copy_name);
  if (!copy) return failed("opening " + path, errno);
  copy_size all;
  std::vector<copied_tree> trees;
  for (const auto& s : *sources) {
    auto copied = copy_one(copy.get(), s, all, progress);
    if (!copied) return msg::fail(std::move(copied.error()));
    all.bytes += copied->size.bytes;
    all.entries += copied->size.entries;
    trees.push_back(std::move(*copied));
  }
  if (::syncfs(copy.get()) != 0) return failed("writing out " + path, errno);
  uint64_t compared = 0;
  for (size_t i = 0; i < trees.size(); ++i) {
    if (auto same = compare_one(copy.get(), (*sources)[i], trees[i], compared, progress); !same)
      return msg::fail(std::move(same.error()));
    compared += trees[i].size.bytes;
  }
  return all;
}

msg::result<void> place_copy(const copy_request& r) {
  auto p = open_places(r);
  if (!p) return msg::fail(std::move(p.error()));
  const auto path = r.to.data_path + "/" + r.name;
  if (!p->folder) return failed("moving the copy to " + path, ENOENT);
  if (int error = rename_new(p->folder.get(), copy_name, p->to.get(), r.name.c_str()))
    return failed("moving the copy to " + path, error);
  if (::fsync(p->folder.get()) != 0 || ::fsync(p->to.get()) != 0) return failed("writing out " + path, errno);
  return {};
}

msg::result<std::string> drop_copy(const copy_request& r, copy_fate fate) {
  auto p = open_places(r);
  if (!p) return msg::fail(std::move(p.error()));
  if (!p->folder) return std::string{};
  const auto folder = folder_of(r);
  const auto path = r.to.data_path + "/" + folder;
  const char* name = r.name.c_str();
  if (stage_of(*p) == copy_stage::placed && is_there(p->to.get(), name) == there::yes)
    if (int error = rename_new(p->to.get(), name, p->folder.get(), copy_name))
      return failed("rolling back " + r.to.data_path + "/" + r.name, error);
  if (fate == copy_fate::keep) return path + "/" + copy_name;
  p->folder = {};
  auto gone = remove_dir(p->to.get(), r.to.data_path, folder);
  if (!gone) return msg::fail(std::move(gone.error()));
  return std::string{};
}

msg::result<void> finish_copy(const copy_request& r) {
  if (auto ok = check_names(r); !ok) return ok;
  auto to = open_root(r.to);
  if (!to) return msg::fail(std::move(to.error()));
  // Only if it is empty: else the copy is in it, and not in its place.
  if (::unlinkat(to->get(), folder_of(r).c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return failed("removing " + r.to.data_path + "/" + folder_of(r), errno);
  return {};
}

}  // namespace zedops::host
