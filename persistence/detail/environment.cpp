#include "persistence/detail/environment.hpp"

#include <algorithm>
#include <cerrno>

namespace zedops::store::detail {

using msg::ec;
using msg::fail;

namespace {

// Room that one full batch may take: each change can copy a leaf and its branch pages, each value has its own bytes
// twice over when pages are half full. Address space only, so generous.
uint64_t headroom_of(batch_limits b) { return b.writes_max * 3 * 4096 + 2 * b.bytes_max; }

constexpr uint64_t ahead_min = 256 << 10;

uint64_t whole_pages(uint64_t bytes) { return (bytes + 65535) / 65536 * 65536; }  // of any page size

bool is_disk_full(int rc) { return rc == ENOSPC || rc == EDQUOT; }

// LMDB returns EIO when the disk took only a part of what was written: the first sign of a disk that fills up.
int cause_of(int rc, const std::filesystem::path& dir) {
  if (rc != EIO) return rc;
  constexpr uint64_t nearly_nothing = 64 * 1024;
  std::error_code error;
  const auto space = std::filesystem::space(dir, error);
  return !error && space.available < nearly_nothing ? ENOSPC : rc;
}

}  // namespace

environment::environment(const lmdb_options& o)
    : dir_(o.dir),
      mode_(o.mode),
      map_bytes_(std::min(whole_pages(o.map_bytes), whole_pages(o.map_max_bytes))),
      map_max_bytes_(whole_pages(o.map_max_bytes)),
      reserve_bytes_(o.reserve_bytes),
      headroom_bytes_(headroom_of(o.batch)),
      ahead_bytes_(o.ahead_bytes),
      reserve_(o.dir / reserve_file, o.reserve_bytes) {
  handles_.fill(no_table);
}

result<std::unique_ptr<environment>> environment::open(const lmdb_options& options) {
  std::unique_ptr<environment> e(new environment(options));
  if (e->writable()) e->disk_full_ = !e->reserve_.hold();
  if (auto ok = e->open_env_and_tables(); !ok) return fail(std::move(ok).error());
  return e;
}

result<void> environment::open_env_and_tables() {
  // A reader takes the map's size from the file, a writer sets it (LMDB raises it to what the file needs).
  auto env = open_env(dir_, writable() ? 0U : MDB_RDONLY, writable() ? map_bytes_ : 0);
  if (!env) return fail(std::move(env).error());
  int dead = 0;
  if (writable()) mdb_reader_check(env->get(), &dead);  // slots of killed tools would pin old pages for ever
  auto txn = begin_txn(env->get(), MDB_RDONLY);
  if (!txn) return fail(std::move(txn).error());
  auto handles = open_tables(txn->get(), tables::existing);
  if (!handles) return fail(std::move(handles).error());
  if (int rc = mdb_txn_commit(txn->release())) return fail(lmdb_error(rc, "open"));
  if (writable() && std::ranges::count(*handles, no_table) != 0) {
    txn = begin_txn(env->get(), 0);
    if (!txn) return fail(std::move(txn).error());
    handles = open_tables(txn->get(), tables::create);
    if (!handles) return fail(std::move(handles).error());
    if (int rc = mdb_txn_commit(txn->release())) return fail(lmdb_error(rc, "create the tables"));
  }
  MDB_stat s{};
  if (mdb_env_stat(env->get(), &s) == 0) page_bytes_ = s.ms_psize;
  env_ = std::move(*env);
  handles_ = *handles;
  return {};
}

result<txn_ptr> environment::begin_inside(unsigned flags) {
  for (int tries = 0;; ++tries) {
    gate_.enter();
    MDB_txn* raw = nullptr;
    const int rc = env_ ? mdb_txn_begin(env_.get(), nullptr, flags, &raw) : MDB_PANIC;
    if (rc == 0) return txn_ptr(raw);
    gate_.leave();
    if (tries == 3) return fail(lmdb_error(rc, "begin a transaction"));
    if (rc == MDB_PANIC) {
      if (auto ok = reopen_if_panicked(); !ok) return fail(std::move(ok).error());
    } else if (rc == MDB_MAP_RESIZED) {
      adopt_grown_map();
    } else {
      return fail(lmdb_error(rc, "begin a transaction"));
    }
  }
}

result<txn_ptr> environment::begin_read() { return begin_inside(MDB_RDONLY); }

result<txn_ptr> environment::begin_write(write_kind kind) {
  if (!writable())
    return fail(ec::forbidden, "the store is open for reading only", "stop the manager and open it for writing");
  if (disk_full_) {
    if (kind == write_kind::essential) {
      reserve_.give_up();
    } else if (reserve_.hold()) {
      disk_full_ = false;
    } else {
      return fail(lmdb_error(ENOSPC, "write"));
    }
  }
  make_room(kind);
  write_ahead();
  return begin_inside(0);
}

// A commit that makes the file longer has to wait until the file system has written its own records, and so for what
// others write. One that only overwrites does not. Zeros, as reserved blocks would be waited for, too. Only the one
// writer makes the file longer. Where it fails, LMDB does without, and says what is wrong if it cannot.
void environment::write_ahead() {
  if (ahead_bytes_ == 0) return;
  const auto now = measure();
  const auto ahead = std::min(std::max(now.used_bytes, ahead_min), ahead_bytes_);
  if (now.used_bytes + ahead / 2 <= written_ahead_to_) return;
  written_ahead_to_ = std::min(now.used_bytes + ahead, map_max_bytes_);
  lengthen_with_zeros(dir_ / data_file, written_ahead_to_);
}

void environment::end(txn_ptr txn) {
  txn.reset();
  gate_.leave();
}

result<void> environment::commit(txn_ptr txn) {
  const size_t id = mdb_txn_id(txn.get());
  const int rc = cause_of(mdb_txn_commit(txn.release()), dir_);
  gate_.leave();
  if (rc == 0) return {};
  if (is_disk_full(rc)) disk_full_ = true;
  auto probe = begin_inside(MDB_RDONLY);  // reopens the environment when the failure was a fatal one
  if (!probe)
    return fail(ec::internal,
                write_error(rc, "commit").message + "; whether it was kept shows when the store opens again",
                probe.error().hint);
  const bool kept = mdb_txn_id(probe->get()) >= id;
  probe->reset();
  const int synced = kept ? mdb_env_sync(env_.get(), 1) : 0;
  gate_.leave();
  if (!kept) return fail(write_error(rc, "commit"));
  if (synced) return fail(lmdb_error(synced, "commit"));
  return {};
}

msg::error environment::write_error(int rc, std::string_view what) {
  if (rc == MDB_MAP_FULL) map_full_ = true;
  if (rc == MDB_MAP_FULL && map_bytes_ < map_max_bytes_)
    return {ec::busy, "the store must grow, and its readers did not leave in time", "repeat the request", {}};
  return lmdb_error(rc, what);
}

result<void> environment::reopen_if_panicked() {
  const std::lock_guard one(change_);
  if (!gate_.close(gate_patience_max))
    return fail(ec::busy, "the store must be reopened after a disk error, and readers are still using it",
                "repeat the request");
  result<void> done;
  MDB_txn* raw = nullptr;
  const int rc = env_ ? mdb_txn_begin(env_.get(), nullptr, MDB_RDONLY, &raw) : MDB_PANIC;
  if (rc == 0) {
    mdb_txn_abort(raw);  // another thread has opened it meanwhile
  } else {
    env_.reset();
    done = open_env_and_tables();
  }
  gate_.open();
  return done;
}

void environment::adopt_grown_map() {  // by another process
  const std::lock_guard one(change_);
  if (!gate_.close(gate_patience_max)) return;
  if (env_) mdb_env_set_mapsize(env_.get(), 0);
  gate_.open();
}

bool environment::resize(uint64_t bytes, std::chrono::milliseconds patience) {
  const std::lock_guard one(change_);
  if (!gate_.close(patience)) return false;
  int rc = 0;
  if (env_) {
    int dead = 0;
    mdb_reader_check(env_.get(), &dead);
    rc = mdb_env_set_mapsize(env_.get(), bytes);
    if (rc == 0) {
      map_bytes_ = measure_inside().map_bytes;
    } else {
      env_.reset();  // LMDB has unmapped the old map: the next transaction opens it anew with the old size
    }
  }
  gate_.open();
  return rc == 0;
}

// Ahead of need: with little room left the map grows when no reader is in the way, with too little it waits for them.
void environment::make_room(write_kind kind) {
  if (kind == write_kind::ordinary && map_full_.exchange(false)) recycle_freed_pages();
  const auto now = measure();
  const uint64_t free = now.map_bytes - std::min(now.map_bytes, now.used_bytes);
  const uint64_t limit = map_max_bytes_ + (kind == write_kind::essential ? whole_pages(reserve_bytes_) : 0);
  if (kind == write_kind::ordinary && now.map_bytes > std::max(map_max_bytes_, now.used_bytes)) {
    resize(std::max(map_max_bytes_, whole_pages(now.used_bytes)), gate_patience_max);  // the reserve is not for these
    return;
  }
  if (free >= 4 * headroom_bytes_ || now.map_bytes >= limit) return;
  const uint64_t wanted = std::max(2 * now.map_bytes, whole_pages(now.used_bytes + 8 * headroom_bytes_));
  resize(std::min(limit, wanted), std::chrono::milliseconds(free >= headroom_bytes_ ? 0 : gate_patience_max.count()));
}

// LMDB uses a freed page again from the second commit after it was freed. In a full store that commit has no room but
// the reserve, and without it the freed pages would stay out of reach for ever.
void environment::recycle_freed_pages() {
  if (reserve_bytes_ == 0 || !resize(map_max_bytes_ + whole_pages(reserve_bytes_), gate_patience_max)) return;
  auto txn = begin_inside(0);
  if (!txn) return;
  if (put_record(txn->get(), handles_, table::meta, "store.recycled", "", 0) == 0) mdb_txn_commit(txn->release());
  txn->reset();
  gate_.leave();
}

result<void> environment::reserve_map(uint64_t bytes) {
  const auto now = measure();
  const uint64_t wanted = std::min(map_max_bytes_, whole_pages(now.used_bytes + bytes));
  if (wanted > now.map_bytes && !resize(wanted, gate_patience_max))
    return fail(ec::busy, "the store could not grow its map", "close the tools that read it and start again");
  return {};
}

environment::sizes environment::measure_inside() const {
  MDB_envinfo info{};
  if (!env_ || mdb_env_info(env_.get(), &info)) return {0, map_bytes_};
  return {(info.me_last_pgno + 1) * page_bytes_, info.me_mapsize};
}

environment::sizes environment::measure() {
  gate_.enter();
  const auto s = measure_inside();
  gate_.leave();
  return s;
}

result<void> environment::copy_to(int fd) {
  gate_.enter();
  const int rc = env_ ? mdb_env_copyfd2(env_.get(), fd, MDB_CP_COMPACT) : MDB_PANIC;
  gate_.leave();
  if (rc) return fail(lmdb_error(rc, "backup"));
  return {};
}

}  // namespace zedops::store::detail
