// A directory for one test, removed afterwards; and short helpers for what every store test does.
#pragma once
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "persistence/lmdb_store.hpp"
#include "tests/support/catch.hpp"

namespace zedops::store::test {

class scratch_dir {
 public:
  explicit scratch_dir(const std::filesystem::path& where = std::filesystem::temp_directory_path()) {
    std::string name = (where / "zedops-store-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  scratch_dir(const scratch_dir&) = delete;
  scratch_dir& operator=(const scratch_dir&) = delete;
  ~scratch_dir() {
    std::error_code none;
    std::filesystem::remove_all(path_, none);
  }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline lmdb_options options_for(const std::filesystem::path& dir) {
  lmdb_options o;
  o.dir = dir;
  o.map_bytes = 16 << 20;
  o.map_max_bytes = 256 << 20;
  o.reserve_bytes = 1 << 20;
  o.batch = {2000, 2 << 20};
  return o;
}

template <class T>
T must(result<T> r) {
  INFO((r ? "" : r.error().message + " | " + r.error().hint));
  REQUIRE(r.has_value());
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

inline void put_one(store& s, table t, std::string_view key, std::string_view value) {
  auto w = must(s.begin_write());
  must(w->put(t, key, value));
  must(w->commit());
}

inline std::optional<std::string> get_one(const store& s, table t, std::string_view key) {
  return must(must(s.begin_read())->get(t, key));
}

struct scanned {
  std::vector<std::string> keys;
  std::vector<corrupt_record> damaged;
  friend bool operator==(const scanned&, const scanned&) = default;
};
inline scanned scan_keys(const reader& r, table t, std::string_view from = {}, direction d = direction::forward) {
  scanned found;
  must(r.scan(
      t, from, d, [&](std::string_view key, std::string_view) { return found.keys.emplace_back(key), true; },
      [&](const corrupt_record& c) { found.damaged.push_back(c); }));
  return found;
}

inline std::string numbered(uint64_t n) {
  char text[24];
  std::snprintf(text, sizeof text, "k%012llu", static_cast<unsigned long long>(n));
  return text;
}

inline void fill(store& s, table t, uint64_t records, size_t bytes = 400) {
  for (uint64_t n = 0; n < records;) {
    auto w = must(s.begin_write());
    for (const uint64_t end = std::min(records, n + 1000); n < end; ++n)
      must(w->put(t, numbered(n), std::string(bytes, static_cast<char>('a' + n % 26))));
    must(w->commit());
  }
}

}  // namespace zedops::store::test
