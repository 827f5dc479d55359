// The shape of the tables of settings. Private to config.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/settings/settings.hpp"

namespace zedops::config::detail {

template <class S>
using field_of = std::variant<std::string S::*, std::vector<std::string> S::*, msg::duration S::*, uint32_t S::*,
                              msg::log_level S::*, msg::log_format S::*>;

// What a text may be. optional_ ones may be empty.
enum class text_rule { none, file, directory, optional_directory, name, optional_name, endpoint, engine };

enum class applies { at_once, at_restart };

template <class S>
struct setting {
  std::string_view key;
  field_of<S> field;
  // As a user would write it. Placeholders: {config} {runtime} {state}, the base directories of root or user;
  // {hostname}, {docker_host}; {key} of an earlier row.
  std::string_view fallback;
  std::string_view help;
  applies when = applies::at_restart;
  text_rule rule = text_rule::none;
  int64_t least = 0;  // of a count, or milliseconds
  int64_t most = 0;
};

template <class S>
struct program {
  std::string_view name;
  std::string_view description;
  std::span<const setting<S>> settings;
  // Rules over several settings: {key at fault, what is wrong, remedy}; an empty key when all is well.
  struct conflict {
    std::string key, what, hint;
  };
  conflict (*check)(const S&);
};

template <class S>
const program<S>& program_of();

// The file may not name itself.
inline bool in_file(std::string_view key) { return key != "config"; }
std::string flag_name(std::string_view key);      // --sync-interval
std::string variable_name(std::string_view key);  // ZEDOPS_SYNC_INTERVAL

// Sets the row's field from text. Errors carry the origin.
template <class S>
msg::result<void> assign(const setting<S>& row, const setting_value& value, S& out);
template <class S>
std::string allowed_text(const setting<S>& row);

// The row's default here; `values` holds the earlier rows.
template <class S>
msg::result<std::string> fallback_text(const setting<S>& row, const surroundings& from,
                                       const std::map<std::string, setting_value>& values);

struct command_line {
  std::map<std::string, std::string> values;  // key → text
  bool help = false;
  bool version = false;
  bool check_config = false;
  std::string help_text;
};
struct flag_row {
  std::string key;
  std::string help;
};
msg::result<command_line> parse_command_line(std::string_view program, std::string_view description,
                                             const std::vector<flag_row>& rows,
                                             const std::vector<std::string>& arguments);

}  // namespace zedops::config::detail
