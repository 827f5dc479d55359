#include "config/detail/toml_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sstream>

#include "config/detail/key_depth.hpp"
#include "config/settings/values.hpp"
#include "messages/base/names.hpp"

namespace zedops::config::detail {

namespace {
std::string_view type_name(toml::node_type type) {
  switch (type) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a number";
    case toml::node_type::boolean: return "true or false";
    case toml::node_type::none:
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time: break;
  }
  return "a date or time";
}
}  // namespace

std::string place(const std::string& file, const toml::source_region& where) {
  return fmt::format("{}:{}:{}", file, where.begin.line, where.begin.column);
}

msg::result<toml::table> parse_toml(std::string_view text, const std::string& file, size_t bytes_max) {
  if (text.size() > bytes_max)
    return msg::fail(msg::ec::too_large, fmt::format("{}: {} bytes, at most {} are read", file, text.size(), bytes_max),
                     "split the file or remove what is not needed");
  if (auto deep = too_deep_key(text))
    return msg::fail(
        msg::ec::bad_request,
        fmt::format("{}:{}:{}: a key has more than {} parts", file, deep->line, deep->column, key_parts_max),
        "shorten the key");
  try {
    return toml::parse(text, std::string_view{file});
  } catch (const toml::parse_error& e) {
    return msg::fail(msg::ec::bad_request, fmt::format("{}: {}", place(file, e.source()), e.description()),
                     "correct the TOML syntax at this place (https://toml.io)");
  } catch (const std::exception& e) {
    return msg::fail(msg::ec::bad_request, fmt::format("{}:1:1: cannot be read as TOML: {}", file, e.what()),
                     "check that this is a TOML text file");
  }
}

msg::result<std::string> read_text(const std::string& path, size_t bytes_max) {
  auto failed = [&] {
    return msg::fail(msg::ec::bad_request, fmt::format("{}: {}", path, std::strerror(errno)),
                     "check the path and its permissions");
  };
  std::unique_ptr<FILE, int (*)(FILE*)> file{std::fopen(path.c_str(), "rb"), &std::fclose};
  if (!file) return failed();
  std::string text(bytes_max + 1, '\0');  // one byte more, to tell a file that is too long
  errno = 0;
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return failed();
  if (text.size() > bytes_max)
    return msg::fail(msg::ec::too_large, fmt::format("{}: more than {} bytes", path, bytes_max),
                     "check that this is the file you meant");
  return text;
}

table_reader::table_reader(const toml::table& table, std::string file)
    : table_(table), file_(std::move(file)), problem_(&own_problem_) {}

table_reader::table_reader(const toml::table& table, const table_reader& parent, std::string prefix)
    : table_(table), file_(parent.file_), prefix_(std::move(prefix)), problem_(parent.problem_) {}

void table_reader::complain_at(const toml::source_region& where, std::string_view key, const std::string& what,
                               std::string hint) {
  if (*problem_) return;
  *problem_ = msg::error{
      msg::ec::bad_request, fmt::format("{}: {}{} {}", place(file_, where), prefix_, key, what), std::move(hint), {}};
}

void table_reader::complain(std::string_view key, const std::string& what, std::string hint) {
  const auto* node = table_.get(key);
  complain_at(node ? node->source() : table_.source(), key, what, std::move(hint));
}

const toml::node* table_reader::find(std::string_view key) {
  known_.emplace_back(key);
  return *problem_ ? nullptr : table_.get(key);
}

const toml::node* table_reader::find(std::string_view key, toml::node_type type, std::string_view wanted) {
  const auto* node = find(key);
  if (!node || node->type() == type) return node;
  complain(key, fmt::format("must be {}, got {}", wanted, type_name(node->type())),
           fmt::format("write {}{} as {}", prefix_, key, wanted));
  return nullptr;
}

bool table_reader::acceptable(std::string_view key, const toml::node& value) {
  const auto* text = value.as_string();
  if (!text) {
    complain_at(value.source(), key, fmt::format("must hold strings, got {}", type_name(value.type())),
                "put the value in quotes");
    return false;
  }
  if ((*text)->size() > text_bytes_max) {
    complain_at(value.source(), key,
                fmt::format("has {} bytes, at most {} are allowed", (*text)->size(), text_bytes_max), "shorten it");
    return false;
  }
  if ((*text)->find('\0') != std::string::npos) {
    complain_at(value.source(), key, "has a NUL byte", "remove it");
    return false;
  }
  return true;
}

void table_reader::text(std::string_view key, std::string& out) {
  if (const auto* node = find(key, toml::node_type::string, "a string"); node && acceptable(key, *node))
    out = node->as_string()->get();
}

void table_reader::texts(std::string_view key, std::vector<std::string>& out) {
  const auto* node = find(key, toml::node_type::array, "an array of strings");
  if (!node) return;
  const auto& list = *node->as_array();
  if (list.size() > list_entries_max)
    return complain(key, fmt::format("has {} entries, at most {} are allowed", list.size(), list_entries_max),
                    "remove entries");
  std::vector<std::string> read;
  for (const auto& value : list) {
    if (!acceptable(key, value)) return;
    read.push_back(value.as_string()->get());
  }
  out = std::move(read);
}

void table_reader::map(std::string_view key, std::map<std::string, std::string>& out) {
  const auto* node = find(key, toml::node_type::table, "a table of strings");
  if (!node) return;
  const auto& table = *node->as_table();
  if (table.size() > map_entries_max)
    return complain(key, fmt::format("has {} entries, at most {} are allowed", table.size(), map_entries_max),
                    "remove entries");
  for (auto&& [name, value] : table) {
    auto full = fmt::format("{}.{}", key, in_quotes(name.str()));
    if (!acceptable(full, value)) return;
    out[std::string{name.str()}] = value.as_string()->get();
  }
}

void table_reader::flag(std::string_view key, bool& out) {
  if (const auto* node = find(key, toml::node_type::boolean, "true or false")) out = node->as_boolean()->get();
}

void table_reader::time(std::string_view key, msg::duration& out, range<msg::duration> allowed) {
  const auto* node = find(key, toml::node_type::string, "a duration such as \"30s\"");
  if (!node) return;
  auto value = msg::parse_duration(node->as_string()->get());
  if (value && *value >= allowed.least && *value <= allowed.most) {
    out = *value;
    return;
  }
  complain(key,
           fmt::format("is {}, which is not a duration from {} to {}", in_quotes(node->as_string()->get()),
                       msg::format_duration(allowed.least), msg::format_duration(allowed.most)),
           "write a number with a unit: ms, s, m, h or d, such as \"30s\"");
}

void table_reader::size(std::string_view key, uint64_t& out, range<uint64_t> allowed) {
  const auto* node = find(key, toml::node_type::string, "a size such as \"512MiB\"");
  if (!node) return;
  auto value = parse_size(node->as_string()->get());
  if (value && (*value == 0 || (*value >= allowed.least && *value <= allowed.most))) {
    out = *value;
    return;
  }
  complain(key,
           fmt::format("is {}, which is not a size from {} to {}", in_quotes(node->as_string()->get()),
                       format_size(allowed.least), format_size(allowed.most)),
           "write a number with a unit: KiB, MiB or GiB, such as \"512MiB\"");
}

std::optional<int64_t> table_reader::whole(std::string_view key, range<int64_t> allowed) {
  const auto* node = find(key, toml::node_type::integer, "an integer");
  if (!node) return std::nullopt;
  auto value = node->as_integer()->get();
  if (value >= allowed.least && value <= allowed.most) return value;
  complain(key, fmt::format("is {}", value), fmt::format("give a number from {} to {}", allowed.least, allowed.most));
  return std::nullopt;
}

std::optional<double> table_reader::real(std::string_view key, range<double> allowed) {
  const auto* node = find(key);
  if (!node) return std::nullopt;
  auto value = node->value<double>();  // integers count as numbers
  if (value && node->is_number() && *value >= allowed.least && *value <= allowed.most) return value;
  complain(key, "is not an allowed number", fmt::format("give a number from {} to {}", allowed.least, allowed.most));
  return std::nullopt;
}

std::optional<size_t> table_reader::word_index(std::string_view key, const std::vector<std::string_view>& names) {
  std::string got;
  text(key, got);
  if (!has(key) || *problem_) return std::nullopt;
  std::vector<std::string> words;
  for (auto name : names) {
    words.emplace_back(name);
    std::replace(words.back().begin(), words.back().end(), '_', '-');
  }
  for (size_t i = 0; i < words.size(); ++i)
    if (got == words[i]) return i;
  std::vector<std::string_view> views(words.begin(), words.end());
  complain(key, fmt::format("is {}", in_quotes(got)), fmt::format("use {}", listed(views)));
  return std::nullopt;
}

void table_reader::table(std::string_view key, const std::function<void(table_reader&)>& read) {
  const auto* node = find(key, toml::node_type::table, "a table");
  if (!node) return;
  table_reader child{*node->as_table(), *this, fmt::format("{}{}.", prefix_, key)};
  read(child);
  child.finish();
}

void table_reader::tables(std::string_view key, const std::function<void(table_reader&)>& read) {
  const auto* node = find(key, toml::node_type::array, fmt::format("tables [[{}{}]]", prefix_, key));
  if (!node) return;
  const auto& list = *node->as_array();
  if (list.size() > list_entries_max)
    return complain(key, fmt::format("has {} entries, at most {} are allowed", list.size(), list_entries_max),
                    "remove entries");
  size_t i = 0;
  for (const auto& value : list) {
    auto name = fmt::format("{}[{}]", key, i++);
    if (!value.is_table())
      return complain_at(value.source(), name, fmt::format("must be a table, got {}", type_name(value.type())),
                         fmt::format("write each entry under its own [[{}{}]]", prefix_, key));
    table_reader child{*value.as_table(), *this, fmt::format("{}{}.", prefix_, name)};
    read(child);
    child.finish();
  }
}

void table_reader::finish() {
  if (*problem_) return;
  std::vector<std::string_view> known(known_.begin(), known_.end());
  for (auto&& [name, value] : table_) {
    if (std::find(known.begin(), known.end(), name.str()) != known.end()) continue;
    auto near = msg::closest(name.str(), known);
    auto shown = in_quotes(name.str());
    return complain_at(
        name.source(), shown, "is not a known key",
        !near ? fmt::format("remove it; known keys are {}", listed(known)) : fmt::format("did you mean {}?", *near));
  }
}

}  // namespace zedops::config::detail
