#include "integration/archive/pack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "integration/host/files.hpp"
#include "integration/host/utf8_locale.hpp"

namespace zedops::archive {

using namespace msg;
namespace fs = std::filesystem;

namespace {

constexpr size_t patterns_max = 10'000;

struct closer {
  void operator()(::archive* a) const { archive_write_free(a); }
};
struct entry_closer {
  void operator()(::archive_entry* e) const { archive_entry_free(e); }
};

std::vector<std::string> patterns_of(std::ifstream file) {
  std::vector<std::string> out;
  for (std::string line; std::getline(file, line) && out.size() < patterns_max;) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty() && line[0] != '#') out.push_back(line);
  }
  return out;
}
std::vector<std::string> patterns_in(const fs::path& dir) {
  std::ifstream file(dir / ".zedopsignore");
  auto out = patterns_of(file ? std::move(file) : std::ifstream(dir / ".gitignore"));
  std::erase_if(out, [](const std::string& p) { return p[0] == '!'; });
  return out;
}

error disk(const std::string& path, int problem) {
  return {problem == ENOENT ? ec::not_found : ec::internal, path + ": " + host::errno_text(problem), "", {}};
}

// A warning is about an entry that was written: a name that is not UTF-8 is written as its bytes.
bool well(int answer) { return answer == ARCHIVE_OK || answer == ARCHIVE_WARN; }

result<void> add_header(::archive* to, ::archive_entry* e) {
  if (!well(archive_write_header(to, e))) return fail(ec::internal, archive_error_string(to), "is the disk full?");
  return {};
}

result<void> add_file(::archive* to, ::archive_entry* e, const fs::path& path, uint64_t size) {
  host::unique_fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail(disk(path, errno));
  if (auto ok = add_header(to, e); !ok) return ok;
  char buffer[1 << 16];
  uint64_t done = 0;
  while (done < size) {
    const auto n = ::read(fd.get(), buffer, std::min<uint64_t>(sizeof buffer, size - done));
    if (n < 0) return fail(disk(path, errno));
    if (n == 0)
      return fail(ec::bad_request, path.string() + " became shorter while it was read",
                  "pack it while nothing writes to it");
    if (archive_write_data(to, buffer, static_cast<size_t>(n)) < 0)
      return fail(ec::internal, archive_error_string(to), "is the disk full?");
    done += static_cast<uint64_t>(n);
  }
  return {};
}

struct packing {
  ::archive* to;
  const fs::path root;
  const std::function<bool(const std::string& path, bool is_dir)> left_out;
  const bool within_left_out;  // a folder that is left out may contain something to be packed
  packed done{};

  result<void> folder(const fs::path& dir, const std::string& below) {
    std::error_code problem;
    std::vector<fs::path> names;
    for (const auto& x : fs::directory_iterator(dir, problem)) names.push_back(x.path().filename());
    if (problem) return fail(disk(dir, problem.value()));
    std::ranges::sort(names);
    for (const auto& name : names) {
      const auto path = below.empty() ? name.string() : below + "/" + name.string();
      struct stat st {};
      if (::lstat((dir / name).c_str(), &st) != 0) return fail(disk(dir / name, errno));
      const bool is_dir = S_ISDIR(st.st_mode);
      if (name == ".git") continue;
      if (left_out(path, is_dir)) {
        if (is_dir && within_left_out)
          if (auto ok = folder(dir / name, path); !ok) return ok;
        continue;
      }
      if (auto ok = one(dir / name, path, st); !ok) return ok;
    }
    return {};
  }

  result<void> one(const fs::path& path, const std::string& name, const struct stat& st) {
    std::unique_ptr<::archive_entry, entry_closer> e(archive_entry_new());
    archive_entry_set_pathname(e.get(), name.c_str());
    archive_entry_set_mtime(e.get(), 0, 0);  // so that the same files give the same bytes
    archive_entry_set_perm(e.get(), S_ISDIR(st.st_mode) || (st.st_mode & 0111) ? 0755 : 0644);
    if (S_ISDIR(st.st_mode)) {
      archive_entry_set_filetype(e.get(), AE_IFDIR);
      if (auto ok = add_header(to, e.get()); !ok) return ok;
      return folder(path, name);
    }
    if (S_ISLNK(st.st_mode)) {
      std::error_code problem;
      const auto target = fs::read_symlink(path, problem);
      if (problem) return fail(disk(path, problem.value()));
      archive_entry_set_filetype(e.get(), AE_IFLNK);
      archive_entry_set_symlink(e.get(), target.c_str());
      return add_header(to, e.get());
    }
    if (!S_ISREG(st.st_mode))
      return fail(ec::bad_request, path.string() + " is neither a file, a folder nor a link",
                  "leave it out: .zedopsignore");
    archive_entry_set_filetype(e.get(), AE_IFREG);
    archive_entry_set_size(e.get(), st.st_size);
    ++done.files;
    done.bytes += static_cast<uint64_t>(st.st_size);
    return add_file(to, e.get(), path, static_cast<uint64_t>(st.st_size));
  }
};

}  // namespace

bool is_ignored(const std::vector<std::string>& patterns, std::string_view path, bool is_dir) {
  const std::string whole(path), last(path.substr(path.rfind('/') == path.npos ? 0 : path.rfind('/') + 1));
  for (auto p : patterns) {
    if (p.ends_with('/')) {
      if (!is_dir) continue;
      p.pop_back();
    }
    const bool anchored = p.find('/') != p.npos;
    if (p.starts_with('/')) p.erase(0, 1);
    if (p.starts_with("**/")) p.erase(0, 3);
    if (::fnmatch(p.c_str(), (anchored ? whole : last).c_str(), FNM_PATHNAME) == 0) return true;
  }
  return false;
}

bool is_out_of_context(const std::vector<std::string>& patterns, std::string_view path) {
  bool out = false;
  for (std::string p : patterns) {
    const bool wanted = p.starts_with('!');
    if (wanted) p.erase(0, 1);
    if (p.starts_with('/')) p.erase(0, 1);
    if (p.ends_with('/')) p.pop_back();
    const bool anywhere = p.starts_with("**/");
    if (anywhere) p.erase(0, 3);
    // A pattern covers everything below what it names.
    for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
      const std::string part(path.substr(0, end));
      const auto slash = part.rfind('/');
      const bool same =
          ::fnmatch(p.c_str(), part.c_str(), FNM_PATHNAME) == 0 ||
          (anywhere && slash != part.npos && ::fnmatch(p.c_str(), part.c_str() + slash + 1, FNM_PATHNAME) == 0);
      if (same) out = !wanted;
      if (same || end == path.npos) break;
    }
  }
  return out;
}

namespace {

enum class compression { none, gzip };

result<packed> written(packing work, const std::string& dir, const std::string& file, compression how) {
  const host::utf8_locale utf8;  // the names in archives are UTF-8
  std::error_code problem;
  if (!fs::is_directory(dir, problem))
    return fail(ec::not_found, dir + " is not a folder", "name the folder that holds what is to be deployed");
  std::unique_ptr<::archive, closer> to(archive_write_new());
  work.to = to.get();
  archive_write_set_format_pax_restricted(to.get());
  if (how == compression::gzip) {
    archive_write_add_filter_gzip(to.get());
    archive_write_set_options(to.get(), "gzip:compression-level=6,gzip:!timestamp");
  }
  if (archive_write_open_filename(to.get(), file.c_str()) != ARCHIVE_OK)
    return fail(ec::internal, file + " cannot be written", "set TMPDIR to a folder with enough space");
  if (auto ok = work.folder(dir, {}); !ok) return fail(ok.error());
  if (!well(archive_write_close(to.get())))
    return fail(ec::internal, std::string("the archive cannot be written: ") + archive_error_string(to.get()),
                "is the disk full?");
  if (work.done.files == 0)
    return fail(ec::bad_request, dir + " has no files", "name the folder that holds what is to be deployed");
  return work.done;
}

}  // namespace

result<packed> pack(const std::string& dir, const std::string& file) {
  const auto left_out = [patterns = patterns_in(dir)](const std::string& path, bool is_dir) {
    return is_ignored(patterns, path, is_dir);
  };
  return written({nullptr, dir, left_out, false}, dir, file, compression::gzip);
}

result<packed> pack_context(const std::string& dir, const std::string& dockerfile, const std::string& file) {
  const auto patterns = patterns_of(std::ifstream(fs::path(dir) / ".dockerignore"));
  const bool exceptions = std::ranges::any_of(patterns, [](const std::string& p) { return p[0] == '!'; });
  const auto left_out = [&](const std::string& path, bool) {
    return path != dockerfile && path != ".dockerignore" && is_out_of_context(patterns, path);
  };
  const bool below = exceptions || dockerfile.find('/') != dockerfile.npos;
  return written({nullptr, dir, left_out, below}, dir, file, compression::none);
}

result<packed> pack_all(const std::string& dir, const std::string& file) {
  const auto nothing = [](const std::string&, bool) { return false; };
  return written({nullptr, dir, nothing, false}, dir, file, compression::none);
}

}  // namespace zedops::archive
