#include "persistence/upload_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <system_error>

#include "messages/base/names.hpp"
#include "messages/base/sha256.hpp"

namespace zedops::store {

using namespace msg;
namespace fs = std::filesystem;

namespace {

constexpr size_t name_max = 200, key_max = 200;
constexpr std::string_view not_known = "-";
constexpr duration use_noted_every{std::chrono::hours(1)};

class file {
 public:
  file(const std::string& path, int flags, mode_t mode = 0600) : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~file() {
    if (fd_ >= 0) ::close(fd_);
  }
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

error disk(const std::string& what, int problem) {
  const bool full = problem == ENOSPC || problem == EDQUOT;
  return {full ? ec::store_full : ec::internal,
          what + ": " + std::strerror(problem),
          full ? "free some space on the manager's disk, or remove uploads: zedctl upload ls"
               : "check the disk of the manager",
          {}};
}

result<void> write_all(int fd, std::string_view data, uint64_t offset, const std::string& path) {
  while (!data.empty()) {
    const auto n = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(disk(path, errno));
    data.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

result<void> sync_dir(const std::string& dir) {
  file d(dir, O_RDONLY | O_DIRECTORY);
  if (!d || ::fsync(d.fd()) != 0) return fail(disk(dir, errno));
  return {};
}

// 128 bits of the hash, or of that of the key, and of the size.
std::string id_of(const begin_upload& b) {
  std::string from = b.sha256;
  if (from.empty()) {
    sha256 hash;
    hash.add("key\n" + b.key);
    from = hash.hex();
  }
  const auto word = [&](size_t at) { return std::stoull(from.substr(at, 16), nullptr, 16); };
  return id_text('u', word(0), word(16) ^ (b.bytes * 0x9e3779b97f4a7c15ull));
}

std::string this_boot() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

std::string about(const upload_view& v) {
  return (v.sha256.empty() ? std::string(not_known) : v.sha256) + "\n" + std::to_string(v.bytes) + "\n" +
         std::to_string(v.created_at ? v.created_at->time_since_epoch().count() : 0) + "\n" + v.name + "\n" +
         this_boot() + "\n";
}

struct known_upload : upload_view {
  std::string boot;  // empty: written by an older release
};
std::optional<known_upload> read_about(const std::string& path) {
  std::ifstream in(path);
  known_upload v;
  int64_t made = 0;
  if (!(in >> v.sha256 >> v.bytes >> made)) return std::nullopt;
  if (v.sha256 == not_known) v.sha256.clear();
  else if (!is_sha256(v.sha256)) return std::nullopt;
  in.ignore(1);
  std::getline(in, v.name);
  std::getline(in, v.boot);
  v.created_at = time_point{duration{made}};
  return v;
}

// Whole or not at all; lasting once the folder is synced.
result<void> write_about(const std::string& path, const upload_view& v) {
  const auto fresh = path + ".new";
  {
    file f(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    if (!f) return fail(disk(fresh, errno));
    if (auto ok = write_all(f.fd(), about(v), 0, fresh); !ok) return ok;
    if (::fsync(f.fd()) != 0) return fail(disk(fresh, errno));
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail(disk(path, errno));
  return {};
}

uint64_t size_of(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? static_cast<uint64_t>(st.st_size) : 0;
}

// An upload was last used when its .about was changed.
time_point changed_at(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return {};
  return time_point{std::chrono::duration_cast<duration>(std::chrono::seconds(st.st_mtim.tv_sec) +
                                                         std::chrono::nanoseconds(st.st_mtim.tv_nsec))};
}
void set_changed(const std::string& path, time_point at) {
  const auto since = at.time_since_epoch();
  const auto whole = std::chrono::floor<std::chrono::seconds>(since);
  timespec t{};
  t.tv_sec = static_cast<time_t>(whole.count());
  t.tv_nsec = static_cast<long>(std::chrono::nanoseconds(since - whole).count());
  const timespec both[2] = {t, t};
  (void)::utimensat(AT_FDCWD, path.c_str(), both, 0);  // lost, it expires an hour earlier after a restart
}

}  // namespace

result<std::unique_ptr<upload_store>> upload_store::open(const std::string& dir) {
  std::error_code problem;
  fs::create_directories(dir, problem);
  if (problem) return fail(disk(dir, problem.value()));
  ::chmod(dir.c_str(), 0700);
  std::unique_ptr<upload_store> out;
  try {
    out.reset(new upload_store(dir));
  } catch (const std::system_error& e) {
    return fail(ec::internal, std::string("no thread can be had for uploads: ") + e.what(),
                "raise the limit of threads of the manager (TasksMax, ulimit -u)");
  }
  for (const auto& e : fs::directory_iterator(dir, problem)) {
    if (e.path().extension() == ".new") fs::remove(e.path(), problem);  // of a crash
    if (e.path().extension() != ".about") continue;
    auto v = read_about(e.path());
    if (!v) continue;
    v->id.value = e.path().stem();
    const auto whole = out->place(v->id.value);
    const bool complete = fs::exists(whole, problem);
    if (v->sha256.empty() && v->boot != this_boot()) fs::remove(whole + ".part", problem);
    v->state = complete ? upload_state::complete : upload_state::receiving;
    v->received = complete ? v->bytes : std::min(v->bytes, size_of(whole + ".part"));
    const auto used = changed_at(e.path());
    out->used_[v->id.value] = {used, used};
    out->put(std::move(*v));
  }
  return out;
}

void upload_store::put(upload_view v) {
  std::lock_guard lock(mutex_);
  all_[v.id.value] = std::move(v);
}

// A restart loses an hour of this at most.
void upload_store::use(const std::string& id, time_point now) {
  {
    std::lock_guard lock(mutex_);
    auto& u = used_[id];
    u.last = now;
    if (now - u.noted < use_noted_every && now >= u.noted) return;
    u.noted = now;
  }
  set_changed(place(id, ".about"), now);
}

error upload_store::unknown(const std::string& id) const {
  return {ec::not_found, "there is no upload '" + id.substr(0, 40) + "'", "begin it: upload.begin", {}};
}

result<upload_view> upload_store::begin(const begin_upload& b, time_point now) {
  if (!b.sha256.empty() && !is_sha256(b.sha256))
    return fail(ec::bad_request, "sha256 is not a hash", "64 hexadecimal digits, lower case");
  if (b.sha256.empty() && (b.key.empty() || b.key.size() > key_max))
    return fail(ec::bad_request, "the upload has neither a hash nor a key, or a long one",
                "give its sha256, or a key of " + std::to_string(key_max) + " bytes at most");
  if (b.bytes == 0) return fail(ec::bad_request, "the upload has no bytes", "give the size of the archive");
  if (b.bytes > upload_bytes_max)
    return fail(ec::too_large,
                "the upload has " + format_bytes(b.bytes) + ", more than " + format_bytes(upload_bytes_max),
                "deploy less at once; keep large files that seldom change elsewhere");
  if (b.name.size() > name_max || b.name.find('\n') != b.name.npos)
    return fail(ec::bad_request, "the name of the upload is too long, or has a line break", "give the name of a file");
  const auto id = id_of(b);
  if (auto known = find(id)) {
    use(id, now);
    return *known;
  }
  uint64_t promised = b.bytes;
  for (const auto& v : list()) promised += v.bytes;
  if (promised > uploads_bytes_max || list().size() >= uploads_max)
    return fail(ec::store_full, "all uploads together would take " + format_bytes(promised),
                "remove some: zedctl upload ls");
  upload_view v;
  v.id.value = id;
  v.name = b.name;
  v.bytes = b.bytes;
  v.sha256 = b.sha256;
  v.created_at = now;
  if (auto ok = write_about(place(id, ".about"), v); !ok) return fail(ok.error());
  if (auto ok = sync_dir(dir_); !ok) return fail(ok.error());
  put(v);
  use(id, now);
  return v;
}

result<upload_view> upload_store::add(const std::string& id, uint64_t offset, std::string data, time_point now) {
  auto v = find(id);
  if (!v) return fail(unknown(id));
  use(id, now);
  if (data.size() > upload_chunk_max)
    return fail(ec::too_large, "a piece of " + format_bytes(data.size()), format_bytes(upload_chunk_max) + " at most");
  if (v->state == upload_state::complete || offset + data.size() <= v->received) return *v;
  if (offset > v->received || offset + data.size() > v->bytes)
    return fail(ec::bad_request,
                "the piece from byte " + std::to_string(offset) + " does not follow: " + std::to_string(v->received) +
                    " of " + std::to_string(v->bytes) + " bytes have arrived",
                "go on from byte " + std::to_string(v->received));
  data.erase(0, v->received - offset);  // what has arrived is hashed already
  offset = v->received;
  const auto path = place(id, ".part");
  file f(path, O_WRONLY | O_CREAT);
  if (!f) return fail(disk(path, errno));
  if (auto ok = write_all(f.fd(), data, offset, path); !ok) return fail(ok.error());
  // Starts to write to the disk now, not at the end; a failure shows in the fsync at the end.
  (void)::sync_file_range(f.fd(), static_cast<off_t>(offset), static_cast<off_t>(data.size()), SYNC_FILE_RANGE_WRITE);
  v->received = offset + data.size();
  put(*v);
  hasher_.add(id, offset, std::move(data));
  return *v;
}

result<std::string> upload_store::hash_of(const upload_view& v, const std::string& file) {
  if (auto known = hasher_.take(v.id.value, v.bytes)) return *known;
  return sha256_of_file(file);
}

result<upload_view> upload_store::end(const std::string& id) {
  auto v = find(id);
  if (!v) return fail(unknown(id));
  if (v->state == upload_state::complete) return *v;
  if (v->received < v->bytes)
    return fail(ec::wrong_state, std::to_string(v->received) + " of " + std::to_string(v->bytes) + " bytes arrived",
                "go on from byte " + std::to_string(v->received));
  const auto part = place(id, ".part");
  {
    file f(part, O_WRONLY);
    if (!f || ::fsync(f.fd()) != 0) return fail(disk(part, errno));
  }
  auto hash = hash_of(*v, part);
  if (!hash) return fail(hash.error());
  if (v->sha256.empty()) {
    v->sha256 = *hash;
    if (auto ok = write_about(place(id, ".about"), *v); !ok) return fail(ok.error());
  } else if (*hash != v->sha256) {
    ::unlink(part.c_str());
    v->received = 0;
    put(*v);
    return fail(ec::bad_request, "what has arrived is not what was announced: its hash is " + *hash,
                "send it again, from the beginning");
  }
  if (::rename(part.c_str(), place(id).c_str()) != 0) return fail(disk(part, errno));
  if (auto ok = sync_dir(dir_); !ok) return fail(ok.error());
  v->state = upload_state::complete;
  put(*v);
  return *v;
}

result<void> upload_store::remove(const std::string& id) {
  if (!find(id)) return fail(unknown(id));
  for (const auto* end : {"", ".part", ".about"})  // .about last: an upload that is half removed is still known
    if (::unlink(place(id, end).c_str()) != 0 && errno != ENOENT) return fail(disk(place(id, end), errno));
  (void)hasher_.take(id, 0);
  std::lock_guard lock(mutex_);
  all_.erase(id);
  used_.erase(id);
  return {};
}

void upload_store::collect(time_point now, const std::function<bool(const upload_id&)>& needed) {
  for (const auto& v : list())
    if (needed(v.id)) use(v.id.value, now);
    else if (now - last_use(v.id.value) > upload_kept) (void)remove(v.id.value);
}

time_point upload_store::last_use(const std::string& id) const {
  std::lock_guard lock(mutex_);
  const auto i = used_.find(id);
  return i == used_.end() ? time_point{} : i->second.last;
}

std::vector<upload_view> upload_store::list() const {
  std::lock_guard lock(mutex_);
  std::vector<upload_view> out;
  for (const auto& [id, v] : all_) out.push_back(v);
  return out;
}

std::optional<upload_view> upload_store::find(const std::string& id) const {
  std::lock_guard lock(mutex_);
  auto i = all_.find(id);
  return i == all_.end() ? std::nullopt : std::optional(i->second);
}

result<std::string> upload_store::read(const std::string& id, uint64_t offset, size_t bytes) const {
  const auto v = find(id);
  if (!v || v->state != upload_state::complete)
    return fail(ec::not_found, "the upload " + id + " no longer exists", "upload the archive again, then deploy it");
  file f(place(id), O_RDONLY);
  if (!f) return fail(disk(place(id), errno));
  std::string out(bytes, '\0');
  size_t done = 0;
  while (done < bytes) {
    const auto n = ::pread(f.fd(), out.data() + done, bytes - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(disk(place(id), errno));
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  out.resize(done);
  return out;
}

}  // namespace zedops::store
