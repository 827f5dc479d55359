// The store: ordered tables of (key, value) bytes with one writer at a time, snapshot readers and durable commits.
// It knows nothing of what the values mean. LMDB implements it (lmdb_store.hpp), memory_store.hpp is for simulations.
//
// Errors that any call may give: store_full (no space: free some, reads go on), busy (it is in use by another, repeat),
// internal (damage or an I/O error; the hint names the remedy). Nothing here throws.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/error.hpp"
#include "persistence/function_ref.hpp"

namespace zedops::store {

using msg::result;

// Names and numbers are on disk (the number is part of each record's checksum): append only.
#define ZEDOPS_STORE_TABLES(X)                                                  \
  X(meta)       /* what the store is: keys "store.*" are its own */             \
  X(servers)    /* snapshots of servers */                                      \
  X(agents)     /* snapshots of hosts */                                        \
  X(operations) /* snapshots of operations */                                   \
  X(log)        /* facts, in the order of their numbers; trimmed from below */  \
  X(claims)     /* empty: claims follow from the records (docs/adr) */          \
  X(orphans)    /* data left behind by purged servers */                        \
  X(audit)      /* who asked for what, chained by hashes; trimmed from below */ \
  X(usage)      /* what hosts and servers use; only in a store of its own */    \
  X(projects)   /* snapshots of projects */                                     \
  X(services)   /* snapshots of services, with their deployments */

enum class table : uint8_t {
#define X(name) name,
  ZEDOPS_STORE_TABLES(X)
#undef X
};

inline constexpr std::array table_names = {
#define X(name) std::string_view{#name},
    ZEDOPS_STORE_TABLES(X)
#undef X
};
inline constexpr size_t table_count = table_names.size();

constexpr std::string_view name_of(table t) { return table_names[static_cast<size_t>(t)]; }
constexpr std::optional<table> table_from_name(std::string_view name) {
  for (size_t i = 0; i < table_count; ++i)
    if (table_names[i] == name) return static_cast<table>(i);
  return std::nullopt;
}

inline constexpr size_t key_bytes_max = 511;                // LMDB's own limit
inline constexpr size_t value_bytes_max = 8 * 1024 * 1024;  // of one value; more is too_large
inline constexpr size_t damaged_listed_max = 100;           // damaged records that a report names one by one
inline constexpr size_t damaged_raw_max = 4096;             // bytes of a damaged record that a report keeps

// What one transaction may hold (beyond: too_large). The map's headroom follows from it.
struct batch_limits {
  uint64_t writes_max = 10'000;
  uint64_t bytes_max = 32 * 1024 * 1024;  // keys and values
};

struct corrupt_record {
  table where = table::meta;
  std::string key;
  std::string reason;
  std::string raw;  // the bytes as found, at most damaged_raw_max

  friend bool operator==(const corrupt_record&, const corrupt_record&) = default;
};

enum class direction : uint8_t { forward, backward };

// Views are valid during the call only. Return false to end the scan.
using record_visitor = function_ref<bool(std::string_view key, std::string_view value)>;
using corrupt_visitor = function_ref<void(const corrupt_record&)>;

// A consistent snapshot. Short-lived: while one is open the store cannot grow its map or recycle old pages.
// May move between threads, but is used by one at a time. Must not outlive its store.
class reader {
 public:
  virtual ~reader() = default;
  // nullopt: no such record. A record whose checksum does not match is an error (internal), never a value.
  virtual result<std::optional<std::string>> get(table t, std::string_view key) const = 0;
  // Visits from `from` (inclusive; empty: from the first, or backward from the last). Damaged records go to `damaged`
  // instead of `visit`, and the scan goes on. The visitor must not write into the same transaction.
  virtual result<void> scan(table t, std::string_view from, direction d, record_visitor visit,
                            corrupt_visitor damaged) const = 0;
  virtual uint64_t count(table t) const = 0;
};

// The one open transaction; reads see its own writes. Ends on the thread that began it. Destroyed without commit:
// nothing happened. The first failed write dooms it: commit then returns that failure and nothing is kept.
class writer : public reader {
 public:
  virtual result<void> put(table t, std::string_view key, std::string_view value) = 0;
  // A put whose key must be above every key of the table (cheaper; for the log).
  virtual result<void> append(table t, std::string_view key, std::string_view value) = 0;
  // False: there was no such record.
  virtual result<bool> erase(table t, std::string_view key) = 0;
  // Erases the records with keys below `end`, at most `max`; returns how many.
  virtual result<uint64_t> trim(table t, std::string_view end, uint64_t max) = 0;
  // Durable when it returns success. On failure nothing of the transaction is kept. The writer is spent either way.
  virtual result<void> commit() = 0;
};

// Ordinary writes are refused when space runs out; essential ones (stop, delete, trim) may use the reserve.
enum class write_kind : uint8_t { ordinary, essential };

enum class opened_as : uint8_t { created, clean, verified, partly_verified };  // after a crash records are verified

struct stats {
  uint32_t schema = 0;
  uint64_t epoch = 0;
  std::array<uint64_t, table_count> records{};
  uint64_t file_bytes = 0;
  uint64_t used_bytes = 0;  // up to the last page ever used, free pages included
  uint64_t map_bytes = 0;
  uint64_t map_max_bytes = 0;
  opened_as opened = opened_as::created;
  uint64_t damaged_at_open = 0;  // known only when opened is (partly_)verified
};

struct verify_report {
  uint32_t schema = 0;
  uint64_t epoch = 0;
  uint64_t file_bytes = 0;
  std::array<uint64_t, table_count> records{};  // intact ones
  uint64_t damaged = 0;
  std::vector<corrupt_record> listed;  // the first damaged_listed_max
  std::string structure;               // why the file as a whole cannot be trusted; empty: it can
  bool complete = true;                // false: the deadline came first

  bool sound() const { return structure.empty() && damaged == 0 && complete; }
};

// One step of the schema, from version `from` to from + 1. Additive: it may add records and rewrite them in a newer
// form that keeps the content of the older one. All steps run in one transaction.
struct migration {
  uint32_t from = 0;
  std::string what;
  std::function<result<void>(writer&)> run;
};

class store {
 public:
  virtual ~store() = default;
  // busy: another writer is open. Never waits for it.
  virtual result<std::unique_ptr<writer>> begin_write(write_kind kind) = 0;
  result<std::unique_ptr<writer>> begin_write() { return begin_write(write_kind::ordinary); }
  virtual result<std::unique_ptr<reader>> begin_read() const = 0;
  // Random id given at creation and at each restore: cursors of another epoch mean nothing here.
  virtual uint64_t epoch() const = 0;
  virtual stats statistics() const = 0;
  // Gives the memory of pages that were only read back to the system; they are read again when needed.
  virtual void release_memory() const {}
  // An online copy into one new file, compacted, verified after the copy. already_exists: the file is there.
  virtual result<verify_report> backup(const std::filesystem::path& file) const = 0;
};

// Keys of the table meta that belong to the store.
inline constexpr std::string_view meta_schema = "store.schema";  // decimal
inline constexpr std::string_view meta_epoch = "store.epoch";    // 16 hex digits

}  // namespace zedops::store
