#include "config/settings/settings.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "config/detail/settings_table.hpp"
#include "config/detail/toml_reader.hpp"
#include "config/settings/values.hpp"
#include "messages/base/names.hpp"

extern char** environ;

namespace zedops::config {

namespace {
using namespace detail;
using value_map = std::map<std::string, setting_value>;

// A TOML value as the text that a flag would have; nothing for a type that no setting has.
std::optional<std::string> as_text(const toml::node& node) {
  if (const auto* s = node.as_string()) return s->get();
  if (const auto* i = node.as_integer()) return std::to_string(i->get());
  if (const auto* list = node.as_array()) {
    std::string joined;
    for (const auto& entry : *list) {
      const auto* s = entry.as_string();
      if (!s || joined.size() > text_bytes_max) return std::nullopt;
      joined += (joined.empty() ? "" : ",") + s->get();
    }
    return joined;
  }
  return std::nullopt;
}

template <class S>
std::string_view wanted_type(const setting<S>& row) {
  if (std::holds_alternative<uint32_t S::*>(row.field)) return "an integer";
  if (std::holds_alternative<std::vector<std::string> S::*>(row.field)) return "a string or an array of strings";
  return "a string";
}

template <class S>
bool right_type(const setting<S>& row, const toml::node& node) {
  if (std::holds_alternative<uint32_t S::*>(row.field)) return node.is_integer();
  return node.is_string() || (node.is_array() && std::holds_alternative<std::vector<std::string> S::*>(row.field));
}

template <class S>
msg::result<value_map> read_file(const program<S>& program, std::string_view text, const std::string& file) {
  auto table = parse_toml(text, file, settings_bytes_max);
  if (!table) return msg::fail(table.error());
  std::vector<std::string_view> known;
  for (const auto& row : program.settings)
    if (in_file(row.key)) known.push_back(row.key);
  value_map values;
  for (auto&& [key, node] : *table) {
    auto row = std::find_if(program.settings.begin(), program.settings.end(),
                            [&name = key](const auto& r) { return r.key == name.str() && in_file(r.key); });
    if (row == program.settings.end()) {
      auto near = msg::closest(key.str(), known);
      return msg::fail(
          msg::ec::bad_request,
          fmt::format("{}: {} is not a setting of {}", place(file, key.source()), in_quotes(key.str()), program.name),
          !near ? fmt::format("remove it; settings are {}", listed(known)) : fmt::format("did you mean {}?", *near));
    }
    auto where = place(file, node.source());
    auto value = right_type(*row, node) ? as_text(node) : std::nullopt;
    if (!value)
      return msg::fail(msg::ec::bad_request, fmt::format("{}: {} must be {}", where, row->key, wanted_type(*row)),
                       fmt::format("give {}", allowed_text(*row)));
    values[std::string{row->key}] = {*value, where};
  }
  return values;
}

// The configuration file's values; none when only the default path is left and nothing is there.
template <class S>
msg::result<value_map> file_values(const program<S>& program, const setting_value& config) {
  std::error_code failed;
  if (config.origin == "default" && !std::filesystem::exists(config.text, failed) && !failed) return value_map{};
  auto text = read_text(config.text, settings_bytes_max);
  if (!text) {
    auto e = text.error();
    e.message = fmt::format("{}: configuration file {}", config.origin, e.message);
    return msg::fail(std::move(e));
  }
  return read_file(program, *text, config.text);
}

template <class S>
std::string help_of(const setting<S>& row, const surroundings& from, const value_map& values) {
  auto fallback = fallback_text(row, from, values);
  std::string text{row.help};
  return fallback && !fallback->empty() ? fmt::format("{} [{}]", text, *fallback) : text;
}

template <class S>
std::vector<flag_row> flag_rows(const program<S>& program, const surroundings& from) {
  std::vector<flag_row> rows;
  value_map fallbacks;
  for (const auto& row : program.settings) {
    rows.push_back({std::string{row.key}, help_of(row, from, fallbacks)});
    if (auto text = fallback_text(row, from, fallbacks)) fallbacks[std::string{row.key}] = {*text, "default"};
  }
  return rows;
}

// Flag, else environment, else file, else default.
template <class S>
msg::result<setting_value> choose(const setting<S>& row, const command_line& line, const value_map& file,
                                  const loaded<S>& so_far) {
  std::string key{row.key};
  if (auto flag = line.values.find(key); flag != line.values.end())
    return setting_value{flag->second, "flag " + flag_name(key)};
  const auto& environment = so_far.from.environment;
  if (auto variable = environment.find(variable_name(key)); variable != environment.end())
    return setting_value{variable->second, "environment variable " + variable->first};
  if (auto in = file.find(key); in != file.end()) return in->second;
  auto text = fallback_text(row, so_far.from, so_far.values);
  if (!text) return msg::fail(text.error());
  return setting_value{*text, "default"};
}

template <class S>
msg::result<void> resolve(const program<S>& program, const command_line& line, loaded<S>& out) {
  value_map file;
  for (const auto& row : program.settings) {
    auto value = choose(row, line, file, out);
    if (!value) return msg::fail(value.error());
    if (auto done = assign(row, *value, out.settings); !done) return msg::fail(done.error());
    out.values[std::string{row.key}] = *value;
    if (row.key != "config") continue;  // the first row: all others may come from the file that it names
    auto read = file_values(program, *value);
    if (!read) return msg::fail(read.error());
    file = std::move(*read);
  }
  if (auto bad = program.check(out.settings); !bad.key.empty())
    return msg::fail(msg::ec::bad_request, fmt::format("{}: {} {}", out.values[bad.key].origin, bad.key, bad.what),
                     bad.hint);
  return {};
}

std::vector<std::string> unread_variables(const surroundings& from) {
  std::vector<std::string> known_store;
  for (const auto& row : program_of<manager_settings>().settings) known_store.push_back(variable_name(row.key));
  for (const auto& row : program_of<agent_settings>().settings) known_store.push_back(variable_name(row.key));
  std::vector<std::string_view> known(known_store.begin(), known_store.end());
  std::vector<std::string> warnings;
  for (const auto& [name, value] : from.environment) {
    if (name.rfind("ZEDOPS_", 0) != 0 || std::find(known.begin(), known.end(), name) != known.end()) continue;
    auto near = msg::closest(name, known);
    warnings.push_back(fmt::format("environment variable {} is not a setting{}", in_quotes(name),
                                   !near ? "" : fmt::format("; did you mean {}?", *near)));
  }
  return warnings;
}

template <class S>
std::string checked_text(const program<S>& program, const loaded<S>& l) {
  std::string out = fmt::format("{}: configuration is good\n", program.name);
  for (const auto& row : program.settings) {
    const auto& value = l.values.at(std::string{row.key});
    out += fmt::format("{} = {}  # {}\n", row.key, in_quotes(value.text), value.origin);
  }
  for (const auto& warning : l.warnings) out += fmt::format("warning: {}\n", warning);
  return out;
}
}  // namespace

surroundings surroundings_of_process(int argc, const char* const* argv) {
  surroundings out;
  for (int i = 1; i < argc; ++i) out.arguments.emplace_back(argv[i]);
  for (char** variable = environ; variable && *variable; ++variable) {
    std::string_view entry{*variable};
    if (auto equals = entry.find('='); equals != std::string_view::npos)
      out.environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) == 0) out.hostname = name.data();
  out.root = geteuid() == 0;
  return out;
}

template <class S>
msg::result<loaded<S>> load_settings(surroundings from) {
  const auto& program = program_of<S>();
  auto line = parse_command_line(program.name, program.description, flag_rows(program, from), from.arguments);
  if (!line) return msg::fail(line.error());
  loaded<S> out;
  out.from = std::move(from);
  if (line->help) {
    out.print = line->help_text;
    return out;
  }
  if (line->version) {
    out.print = fmt::format("{} {}\n", program.name, ZEDOPS_VERSION);
    return out;
  }
  if (auto done = resolve(program, *line, out); !done) return msg::fail(done.error());
  out.warnings = unread_variables(out.from);
  if (line->check_config) out.print = checked_text(program, out);
  return out;
}

template <class S>
msg::result<reloaded<S>> reload(const loaded<S>& current) {
  auto fresh = load_settings<S>(current.from);
  if (!fresh) return msg::fail(fresh.error());
  reloaded<S> out;
  out.now = current;
  out.now.warnings = std::move(fresh->warnings);
  for (const auto& row : program_of<S>().settings) {
    bool same = std::visit([&](auto field) { return current.settings.*field == fresh->settings.*field; }, row.field);
    std::string key{row.key};
    if (same) continue;
    if (row.when == applies::at_restart) {
      out.restart.push_back(std::move(key));
      continue;
    }
    std::visit([&](auto field) { out.now.settings.*field = fresh->settings.*field; }, row.field);
    out.now.values[key] = fresh->values[key];
    out.changed.push_back(std::move(key));
  }
  return out;
}

template msg::result<loaded<manager_settings>> load_settings(surroundings);
template msg::result<loaded<agent_settings>> load_settings(surroundings);
template msg::result<reloaded<manager_settings>> reload(const loaded<manager_settings>&);
template msg::result<reloaded<agent_settings>> reload(const loaded<agent_settings>&);

}  // namespace zedops::config
