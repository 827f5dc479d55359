// Texts made from the tables: the sample files and the reference.
#include <fmt/format.h>

#include "config/detail/settings_table.hpp"

namespace zedops::config {

namespace {
using namespace detail;

surroundings sample_root() { return {{}, {}, "host-1", true}; }
// Shows the variables themselves where a user's defaults come from.
surroundings sample_user() {
  return {{},
          {{"XDG_RUNTIME_DIR", "$XDG_RUNTIME_DIR"},
           {"XDG_STATE_HOME", "$XDG_STATE_HOME"},
           {"XDG_CONFIG_HOME", "$XDG_CONFIG_HOME"}},
          "host-1",
          false};
}

template <class S>
std::map<std::string, setting_value> fallbacks(const surroundings& from) {
  std::map<std::string, setting_value> values;
  for (const auto& row : program_of<S>().settings)
    if (auto text = fallback_text(row, from, values)) values[std::string{row.key}] = {*text, "default"};
  return values;
}

template <class S>
std::string reference_rows() {
  auto root = fallbacks<S>(sample_root());
  auto user = fallbacks<S>(sample_user());
  std::string out = "| key | default | allowed | applies | meaning |\n|---|---|---|---|---|\n";
  for (const auto& row : program_of<S>().settings) {
    const auto& text = root[std::string{row.key}].text;
    const auto& other = user[std::string{row.key}].text;
    auto shown = row.fallback == "{hostname}" ? "the host's name"
                 : text.empty()               ? "(empty)"
                                              : fmt::format("`{}`", text);
    if (other != text) shown += fmt::format("; not root: `{}`", other);
    out += fmt::format("| `{}`{} | {} | {} | {} | {} |\n", row.key, in_file(row.key) ? "" : " (flag or variable only)",
                       shown, allowed_text(row), row.when == applies::at_once ? "on reload" : "at restart", row.help);
  }
  return out;
}
}  // namespace

template <class S>
std::string sample_file() {
  const auto& program = program_of<S>();
  std::string out =
      fmt::format("# Settings of {}, each with its default. Made from the table of settings.\n", program.name);
  auto values = fallbacks<S>(sample_root());
  for (const auto& row : program.settings) {
    if (!in_file(row.key)) continue;
    bool number = std::holds_alternative<uint32_t S::*>(row.field);
    const auto& text = values[std::string{row.key}].text;
    out += fmt::format("\n# {}\n# Allowed: {}. Applies {}.\n#{} = {}\n", row.help, allowed_text(row),
                       row.when == applies::at_once ? "on reload (SIGHUP)" : "at restart", row.key,
                       number ? text : fmt::format("\"{}\"", text));
  }
  return out;
}

std::string settings_reference() {
  std::string out = R"(# Settings

Made from the tables in `config/settings/settings_table.cpp`; a test compares this page with them.

Each setting is a key of the TOML file (`sync_interval = "30s"`), an environment variable (`ZEDOPS_SYNC_INTERVAL`) and
a flag (`--sync-interval 30s`). A flag wins over the environment, the environment over the file, the file over the
default. A key that is not known, or a value that is not allowed, is refused with its place in the file and the remedy;
the program then ends with status 78, which supervisors must not restart. `--check-config` prints every setting with its
origin and ends. Several endpoints are an array in the file and separated by commas elsewhere.

On SIGHUP the file is read again as a whole. When it has an error nothing changes; else the settings marked "on reload"
apply at once, and the log names those that wait for a restart.
)";
  out += "\n## zedops-manager\n\n" + reference_rows<manager_settings>();
  out += "\n## zedops-agent\n\n" + reference_rows<agent_settings>();
  return out;
}

template std::string sample_file<manager_settings>();
template std::string sample_file<agent_settings>();

}  // namespace zedops::config
