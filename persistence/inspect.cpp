#include "persistence/inspect.hpp"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "persistence/detail/data_dir.hpp"
#include "persistence/detail/guard.hpp"
#include "persistence/detail/identity.hpp"
#include "persistence/detail/lmdb_ops.hpp"
#include "persistence/detail/open_steps.hpp"

namespace zedops::store {

using namespace detail;
using msg::ec;
using msg::fail;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::minutes tool_deadline{10};
constexpr const char* aside_prefix = "data.mdb.aside-";

result<std::unique_ptr<store>> open_for_tool(const fs::path& dir) {
  lmdb_options options;
  options.dir = dir;
  options.mode = access::read_only;
  options.check = guard::always;
  options.check_deadline = tool_deadline;
  options.schema = ~uint32_t{0};  // a tool shows bytes: any schema will do
  return open_lmdb(std::move(options));
}

// Readable by its owner alone from its first byte on: secrets are in it, whatever mode the backup has.
result<void> copy_bytes(const fs::path& from, const fs::path& to) {
  const fd_owner in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in) return fail(io_error(errno, from.string()));
  std::error_code error;
  fs::remove(to, error);
  const fd_owner out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out) return fail(io_error(errno, to.string()));
  for (;;) {
    const auto n = ::sendfile(out.get(), in.get(), nullptr, size_t{1} << 24);
    if (n < 0) return fail(io_error(errno, to.string()));
    if (n == 0) return {};
  }
}

// A durable copy of the backup in DIR under a temporary name, with a new epoch, owned by the directory's owner.
result<void> place_copy(const fs::path& from, const fs::path& part) {
  std::error_code error;
  if (auto ok = copy_bytes(from, part); !ok) return ok;
  give_to_dir_owner(part);
  auto env = open_env(part, MDB_NOSUBDIR | MDB_NOLOCK, fs::file_size(part, error) + (uint64_t{64} << 20));
  if (!env) return fail(std::move(env).error());
  auto txn = begin_txn(env->get(), 0);
  if (!txn) return fail(std::move(txn).error());
  auto handles = open_tables(txn->get(), tables::create);
  if (!handles) return fail(std::move(handles).error());
  if (int rc = put_record(txn->get(), *handles, table::meta, meta_epoch, epoch_text(random_epoch()), 0))
    return fail(lmdb_error(rc, "restore"));
  if (int rc = mdb_txn_commit(txn->release())) return fail(lmdb_error(rc, "restore"));
  env->reset();
  return sync_path(part);
}

// Names carry the time in a fixed width, so their order is their age.
void forget_oldest(const fs::path& dir) {
  std::vector<fs::path> aside;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, error))
    if (entry.path().filename().string().starts_with(aside_prefix)) aside.push_back(entry.path());
  std::ranges::sort(aside);
  for (size_t i = 0; i + set_aside_max < aside.size(); ++i) fs::remove(aside[i], error);
}

result<fs::path> move_aside(const fs::path& dir) {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  const auto to = dir / (aside_prefix + std::to_string(now.count()));
  std::error_code error;
  fs::rename(dir / data_file, to, error);
  if (error) return fail(io_error(error.value(), to.string()));
  forget_oldest(dir);
  return to;
}

}  // namespace

result<verify_report> verify(const fs::path& dir, std::chrono::milliseconds deadline) {
  if (look_at(dir / data_file).look == file_look::absent)
    return fail(ec::not_found, "there is no store in " + dir.string(), "check the data directory");
  return verify_in_child(dir, file_kind::directory, deadline);
}

result<void> dump(const fs::path& dir, table t, record_visitor visit, corrupt_visitor damaged) {
  auto opened = open_for_tool(dir);
  if (!opened) return fail(std::move(opened).error());
  auto r = (*opened)->begin_read();
  if (!r) return fail(std::move(r).error());
  return (*r)->scan(t, {}, direction::forward, visit, damaged);
}

result<verify_report> backup(const fs::path& dir, const fs::path& file) {
  auto opened = open_for_tool(dir);
  if (!opened) return fail(std::move(opened).error());
  return (*opened)->backup(file);
}

result<restore_report> restore(const restore_options& o) {
  auto lock = dir_lock::take(o.dir);
  if (!lock) return fail(std::move(lock).error());
  const auto present = look_at(o.dir / data_file).look;
  if (present != file_look::absent && o.present == existing::refuse)
    return fail(ec::already_exists, o.dir.string() + " already has a store",
                "keep it under another name with --set-aside, or choose another directory");
  const auto backup = look_at(o.file);
  if (backup.look == file_look::absent)
    return fail(ec::not_found, "there is no backup " + o.file.string(), "check the name");
  if (backup.look == file_look::unreadable) return fail(io_error(backup.number, o.file.string()));
  auto report = verify_in_child(o.file, file_kind::single_file, tool_deadline);
  if (!report) return fail(std::move(report).error());
  if (!report->structure.empty())
    return fail(ec::internal, "the backup " + o.file.string() + " is damaged: " + report->structure,
                "choose another backup; nothing was changed");

  std::error_code error;
  const auto part = o.dir / "data.mdb.part";
  if (auto ok = place_copy(o.file, part); !ok) {
    fs::remove(part, error);
    return fail(std::move(ok).error());
  }
  restore_report done;
  if (present != file_look::absent) {
    auto aside = move_aside(o.dir);
    if (!aside) return fail(std::move(aside).error());
    done.set_aside = *aside;
  }
  fs::remove(o.dir / "lock.mdb", error);  // LMDB's table of readers belongs to the former file
  fs::rename(part, o.dir / data_file, error);
  if (error) return fail(io_error(error.value(), (o.dir / data_file).string()));
  if (auto ok = sync_path(o.dir); !ok) return fail(std::move(ok).error());
  // Nothing writes yet, so no table of readers is needed; it would belong to the user who runs this.
  auto restored = verify_in_child(o.dir / data_file, file_kind::single_file, tool_deadline);
  if (!restored) return fail(std::move(restored).error());
  lock->say_clean();
  done.restored = std::move(*restored);
  return done;
}

}  // namespace zedops::store
