// Removing a tree: every step is relative to an open directory and follows no link, so that nothing outside the tree
// can be reached, whatever a program does to the tree meanwhile.
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "integration/host/files.hpp"
#include "messages/base/names.hpp"

namespace zedops::host {
namespace {

constexpr std::string_view trash_prefix = ".trash-";
constexpr unsigned passes_max = 4096;          // over one directory: late writers, and parked deep directories
constexpr unsigned trash_per_call_max = 1024;  // unfinished removals resumed by one call
constexpr const char* again = "look at it on the host, then purge again: it goes on where it stopped";

class remover {
 public:
  // Removes the directory `name` in `root` with all its content.
  msg::result<uint64_t> run(int root, const std::string& root_path, const std::string& name) {
    top_ = open_dir_at(root, name.c_str());
    if (!top_) return errno == ENOENT ? msg::result<uint64_t>(0) : trouble(root_path, name, errno_text(errno));
    if (is_mount_root(top_.get(), root)) return trouble(root_path, name, "it is a mount point");
    for (unsigned pass = 0; pass < passes_max; ++pass) {
      parked_in_pass_ = false;
      clear(top_.get(), name, 1);
      if (!problem_.empty()) return msg::fail(msg::ec::internal, "removing " + root_path + "/" + problem_, remedy);
      if (parked_in_pass_) continue;
      if (::unlinkat(root, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return freed_;
      if (errno != ENOTEMPTY && errno != EEXIST) return trouble(root_path, name, errno_text(errno));
    }
    return trouble(root_path, name, "something keeps writing into it");
  }

 private:
  static constexpr const char* remedy =
      "stop what uses it, unmount what is mounted below it, then purge again: it goes on where it stopped";

  static tl::unexpected<msg::error> trouble(const std::string& root, const std::string& name, const std::string& why) {
    return msg::fail(msg::ec::internal, fmt::format("removing {}/{}: {}", root, name, why), remedy);
  }

  bool stop(const std::string& path, const std::string& why) {
    problem_ = path + ": " + why;
    return false;
  }

  bool clear(int dir, const std::string& path, unsigned depth) {
    int error = list_dir(dir, [&](const char* name, bool is_dir) {
      return is_dir ? remove_dir(dir, path, name, depth) : remove_file(dir, path, name);
    });
    if (error) return stop(path, errno_text(error));
    return problem_.empty();
  }

  bool remove_file(int dir, const std::string& path, const char* name) {
    struct stat info {};
    bool counts = ::fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1;
    if (::unlinkat(dir, name, 0) == 0) {
      if (counts) freed_ += static_cast<uint64_t>(info.st_size);
      return true;
    }
    // Replaced by a directory meanwhile: the next pass sees it as one.
    return errno == ENOENT || errno == EISDIR || stop(path + "/" + name, errno_text(errno));
  }

  bool remove_dir(int dir, const std::string& path, const char* name, unsigned depth) {
    auto child_path = path + "/" + name;
    auto child = open_dir_at(dir, name);
    if (!child) {
      if (errno == ENOENT) return true;
      if (errno == ELOOP || errno == ENOTDIR) return remove_file(dir, path, name);
      return stop(child_path, errno_text(errno));
    }
    if (is_mount_root(child.get(), dir)) return stop(child_path, "it is a mount point");
    if (depth == tree_depth_max) return park(dir, child_path, name);
    if (!clear(child.get(), child_path, depth + 1)) return false;
    // Not empty: a late writer; the next pass over the whole removes it.
    return ::unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST ||
           stop(child_path, errno_text(errno));
  }

  // A tree may be deeper than the descriptors we allow ourselves: its deep part is moved up to the top.
  bool park(int dir, const std::string& path, const char* name) {
    int error = EEXIST;
    for (unsigned tries = 0; tries < passes_max; ++tries) {
      auto place = fmt::format(".deep-{}", parked_++);
      error = rename_new(dir, name, top_.get(), place.c_str());
      if (error == 0) return parked_in_pass_ = true;
      if (error != EEXIST) break;
    }
    return stop(path, errno_text(error));
  }

  unique_fd top_;
  uint64_t freed_ = 0;
  uint64_t parked_ = 0;
  bool parked_in_pass_ = false;
  std::string problem_;
};

// The server whose removal this entry of the root is; empty for any other entry.
std::string_view trashed_name(std::string_view entry) {
  if (!entry.starts_with(trash_prefix)) return {};
  entry.remove_prefix(trash_prefix.size());
  auto dash = entry.rfind('-');  // names hold dashes, ids do not
  return dash == entry.npos ? std::string_view{} : entry.substr(0, dash);
}

msg::result<uint64_t> finish(int root, const data_root& where, const std::string& of) {
  std::vector<std::string> left;
  int error = list_dir(root, [&](const char* entry, bool is_dir) {
    auto name = trashed_name(entry);
    if (is_dir && name == of) left.emplace_back(entry);
    return left.size() < trash_per_call_max;
  });
  if (error)
    return msg::fail(msg::ec::data_unknown, fmt::format("data root {}: {}", where.data_path, errno_text(error)),
                     "check that disk on the host");
  uint64_t freed = 0;
  for (const auto& entry : left) {
    auto done = remover().run(root, where.data_path, entry);
    if (!done) return done;
    freed += *done;
  }
  return freed;
}

// What must not be removed with the tree: mounts, and another data root of this agent. Backups that stay do not
// matter.
std::string obstacle(int tree, backups_fate backups) {
  std::string found;
  const auto harmless = [&](int at, const char* name, bool is_dir) {
    if (!is_dir) {
      if (std::strcmp(name, marker_name) == 0) found = "it holds another data root";
      return found.empty();
    }
    auto child = open_dir_at(at, name);
    if (child && is_mount_root(child.get(), at)) found = fmt::format("{} in it is a mount point", name);
    return found.empty();
  };
  (void)list_dir(tree, [&](const char* name, bool is_dir) {
    if (backups == backups_fate::keep && is_dir && std::strcmp(name, backups_name) == 0) return true;
    if (!harmless(tree, name, is_dir)) return false;
    if (auto child = open_dir_at(tree, name)) (void)walk(child.get(), size_entries_max, harmless);
    return found.empty();
  });
  return found;
}

// Everything in the tree but its backups.
msg::result<std::vector<std::string>> beside_backups(int tree, const std::string& path) {
  std::vector<std::string> names;
  int error = list_dir(tree, [&](const char* name, bool is_dir) {
    if (!is_dir || std::strcmp(name, backups_name) != 0) names.emplace_back(name);
    return true;
  });
  if (error) return msg::fail(msg::ec::internal, fmt::format("removing {}: {}", path, errno_text(error)), again);
  return names;
}

// The tree's content goes into the trash around the backups: those never leave their place, so that no crash and no
// removal that is finished later can take them along.
msg::result<void> take_out(int root, int tree, const std::string& path, const std::string& trash) {
  auto names = beside_backups(tree, path);
  if (!names) return msg::fail(std::move(names.error()));
  if (names->empty()) return {};
  auto failed = [&](const std::string& what) {
    return msg::fail(msg::ec::internal, fmt::format("removing {}: {}: {}", path, what, errno_text(errno)), again);
  };
  if (::mkdirat(root, trash.c_str(), 0700) != 0) return failed(trash);
  auto into = open_dir_at(root, trash.c_str());
  if (!into) return failed(trash);
  for (const auto& name : *names)
    if (int error = rename_new(tree, name.c_str(), into.get(), name.c_str()); error != 0 && error != ENOENT) {
      errno = error;
      return failed(name);
    }
  ::fsync(tree);
  return {};
}

// Removes the folder of the backups if it is empty; whatever prevents that is a reason to keep it.
bool has_backups(int tree) {
  return open_dir_at(tree, backups_name) && ::unlinkat(tree, backups_name, AT_REMOVEDIR) != 0 && errno != ENOENT;
}

msg::result<removed_tree> remove_around_backups(int root, int tree, const remove_request& request,
                                                const std::string& trash) {
  const auto path = request.root.data_path + "/" + request.name;
  if (auto taken = take_out(root, tree, path, trash); !taken) return msg::fail(std::move(taken.error()));
  auto removed = remover().run(root, request.root.data_path, trash);
  if (!removed) return msg::fail(std::move(removed.error()));
  auto left = beside_backups(tree, path);
  if (!left) return msg::fail(std::move(left.error()));
  if (!left->empty())
    return msg::fail(msg::ec::internal, fmt::format("{}/{} is there again after its removal", path, left->front()),
                     "stop the container that uses it, then purge again");
  return removed_tree{*removed, path + "/" + backups_name};
}

}  // namespace

msg::result<uint64_t> remove_dir(int root, const std::string& root_path, const std::string& name) {
  return remover().run(root, root_path, name);
}

msg::result<removed_tree> remove_tree(const remove_request& request) {
  if (auto ok = msg::check_server_name(request.name); !ok) return msg::fail(ok.error());
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (request.id.empty() || request.id.size() > 64 || !std::all_of(request.id.begin(), request.id.end(), plain))
    return msg::fail(msg::ec::bad_request, "a removal needs an id of letters, digits and underscores",
                     "give the operation's id");
  auto root = open_root(request.root);
  if (!root) return msg::fail(root.error());
  auto freed = finish(root->get(), request.root, request.name);
  if (!freed) return msg::fail(std::move(freed.error()));

  const auto path = request.root.data_path + "/" + request.name;
  const char* name = request.name.c_str();
  auto refuse = [&](const std::string& why) {
    return msg::fail(msg::ec::forbidden, fmt::format("will not remove {}: {}", path, why),
                     "nothing was removed; look at it on the host and move it away by hand");
  };
  struct stat info {};
  if (::fstatat(root->get(), name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return removed_tree{*freed, {}};
    return refuse(errno_text(errno));
  }
  if (S_ISLNK(info.st_mode)) return refuse("it is a link");
  if (!S_ISDIR(info.st_mode)) return refuse("it is not a directory");
  auto tree = open_dir_at(root->get(), name);
  if (!tree) return refuse(errno_text(errno));
  if (is_mount_root(tree.get(), root->get())) return refuse("it is a mount point");
  if (auto what = obstacle(tree.get(), request.backups); !what.empty()) return refuse(what);

  auto trash = fmt::format("{}{}-{}", trash_prefix, request.name, request.id);
  if (request.backups == backups_fate::keep && has_backups(tree.get())) {
    auto rest = remove_around_backups(root->get(), tree.get(), request, trash);
    if (rest) rest->bytes += *freed;
    return rest;
  }
  if (int error = rename_new(root->get(), name, root->get(), trash.c_str())) return refuse(errno_text(error));
  ::fsync(root->get());  // only makes it likelier that a resumption finds it renamed; either name is handled
  auto removed = remover().run(root->get(), request.root.data_path, trash);
  if (!removed) return msg::fail(std::move(removed.error()));
  if (::fstatat(root->get(), name, &info, AT_SYMLINK_NOFOLLOW) == 0)
    return msg::fail(msg::ec::internal, path + " is there again after its removal",
                     "stop the container that uses it, then purge again");
  return removed_tree{*freed + *removed, {}};
}

}  // namespace zedops::host
