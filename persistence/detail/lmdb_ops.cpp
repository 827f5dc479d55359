#include "persistence/detail/lmdb_ops.hpp"

#include <cerrno>

#include "persistence/detail/checks.hpp"
#include "persistence/detail/data_dir.hpp"
#include "persistence/envelope.hpp"

namespace zedops::store::detail {

using msg::ec;
using msg::fail;

msg::error lmdb_error(int rc, std::string_view what) {
  const std::string cause = "store: " + std::string(what) + ": " + mdb_strerror(rc);
  switch (rc) {
    case ENOSPC:
    case EDQUOT: return {ec::store_full, cause, "free space on the file system of the data directory", {}};
    case MDB_MAP_FULL:
      return {ec::store_full, cause, "raise the store's map_max, or shorten the retention of the history", {}};
    case MDB_TXN_FULL: return {ec::too_large, cause, "write it in smaller transactions", {}};
    case MDB_READERS_FULL: return {ec::busy, cause, "repeat; fewer tools at a time may read the store", {}};
    case EACCES:
    case EPERM:
    case EROFS: return {ec::forbidden, cause, "run it as the user that owns the data directory", {}};
    case ENOENT: return {ec::not_found, cause, "check the data directory", {}};
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
      return {ec::internal, cause, "the store file is damaged: stop the manager and run zedctl store restore", {}};
    case MDB_PANIC: return {ec::internal, cause, "the disk refused a write; check the system log, then repeat", {}};
    default: return {ec::internal, cause, "check the system log, then run zedctl store verify", {}};
  }
}

result<env_ptr> open_env(const std::filesystem::path& path, unsigned flags, uint64_t map_bytes) {
  MDB_env* raw = nullptr;
  if (int rc = mdb_env_create(&raw)) return fail(lmdb_error(rc, "open"));
  env_ptr env(raw);
  mdb_env_set_maxdbs(raw, table_count + 8);  // a few more than this program knows
  mdb_env_set_maxreaders(raw, readers_max);
  if (map_bytes)
    if (int rc = mdb_env_set_mapsize(raw, map_bytes)) return fail(lmdb_error(rc, "set the map size"));
  if (int rc = mdb_env_open(raw, path.c_str(), flags | MDB_NOTLS, 0600))
    return fail(rc == EACCES || rc == EIO ? io_error(rc, "open " + path.string() + " (its files may be another user's)")
                                          : lmdb_error(rc, "open " + path.string()));
  if (!(flags & (MDB_NOSUBDIR | MDB_NOLOCK))) {
    give_to_dir_owner(path / data_file);
    give_to_dir_owner(path / "lock.mdb");
  }
  return env;
}

result<txn_ptr> begin_txn(MDB_env* env, unsigned flags) {
  MDB_txn* raw = nullptr;
  if (int rc = mdb_txn_begin(env, nullptr, flags, &raw)) return fail(lmdb_error(rc, "begin a transaction"));
  return txn_ptr(raw);
}

result<table_handles> open_tables(MDB_txn* txn, tables mode) {
  table_handles handles;
  handles.fill(no_table);
  for (size_t i = 0; i < table_count; ++i) {
    const std::string name(table_names[i]);
    const int rc = mdb_dbi_open(txn, name.c_str(), mode == tables::create ? MDB_CREATE : 0, &handles[i]);
    if (rc == MDB_NOTFOUND) {
      handles[i] = no_table;
    } else if (rc) {
      return fail(lmdb_error(rc, "open the table " + name));
    }
  }
  return handles;
}

result<std::optional<std::string>> get_record(MDB_txn* txn, const table_handles& h, table t, std::string_view key) {
  if (auto ok = check_key(key); !ok) return fail(std::move(ok).error());
  const MDB_dbi dbi = h[static_cast<size_t>(t)];
  if (dbi == no_table) return std::nullopt;
  MDB_val k = to_val(key), v{};
  const int rc = mdb_get(txn, dbi, &k, &v);
  if (rc == MDB_NOTFOUND) return std::nullopt;
  if (rc) return fail(lmdb_error(rc, "read " + std::string(name_of(t)) + "/" + printable(key)));
  const auto opened = unseal(t, key, to_view(v));
  if (!opened.damage.empty()) return fail(damaged_record_error(t, key, opened.damage));
  return std::string(opened.payload);
}

namespace {

// Puts the cursor on the first record of a scan.
int position(MDB_cursor* cursor, std::string_view from, direction d, MDB_val& k, MDB_val& v) {
  if (from.empty()) return mdb_cursor_get(cursor, &k, &v, d == direction::forward ? MDB_FIRST : MDB_LAST);
  k = to_val(from);
  const int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
  if (d == direction::forward) return rc;
  if (rc == MDB_NOTFOUND) return mdb_cursor_get(cursor, &k, &v, MDB_LAST);
  return rc == 0 && to_view(k) != from ? mdb_cursor_get(cursor, &k, &v, MDB_PREV) : rc;
}

}  // namespace

result<void> scan_records(MDB_txn* txn, const table_handles& h, table t, std::string_view from, direction d,
                          record_visitor visit, corrupt_visitor damaged) {
  if (from.size() > key_bytes_max) return check_key(from);
  const MDB_dbi dbi = h[static_cast<size_t>(t)];
  if (dbi == no_table) return {};
  MDB_cursor* raw = nullptr;
  if (int rc = mdb_cursor_open(txn, dbi, &raw)) return fail(lmdb_error(rc, "scan " + std::string(name_of(t))));
  const cursor_ptr cursor(raw);
  const MDB_cursor_op step = d == direction::forward ? MDB_NEXT : MDB_PREV;
  MDB_val k{}, v{};
  int rc = position(raw, from, d, k, v);
  for (; rc == 0; rc = mdb_cursor_get(raw, &k, &v, step)) {
    const auto key = to_view(k);
    const auto opened = unseal(t, key, to_view(v));
    if (!opened.damage.empty()) {
      damaged(describe_damage(t, key, opened.damage, to_view(v)));
    } else if (!visit(key, opened.payload)) {
      return {};
    }
  }
  if (rc != MDB_NOTFOUND) return fail(lmdb_error(rc, "scan " + std::string(name_of(t))));
  return {};
}

uint64_t count_records(MDB_txn* txn, const table_handles& h, table t) {
  const MDB_dbi dbi = h[static_cast<size_t>(t)];
  MDB_stat s{};
  return dbi != no_table && mdb_stat(txn, dbi, &s) == 0 ? s.ms_entries : 0;
}

int put_record(MDB_txn* txn, const table_handles& h, table t, std::string_view key, std::string_view value,
               unsigned flags) {
  MDB_val k = to_val(key), v{envelope_bytes + value.size(), nullptr};
  const int rc = mdb_put(txn, h[static_cast<size_t>(t)], &k, &v, flags | MDB_RESERVE);
  if (rc == 0) seal(t, key, value, static_cast<char*>(v.mv_data));
  return rc;
}

}  // namespace zedops::store::detail
