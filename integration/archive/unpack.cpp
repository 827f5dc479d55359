#include "integration/archive/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "integration/host/files.hpp"
#include "integration/host/utf8_locale.hpp"
#include "messages/base/names.hpp"
#include "messages/base/sha256.hpp"

namespace zedops::archive {

using namespace msg;
using host::unique_fd;

namespace {

constexpr uint64_t ratio_free_bytes = 64 << 20;
constexpr uint64_t report_every_bytes = 4 << 20, report_every_entries = 500;
constexpr size_t name_bytes_max = 255, link_bytes_max = 4'096, shown_bytes_max = 120;

struct closer {
  void operator()(::archive* a) const { archive_read_free(a); }
};
using reader = std::unique_ptr<::archive, closer>;

std::string shown(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, shown_bytes_max)) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return "'" + out + "'";
}
error bad(std::string message, std::string hint = "pack it again, for example with zedctl deploy --dir DIR") {
  return {ec::bad_request, "the archive cannot be used: " + std::move(message), std::move(hint), {}};
}
error disk(const std::string& what, int problem) {
  const bool full = problem == ENOSPC || problem == EDQUOT;
  return {full ? ec::store_full : ec::internal,
          what + ": " + host::errno_text(problem),
          full ? "free some space on that disk, then deploy again" : "check that disk",
          {}};
}

// Components of an entry's name; an error says why it is refused.
result<std::vector<std::string>> parts_of(std::string_view name, unsigned depth_max) {
  if (name.starts_with('/')) return fail(bad("the name " + shown(name) + " is absolute"));
  std::vector<std::string> out;
  while (!name.empty()) {
    const auto slash = name.find('/');
    const auto part = name.substr(0, slash);
    name.remove_prefix(slash == name.npos ? name.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(bad("a name points outside of it with '..'"));
    if (part.size() > name_bytes_max) return fail(bad("a name of " + std::to_string(part.size()) + " bytes"));
    out.emplace_back(part);
  }
  if (out.size() > depth_max) return fail(bad("it has folders more than " + std::to_string(depth_max) + " deep"));
  return out;
}

// Leads somewhere inside, whatever other links exist: goes up only at the beginning, and only from real folders.
bool stays_inside(std::string_view target, size_t depth) {
  if (target.empty() || target.size() > link_bytes_max || target.starts_with('/')) return false;
  bool down = false;
  while (!target.empty()) {
    const auto slash = target.find('/');
    const auto part = target.substr(0, slash);
    target.remove_prefix(slash == target.npos ? target.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      down = true;
    } else {
      if (down || depth == 0) return false;
      --depth;
    }
  }
  return true;
}

class unpacking {
 public:
  unpacking(unique_fd root, const unpack_limits& limits, const unpack_progress& progress, uint64_t archive_bytes,
            std::vector<std::string> wanted)
      : root_(std::move(root)),
        limits_(limits),
        progress_(progress),
        archive_bytes_(archive_bytes),
        wanted_(std::move(wanted)) {}

  result<void> entry(::archive* from, ::archive_entry* e) {
    const char* raw = archive_entry_pathname(e);
    if (!raw) raw = archive_entry_pathname_utf8(e);
    if (!raw) return fail(bad("it has an entry whose name cannot be read"));
    if (archive_entry_is_encrypted(e)) return fail(bad(shown(raw) + " is encrypted", "pack it without a password"));
    if (archive_entry_hardlink(e)) return fail(bad(shown(raw) + " is a hard link"));
    auto parts = parts_of(raw, limits_.depth_max);
    if (!parts) return fail(parts.error());
    if (!within(*parts)) return {};
    if (++done_.entries > limits_.entries_max)
      return fail(bad("it has more than " + std::to_string(limits_.entries_max) + " entries"));
    for (const auto& part : *parts) hash_.add(part), hash_.add("/");
    hash_.add(std::string_view("\0", 1));
    const auto type = archive_entry_filetype(e);
    if (type == AE_IFDIR) return folder(*parts);
    if (parts->empty()) return fail(bad("the entry " + shown(raw) + " is not a folder"));
    auto name = std::move(parts->back());
    parts->pop_back();
    if (auto ok = folder(*parts); !ok) return fail(ok.error());
    if (type == AE_IFREG) return file(from, name, archive_entry_perm(e) & 0111);
    if (type == AE_IFLNK) {
      const char* target = archive_entry_symlink(e);
      return link(name, target ? target : "", raw, parts->size());
    }
    return fail(bad(shown(raw) + " is neither a file, a folder nor a link"));
  }

  bool found() const { return done_.entries > 0; }

  result<void> told(::archive* from, bool always) {
    const auto read = static_cast<uint64_t>(std::max<int64_t>(archive_filter_bytes(from, -1), 0));
    if (done_.bytes > limits_.bytes_max)
      return fail(bad("its files have more than " + format_bytes(limits_.bytes_max) + " together"));
    if (done_.bytes > ratio_free_bytes && done_.bytes / std::max<uint64_t>(archive_bytes_, 1) > limits_.ratio_max)
      return fail(bad("it unpacks to more than " + std::to_string(limits_.ratio_max) + " times its size"));
    const bool due =
        done_.bytes - told_bytes_ >= report_every_bytes || done_.entries - told_entries_ >= report_every_entries;
    if (!due && !always) return {};
    told_bytes_ = done_.bytes;
    told_entries_ = done_.entries;
    if (progress_ && !progress_(done_, read)) return fail(ec::cancelled, "unpacking was cancelled");
    return {};
  }

  // Makes directory entries durable, too: syncs the whole file system, in one call.
  result<unpacked> finish() {
    if (::syncfs(root_.get()) != 0) return fail(disk("the files cannot be made durable", errno));
    done_.tree_hash = hash_.hex();
    return done_;
  }

 private:
  // Takes the wanted folder off the front; false: it is not below that.
  bool within(std::vector<std::string>& parts) const {
    if (parts.size() < wanted_.size() || !std::equal(wanted_.begin(), wanted_.end(), parts.begin())) return false;
    parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(wanted_.size()));
    return true;
  }

  // Makes and enters the folder; the folders above it stay open.
  result<void> folder(const std::vector<std::string>& parts) {
    size_t same = 0;
    while (same < open_.size() && same < parts.size() && open_[same].first == parts[same]) ++same;
    open_.resize(same);
    for (; same < parts.size(); ++same) {
      const int at = here();
      const auto& name = parts[same];
      auto fd = host::open_dir_at(at, name.c_str());
      if (!fd && errno == ENOENT) {
        if (::mkdirat(at, name.c_str(), 0755) != 0 || ::fchmodat(at, name.c_str(), 0755, 0) != 0)
          return fail(disk("cannot make the folder " + shown(name), errno));
        fd = host::open_dir_at(at, name.c_str());
      }
      if (!fd) return fail(bad("the folder " + shown(name) + " collides with another entry"));
      open_.emplace_back(name, std::move(fd));
    }
    return {};
  }
  int here() const { return open_.empty() ? root_.get() : open_.back().second.get(); }

  // Of a name that an archive has twice the last entry counts, as in tar.
  bool make_room(const std::string& name) const { return errno == EEXIST && ::unlinkat(here(), name.c_str(), 0) == 0; }

  result<void> file(::archive* from, const std::string& name, bool executable) {
    const auto make = [&] {
      return unique_fd(::openat(here(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    };
    auto fd = make();
    if (!fd && make_room(name)) fd = make();
    if (!fd)
      return fail(errno == EISDIR || errno == EEXIST ? bad("the file " + shown(name) + " collides with a folder")
                                                     : disk("cannot make the file " + shown(name), errno));
    if (::fchmod(fd.get(), executable ? 0755 : 0644) != 0) return fail(disk(shown(name), errno));
    ++done_.files;
    const void* data = nullptr;
    size_t size = 0;
    int64_t offset = 0;
    int64_t end = 0;
    for (;;) {
      const int r = archive_read_data_block(from, &data, &size, &offset);
      if (r == ARCHIVE_EOF) break;
      if (r != ARCHIVE_OK && r != ARCHIVE_WARN) return fail(broken(from));
      if (offset < 0 || offset < end) return fail(bad(shown(name) + " has pieces out of order"));
      done_.bytes += static_cast<uint64_t>(offset - end) + size;  // holes count: they are read as zeros
      end = offset + static_cast<int64_t>(size);
      if (auto ok = told(from, false); !ok) return ok;
      hash_.add({static_cast<const char*>(data), size});
      for (size_t n = 0; n < size;) {
        const auto w = ::pwrite(fd.get(), static_cast<const char*>(data) + n, size - n, offset + static_cast<off_t>(n));
        if (w < 0) return fail(disk(shown(name) + " cannot be written", errno));
        n += static_cast<size_t>(w);
      }
    }
    return {};
  }

  result<void> link(const std::string& name, const std::string& target, std::string_view raw, size_t depth) {
    if (!stays_inside(target, depth))
      return fail(bad("the link " + shown(raw) + " points outside, to " + shown(target)));
    hash_.add(target);
    const auto make = [&] { return ::symlinkat(target.c_str(), here(), name.c_str()) == 0; };
    if (make() || (make_room(name) && make())) return {};
    return fail(errno == EEXIST || errno == EISDIR ? bad("the link " + shown(name) + " collides with a folder")
                                                   : disk("cannot make the link " + shown(name), errno));
  }

 public:
  static error broken(::archive* from) {
    const char* why = archive_error_string(from);
    return bad(why ? why : "it is damaged", "send it again, or pack it again");
  }

 private:
  unique_fd root_;
  const unpack_limits& limits_;
  const unpack_progress& progress_;
  const uint64_t archive_bytes_;
  const std::vector<std::string> wanted_;
  std::vector<std::pair<std::string, unique_fd>> open_;
  unpacked done_;
  sha256 hash_;
  uint64_t told_bytes_ = 0, told_entries_ = 0;
};

}  // namespace

result<unpacked> unpack(const std::string& file, const std::string& into, const unpack_limits& limits,
                        const unpack_progress& progress, const std::string& folder) {
  const host::utf8_locale utf8;  // the names in archives are UTF-8
  struct stat st {};
  if (::stat(file.c_str(), &st) != 0) return fail(disk("the archive " + file + " cannot be read", errno));
  reader from(archive_read_new());
  if (!from) return fail(ec::internal, "not enough memory to read the archive", "");
  archive_read_support_format_tar(from.get());
  archive_read_support_format_zip(from.get());
  archive_read_support_filter_gzip(from.get());
  archive_read_support_filter_zstd(from.get());
  if (archive_read_open_filename(from.get(), file.c_str(), 256 << 10) != ARCHIVE_OK)
    return fail(bad("it is neither tar, tar.gz, tar.zst nor zip"));
  if (::mkdir(into.c_str(), 0755) != 0) return fail(disk("cannot make the folder " + into, errno));
  unique_fd root(::open(into.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root || ::fchmod(root.get(), 0755) != 0) return fail(disk(into, errno));  // whatever our umask says
  auto wanted = parts_of(folder, limits.depth_max);
  if (!wanted) return fail(wanted.error());
  unpacking work(std::move(root), limits, progress, static_cast<uint64_t>(st.st_size), std::move(*wanted));
  bool any = false;
  for (;;) {
    ::archive_entry* e = nullptr;
    const int r = archive_read_next_header(from.get(), &e);
    if (r == ARCHIVE_EOF) break;
    if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
      return fail(any ? unpacking::broken(from.get()) : bad("it is neither tar, tar.gz, tar.zst nor zip, or damaged"));
    any = true;
    if (auto ok = work.entry(from.get(), e); !ok) return fail(ok.error());
    if (auto ok = work.told(from.get(), false); !ok) return fail(ok.error());
  }
  if (!any) return fail(bad("it is empty"));
  if (!work.found())
    return fail(bad("it has no folder " + shown(folder), "give the path from its top, such as docs/public"));
  if (auto ok = work.told(from.get(), true); !ok) return fail(ok.error());
  return work.finish();
}

}  // namespace zedops::archive
