// LMDB's handles as owning pointers, its error numbers as errors, and records in a transaction. Private to this folder.
#pragma once
#include <lmdb.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "persistence/store.hpp"

namespace zedops::store::detail {

struct env_closer {
  void operator()(MDB_env* env) const { mdb_env_close(env); }
};
struct txn_aborter {
  void operator()(MDB_txn* txn) const { mdb_txn_abort(txn); }
};
struct cursor_closer {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using env_ptr = std::unique_ptr<MDB_env, env_closer>;
using txn_ptr = std::unique_ptr<MDB_txn, txn_aborter>;
using cursor_ptr = std::unique_ptr<MDB_cursor, cursor_closer>;

inline constexpr MDB_dbi no_table = ~MDB_dbi{0};  // a table that an older file does not have yet: reads as empty
using table_handles = std::array<MDB_dbi, table_count>;

inline constexpr unsigned readers_max = 512;  // open read transactions, of all processes

inline MDB_val to_val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
inline std::string_view to_view(const MDB_val& v) { return {static_cast<const char*>(v.mv_data), v.mv_size}; }

// `what` says what was being done ("commit"); the result names cause and remedy.
msg::error lmdb_error(int rc, std::string_view what);

// map_bytes 0: as the file says.
result<env_ptr> open_env(const std::filesystem::path& path, unsigned flags, uint64_t map_bytes);
result<txn_ptr> begin_txn(MDB_env* env, unsigned flags);
// Opens the tables that exist; with create, makes the missing ones in the same (write) transaction.
enum class tables : uint8_t { existing, create };
result<table_handles> open_tables(MDB_txn* txn, tables mode);

result<std::optional<std::string>> get_record(MDB_txn* txn, const table_handles& h, table t, std::string_view key);
result<void> scan_records(MDB_txn* txn, const table_handles& h, table t, std::string_view from, direction d,
                          record_visitor visit, corrupt_visitor damaged);
uint64_t count_records(MDB_txn* txn, const table_handles& h, table t);
// Seals straight into the page. flags: 0 or MDB_APPEND. Returns LMDB's number.
int put_record(MDB_txn* txn, const table_handles& h, table t, std::string_view key, std::string_view value,
               unsigned flags);

}  // namespace zedops::store::detail
