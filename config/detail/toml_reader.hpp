// Reads a TOML table into fields and remembers the first thing wrong with it, with its place in the file.
// Private to config: the only header that shows toml++.
#pragma once
#include <toml++/toml.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/enums.hpp"
#include "messages/base/error.hpp"
#include "messages/base/time.hpp"

namespace zedops::config::detail {

inline constexpr size_t text_bytes_max = 4096;
inline constexpr size_t list_entries_max = 64;
inline constexpr size_t map_entries_max = 256;

// Parses a whole file; `bytes_max` is refused before any parsing. Never throws.
msg::result<toml::table> parse_toml(std::string_view text, const std::string& file, size_t bytes_max);

// A file's text, or why it can't be read; at most `bytes_max` bytes.
msg::result<std::string> read_text(const std::string& path, size_t bytes_max);

// "file:line:column"
std::string place(const std::string& file, const toml::source_region& where);

template <class T>
struct range {
  T least;
  T most;
};

// A key that is absent leaves its field alone. After the first problem nothing is reported any more.
class table_reader {
 public:
  table_reader(const toml::table& table, std::string file);

  void text(std::string_view key, std::string& out);
  void texts(std::string_view key, std::vector<std::string>& out);
  void map(std::string_view key, std::map<std::string, std::string>& out);
  void flag(std::string_view key, bool& out);
  void time(std::string_view key, msg::duration& out, range<msg::duration> allowed);
  void size(std::string_view key, uint64_t& out, range<uint64_t> allowed);
  std::optional<int64_t> whole(std::string_view key, range<int64_t> allowed);
  std::optional<double> real(std::string_view key, range<double> allowed);
  template <class N>
  void number(std::string_view key, N& out, range<int64_t> allowed) {
    if (auto n = whole(key, allowed)) out = static_cast<N>(*n);
  }
  // Words of an enum; files write '-' where the enum has '_'.
  template <msg::named_enum E>
  void word(std::string_view key, E& out) {
    constexpr auto& names = msg::enum_names<E>::list;
    if (auto i = word_index(key, std::vector<std::string_view>(names.begin(), names.end()))) out = static_cast<E>(*i);
  }
  void table(std::string_view key, const std::function<void(table_reader&)>& read);
  void tables(std::string_view key, const std::function<void(table_reader&)>& read);  // [[key]]

  // Reports a problem with a key (at its value when it is there, else at the table).
  void complain(std::string_view key, const std::string& what, std::string hint);
  // Refuses the keys that were not read; call it last.
  void finish();
  bool has(std::string_view key) const { return table_.contains(key); }
  const std::optional<msg::error>& problem() const { return *problem_; }

 private:
  table_reader(const toml::table& table, const table_reader& parent, std::string prefix);
  const toml::node* find(std::string_view key);
  const toml::node* find(std::string_view key, toml::node_type type, std::string_view wanted);
  std::optional<size_t> word_index(std::string_view key, const std::vector<std::string_view>& names);
  bool acceptable(std::string_view key, const toml::node& value);
  void complain_at(const toml::source_region& where, std::string_view key, const std::string& what, std::string hint);

  const toml::table& table_;
  std::string file_;
  std::string prefix_;  // "stop." for keys of [stop]
  std::vector<std::string> known_;
  std::optional<msg::error> own_problem_;
  std::optional<msg::error>* problem_;  // shared by all readers of one file
};

}  // namespace zedops::config::detail
