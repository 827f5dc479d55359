#include "persistence/detail/guard.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "persistence/detail/data_dir.hpp"
#include "persistence/detail/lmdb_ops.hpp"
#include "persistence/detail/report_wire.hpp"
#include "persistence/envelope.hpp"

namespace zedops::store::detail {

using msg::ec;
using msg::fail;

namespace {

// The start of an LMDB 0.9 meta page on a 64-bit machine: page header (16 bytes), then MDB_meta.
struct meta_page {
  uint64_t page_number;
  uint16_t pad, flags;
  uint32_t unused;
  uint32_t magic, version;
  uint64_t address, map_bytes;
  struct db {
    uint32_t pad;  // of the first table: the page size
    uint16_t flags, depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
  } free_list, main;
  uint64_t last_page, transaction;
};
static_assert(sizeof(meta_page) == 16 + 24 + 2 * 48 + 16);

constexpr uint16_t meta_flag = 0x08;
constexpr uint32_t lmdb_magic = 0xBEEFC0DE;
constexpr uint32_t lmdb_data_version = 1;

std::string meta_fault(const meta_page& m) {
  if (m.magic != lmdb_magic || !(m.flags & meta_flag)) return "it is not a store file (its header is overwritten)";
  if (m.version != lmdb_data_version) return "its LMDB format " + std::to_string(m.version) + " is unknown";
  const uint32_t page = m.free_list.pad;
  if (page < 512 || page > 65536 || (page & (page - 1))) return "its header is damaged (page size)";
  const auto root_ok = [&](uint64_t root) { return root == ~uint64_t{0} || root <= m.last_page; };
  if (m.last_page < 1 || m.last_page >= (uint64_t{1} << 47) / page || !root_ok(m.free_list.root) ||
      !root_ok(m.main.root))
    return "its header is damaged (page numbers)";
  return {};
}

bool read_meta(int fd, uint64_t at, meta_page& m) {
  errno = 0;
  return ::pread(fd, &m, sizeof m, static_cast<off_t>(at)) == static_cast<ssize_t>(sizeof m);
}

file_facts unreadable(int number, uint64_t bytes = 0) {
  return {file_look::unreadable, bytes, 0, 0, std::strerror(number), number};
}

}  // namespace

file_facts look_at(const std::filesystem::path& file) {
  file_facts facts;
  const fd_owner fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat s {};
  if (!fd || ::fstat(fd.get(), &s)) {
    if (errno == ENOENT) return facts;
    return unreadable(errno);
  }
  facts.file_bytes = static_cast<uint64_t>(s.st_size);
  facts.look = file_look::damaged;
  if (s.st_size == 0) return {file_look::empty, 0, 0, 0, "it is empty", 0};
  const auto cut_off = [&] {
    if (errno != 0) return unreadable(errno, facts.file_bytes);
    facts.reason = "it ends inside its header";
    return facts;
  };
  meta_page metas[2];
  if (!read_meta(fd.get(), 0, metas[0])) return cut_off();
  facts.reason = meta_fault(metas[0]);
  if (!facts.reason.empty()) return facts;
  facts.page_bytes = metas[0].free_list.pad;
  if (!read_meta(fd.get(), facts.page_bytes, metas[1])) return cut_off();
  facts.reason = meta_fault(metas[1]);
  if (!facts.reason.empty()) return facts;
  const auto& newest = metas[metas[1].transaction > metas[0].transaction];
  facts.needed_bytes = (newest.last_page + 1) * facts.page_bytes;
  // Sized after the meta pages were read: a manager that is writing adds pages first and the meta page last.
  if (::fstat(fd.get(), &s)) return facts.reason = std::strerror(errno), facts;
  facts.file_bytes = static_cast<uint64_t>(s.st_size);
  facts.look = facts.file_bytes >= facts.needed_bytes ? file_look::sound : file_look::short_file;
  return facts;
}

namespace {

// The list of free pages is read by writers only; damage there would strike at the next commit.
std::string free_list_fault(MDB_txn* txn, uint64_t last_page) {
  MDB_cursor* raw = nullptr;
  if (int rc = mdb_cursor_open(txn, 0, &raw)) return lmdb_error(rc, "free list").message;
  const cursor_ptr cursor(raw);
  MDB_val k{}, v{};
  int rc = 0;
  while ((rc = mdb_cursor_get(raw, &k, &v, MDB_NEXT)) == 0) {
    uint64_t pages = 0;
    if (k.mv_size != 8 || v.mv_size < 8) return "its list of free pages is damaged";
    std::memcpy(&pages, v.mv_data, 8);
    if (pages > (v.mv_size - 8) / 8) return "its list of free pages is damaged";
    for (uint64_t i = 1; i <= pages; ++i) {
      uint64_t page = 0;
      std::memcpy(&page, static_cast<const char*>(v.mv_data) + 8 * i, 8);
      if (page < 2 || page > last_page) return "its list of free pages is damaged";
    }
  }
  return rc == MDB_NOTFOUND ? std::string{} : lmdb_error(rc, "free list").message;
}

// Every record of one table. A damaged branch page can lead in a circle, so the walk ends at the table's own count.
std::string walk_table(MDB_txn* txn, const table_handles& h, table t, verify_report& report) {
  const uint64_t expected = count_records(txn, h, t);
  uint64_t intact = 0, damaged = 0;
  const auto done = scan_records(
      txn, h, t, {}, direction::forward,
      [&](std::string_view, std::string_view) { return ++intact + damaged <= expected; },
      [&](const corrupt_record& c) {
        ++damaged;
        if (report.listed.size() < damaged_listed_max) report.listed.push_back(c);
      });
  report.records[static_cast<size_t>(t)] = intact;
  report.damaged += damaged;
  if (!done) return done.error().message;
  if (intact + damaged != expected)
    return "the table " + std::string(name_of(t)) + " does not have the " + std::to_string(expected) +
           " records that it should have";
  return {};
}

std::string walk_into(const std::filesystem::path& path, file_kind kind, verify_report& report) {
  const bool directory = kind == file_kind::directory;
  const auto facts = look_at(directory ? path / data_file : path);
  report.file_bytes = facts.file_bytes;
  if (facts.look == file_look::absent) return "there is no store";
  if (facts.look == file_look::empty || facts.look == file_look::damaged || facts.look == file_look::unreadable)
    return facts.reason;
  auto env = open_env(path, MDB_RDONLY | (directory ? 0U : MDB_NOSUBDIR | MDB_NOLOCK), 0);
  if (!env) return env.error().message;
  auto txn = begin_txn(env->get(), MDB_RDONLY);
  for (int tries = 0; !txn && tries < 3; ++tries) {  // a manager may have grown its map in between
    mdb_env_set_mapsize(env->get(), 0);
    txn = begin_txn(env->get(), MDB_RDONLY);
  }
  if (!txn) return txn.error().message;
  auto handles = open_tables(txn->get(), tables::existing);
  if (!handles) return handles.error().message;
  MDB_envinfo info{};
  mdb_env_info(env->get(), &info);
  if (auto fault = free_list_fault(txn->get(), info.me_last_pgno); !fault.empty()) return fault;
  for (size_t i = 0; i < table_count; ++i)
    if (auto fault = walk_table(txn->get(), *handles, static_cast<table>(i), report); !fault.empty()) return fault;
  const auto number = [&](std::string_view key, int base) -> uint64_t {
    const auto text = get_record(txn->get(), *handles, table::meta, key);
    return text && *text ? std::strtoull((*text)->c_str(), nullptr, base) : 0;
  };
  report.schema = static_cast<uint32_t>(number(meta_schema, 10));
  report.epoch = number(meta_epoch, 16);
  return report.schema ? std::string{} : "its schema version is missing";
}

[[noreturn]] void run_child(const std::filesystem::path& path, file_kind kind, int out) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it is of no use without its parent
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  for (const int s : {SIGBUS, SIGSEGV, SIGABRT, SIGTERM, SIGINT}) std::signal(s, SIG_DFL);
  if (const int null = ::open("/dev/null", O_WRONLY); null >= 0) ::dup2(null, STDERR_FILENO);  // LMDB's assertions
  const std::string bytes = encode_report(walk(path, kind));
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::write(out, bytes.data() + at, bytes.size() - at);
    if (n <= 0) ::_exit(1);
    at += static_cast<size_t>(n);
  }
  ::_exit(0);
}

// Everything the child writes until it ends; nullopt: not within the deadline.
std::optional<std::string> read_until_end(int fd, std::chrono::steady_clock::time_point deadline) {
  std::string bytes;
  char buffer[8192];
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return std::nullopt;
    pollfd p{fd, POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(std::min<int64_t>(left, 60'000))) <= 0) continue;
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace

verify_report walk(const std::filesystem::path& path, file_kind kind) {
  verify_report report;
  report.structure = walk_into(path, kind, report);
  return report;
}

result<verify_report> verify_in_child(const std::filesystem::path& path, file_kind kind,
                                      std::chrono::milliseconds deadline) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC)) return fail(io_error(errno, "verify the store"));
  fd_owner in(ends[0]), out(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return fail(io_error(errno, "start a process to verify the store"));
  if (child == 0) run_child(path, kind, out.get());
  { const fd_owner closed(std::move(out)); }
  const auto bytes = read_until_end(in.get(), std::chrono::steady_clock::now() + deadline);
  if (!bytes) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  verify_report report;
  report.file_bytes = look_at(kind == file_kind::directory ? path / data_file : path).file_bytes;
  if (!bytes) {
    report.complete = false;
  } else if (auto said = decode_report(*bytes); said && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    report = std::move(*said);
  } else if (WIFSIGNALED(status)) {
    report.structure = std::string("reading it ends a process with ") + strsignal(WTERMSIG(status));
  } else {
    report.structure = "reading it fails";
  }
  return report;
}

msg::error damaged_file_error(const std::filesystem::path& file, const std::string& why) {
  return {ec::internal,
          "the store file " + file.string() + " is damaged: " + why,
          "restore a backup with zedctl store restore --set-aside; this keeps the damaged file under another name",
          {}};
}

}  // namespace zedops::store::detail
