// Flags of a daemon, from its table of settings.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "config/detail/settings_table.hpp"
#include "config/settings/values.hpp"
#include "messages/base/names.hpp"

namespace zedops::config::detail {

namespace {
constexpr size_t arguments_max = 256;

msg::error unknown_flag(std::string_view got, const std::vector<flag_row>& rows) {
  std::vector<std::string> names = {"--help", "--version", "--check-config"};
  for (const auto& row : rows) names.push_back(flag_name(row.key));
  std::vector<std::string_view> views(names.begin(), names.end());
  auto near = msg::closest(got.substr(0, got.find('=')), views);
  return {msg::ec::bad_request,
          fmt::format("{} is not a flag of this program", in_quotes(got)),
          !near ? "see --help" : fmt::format("did you mean {}? see --help", *near),
          {}};
}
}  // namespace

msg::result<command_line> parse_command_line(std::string_view program, std::string_view description,
                                             const std::vector<flag_row>& rows,
                                             const std::vector<std::string>& arguments) {
  if (arguments.size() > arguments_max)
    return msg::fail(msg::ec::bad_request,
                     fmt::format("{} arguments, at most {} are read", arguments.size(), arguments_max), "see --help");
  try {
    CLI::App app{std::string{description}, std::string{program}};
    app.set_help_flag();  // ours is a plain flag: CLI11's would leave by an exception
    app.allow_extras();
    app.prefix_command(false);
    app.get_formatter()->column_width(36);
    command_line out;
    app.add_flag("-h,--help", out.help, "print this help");
    app.add_flag("--version", out.version, "print the version");
    app.add_flag("--check-config", out.check_config, "check the configuration, print every setting and its origin");
    std::map<std::string, std::string> read;
    for (const auto& row : rows)
      app.add_option(flag_name(row.key), read[row.key], row.help)
          ->type_name("")
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app.footer(
        "Each setting is also a key of the configuration file (sync_interval) and an environment variable\n"
        "(ZEDOPS_SYNC_INTERVAL). A flag wins over the environment, the environment over the file.");
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // the order in which CLI11 takes a vector
    app.parse(reversed);
    if (auto extras = app.remaining(); !extras.empty()) return msg::fail(unknown_flag(extras.front(), rows));
    for (const auto& row : rows)
      if (app.count(flag_name(row.key)) > 0) out.values[row.key] = read[row.key];
    if (out.help) out.help_text = app.help();
    return out;
  } catch (const std::exception& e) {
    return msg::fail(msg::ec::bad_request, fmt::format("arguments: {}", e.what()), "see --help");
  }
}

}  // namespace zedops::config::detail
