// What builds of a service keep from one to the next.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "integration/host/files.hpp"
#include "integration/host/sites/sites.hpp"

namespace zedops::host {

using namespace msg;

namespace {

std::string caches_below(const std::string& root) { return root + "/.cache"; }
std::string trash_of(const std::string& id) { return ".trash-" + id; }

// Nothing, and errno: it cannot be opened, or there is none.
unique_fd open_caches(const std::string& root) {
  return unique_fd(::open(caches_below(root).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Tools keep folders in their caches that nobody may write to (Go does): what is in them could not be removed.
result<void> drop_trash(const unique_fd& caches, const std::string& root, const std::string& id) {
  if (auto dir = open_dir_at(caches.get(), trash_of(id).c_str()))
    walk(dir.get(), size_entries_max, [](int at, const char* name, bool is_dir) {
      if (is_dir) (void)::fchmodat(at, name, 0700, 0);
      return true;
    });
  auto gone = remove_dir(caches.get(), caches_below(root), trash_of(id));
  if (!gone) return fail(gone.error());
  return {};
}

}  // namespace

std::string cache_folder(const std::string& root, const std::string& id) { return caches_below(root) + "/" + id; }

// Renamed first: a cache of which an interrupted removal has left a part may fail builds.
result<void> drop_cache(const std::string& root, const std::string& id) {
  const auto caches = open_caches(root);
  if (!caches && errno == ENOENT) return {};
  const auto failed = [&](int problem) {
    return fail(ec::internal, cache_folder(root, id) + ": " + errno_text(problem), "remove it by hand");
  };
  if (!caches) return failed(errno);
  if (auto ok = drop_trash(caches, root, id); !ok) return ok;
  if (::renameat(caches.get(), id.c_str(), caches.get(), trash_of(id).c_str()) != 0)
    return errno == ENOENT ? result<void>{} : failed(errno);
  return drop_trash(caches, root, id);
}

result<bool> limit_cache(const std::string& root, const std::string& id, uint64_t bytes_max) {
  const auto caches = open_caches(root);
  if (!caches) return false;
  if (auto ok = drop_trash(caches, root, id); !ok) return fail(ok.error());
  const auto cache = open_dir_at(caches.get(), id.c_str());
  if (!cache) return false;
  const auto size = measure(cache.get(), nullptr);
  // With more entries than are counted it is too large, whatever their size.
  if (size.bytes <= bytes_max && size.entries < size_entries_max) return false;
  if (auto ok = drop_cache(root, id); !ok) return fail(ok.error());
  return true;
}

}  // namespace zedops::host
