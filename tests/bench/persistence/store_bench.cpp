// The store beside bare LMDB, in the same run on the same disk: what durability with checksums costs on top of the
// floor. Usage: store_bench [DIR on the disk to measure]
#include <lmdb.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "persistence/inspect.hpp"
#include "persistence/lmdb_store.hpp"

namespace {

using namespace zedops::store;
using clock_type = std::chrono::steady_clock;

constexpr size_t value_bytes = 400;
constexpr uint64_t scanned_records = 100'000;
constexpr int rounds = 5;  // the median counts

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "store_bench: %s\n", why.c_str());
  std::exit(1);
}
void check(int rc) {
  if (rc) die(mdb_strerror(rc));
}
template <class T>
T must(zedops::msg::result<T> r) {
  if (!r) die(r.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

std::string key_of(uint64_t n) {
  char text[24];
  std::snprintf(text, sizeof text, "srv-%016llx", static_cast<unsigned long long>(n));
  return text;
}
uint64_t shuffled(uint64_t n) { return n * 0x9E3779B97F4A7C15ULL; }  // random order, no repeats

double median(const std::function<double()>& once) {
  std::vector<double> all;
  for (int i = 0; i < rounds; ++i) all.push_back(once());
  std::sort(all.begin(), all.end());
  return all[rounds / 2];
}

struct floor_store {
  MDB_env* env = nullptr;
  MDB_dbi dbi = 0;
  explicit floor_store(const std::filesystem::path& dir) {
    std::filesystem::create_directories(dir);
    check(mdb_env_create(&env));
    check(mdb_env_set_maxdbs(env, 4));
    check(mdb_env_set_mapsize(env, uint64_t{1} << 30));
    check(mdb_env_open(env, dir.c_str(), MDB_NOTLS, 0600));
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env, nullptr, 0, &txn));
    check(mdb_dbi_open(txn, "servers", MDB_CREATE, &dbi));
    check(mdb_txn_commit(txn));
  }
  ~floor_store() { mdb_env_close(env); }
  void put(uint64_t from, uint64_t count, const std::string& value, bool append) const {
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env, nullptr, 0, &txn));
    for (uint64_t n = from; n < from + count; ++n) {
      const auto key = key_of(append ? n : shuffled(n));
      MDB_val k{key.size(), const_cast<char*>(key.data())}, v{value.size(), const_cast<char*>(value.data())};
      check(mdb_put(txn, dbi, &k, &v, append ? MDB_APPEND : 0));
    }
    check(mdb_txn_commit(txn));
  }
  uint64_t scan() const {  // touches every value once
    MDB_txn* txn = nullptr;
    MDB_cursor* cursor = nullptr;
    check(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn));
    check(mdb_cursor_open(txn, dbi, &cursor));
    uint64_t sum = 0;
    for (MDB_val k, v; mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0;)
      sum += static_cast<const unsigned char*>(v.mv_data)[0];
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return sum;
  }
};

void put_group(store& s, uint64_t from, uint64_t count, const std::string& value, bool append) {
  auto w = must(s.begin_write());
  for (uint64_t n = from; n < from + count; ++n) {
    if (append) {
      must(w->append(table::log, key_of(n), value));
    } else {
      must(w->put(table::servers, key_of(shuffled(n)), value));
    }
  }
  must(w->commit());
}

void bench_writes(const std::filesystem::path& dir) {
  const std::string value(value_bytes, 'v');
  std::printf("%-28s %14s %14s %8s\n", "puts/s (400 bytes)", "store", "bare LMDB", "ratio");
  for (const bool append : {false, true})
    for (const uint64_t group : {1, 100, 1000}) {
      const uint64_t groups = group == 1 ? 1000 : 20'000 / group;
      uint64_t at_store = 0, at_floor = 0;
      lmdb_options o;
      o.dir = dir / ("store" + std::to_string(group) + (append ? "a" : "p"));
      auto s = must(open_lmdb(o));
      const floor_store bare(dir / ("bare" + std::to_string(group) + (append ? "a" : "p")));
      std::vector<double> ours, theirs;
      for (int round = 0; round < rounds; ++round) {  // turn by turn, so that a busy disk hits both
        auto start = clock_type::now();
        for (uint64_t g = 0; g < groups; ++g, at_store += group) put_group(*s, at_store, group, value, append);
        ours.push_back(static_cast<double>(groups * group) / seconds_since(start));
        start = clock_type::now();
        for (uint64_t g = 0; g < groups; ++g, at_floor += group) bare.put(at_floor, group, value, append);
        theirs.push_back(static_cast<double>(groups * group) / seconds_since(start));
      }
      std::sort(ours.begin(), ours.end());
      std::sort(theirs.begin(), theirs.end());
      const double a = ours[rounds / 2], b = theirs[rounds / 2];
      char label[64];
      std::snprintf(label, sizeof label, "%s, %llu per transaction", append ? "append" : "put",
                    static_cast<unsigned long long>(group));
      std::printf("%-28s %14.0f %14.0f %8.2f\n", label, a, b, a / b);
    }
}

void bench_reads(const std::filesystem::path& dir) {
  const std::string value(value_bytes, 'v');
  lmdb_options o;
  o.dir = dir / "scan";
  auto s = must(open_lmdb(o));
  const floor_store bare(dir / "scan-bare");
  for (uint64_t n = 0; n < scanned_records; n += 1000) {
    put_group(*s, n, 1000, value, false);
    bare.put(n, 1000, value, false);
  }
  uint64_t seen = 0;
  const double scan = median([&] {
    const auto start = clock_type::now();
    auto r = must(s->begin_read());
    seen = 0;
    must(r->scan(
        table::servers, {}, direction::forward, [&](auto, auto) { return ++seen, true; },
        [](const corrupt_record&) {}));
    return seconds_since(start);
  });
  const double floor = median([&] {
    const auto start = clock_type::now();
    if (bare.scan() == 0) die("nothing scanned");
    return seconds_since(start);
  });
  std::printf("scan of %llu records: %.1f ms with checksums, %.1f ms bare cursor\n",
              static_cast<unsigned long long>(seen), scan * 1e3, floor * 1e3);
  s.reset();
  const auto open_with = [&](guard g) {
    return median([&] {
      o.check = g;
      const auto start = clock_type::now();
      const auto opened = must(open_lmdb(o));
      return seconds_since(start);
    });
  };
  std::printf("open: %.1f ms after a clean end, %.1f ms with every record verified in a child\n",
              open_with(guard::after_crash) * 1e3, open_with(guard::always) * 1e3);
  s = must(open_lmdb(o));
  const auto start = clock_type::now();
  must(s->backup(dir / "copy"));
  std::printf("backup, verified: %.0f ms\n", seconds_since(start) * 1e3);
}

}  // namespace

int main(int argc, char** argv) {
  std::string dir = std::string(argc > 1 ? argv[1] : "/var/tmp") + "/store-bench-XXXXXX";
  if (!::mkdtemp(dir.data())) die("cannot make " + dir);
  bench_writes(dir);
  bench_reads(dir);
  std::filesystem::remove_all(dir);
}
