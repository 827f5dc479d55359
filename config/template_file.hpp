// Server templates as TOML files; the ones in config/templates/ are built in and show every usual key.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/error.hpp"
#include "messages/records/template.hpp"

namespace zedops::config {

inline constexpr size_t template_bytes_max = 64 * 1024;
inline constexpr size_t templates_max = 256;  // files per directory

// The text of one template file. Errors name file, line and column; `file_name` is only for them. Never throws.
// The labels by which a container is found again (zedops.managed, zedops.server.id, zedops.server.name, zedops.type)
// are always added; a file may not give them another value.
msg::result<msg::server_template> parse_template(std::string_view text, const std::string& file_name);

// The built-in templates, then those of each directory's *.toml files in order of name. A later one replaces an earlier
// one of the same name; two of one name in the same directory are refused. Sorted by name.
msg::result<std::vector<msg::server_template>> load_templates(const std::vector<std::string>& directories);

struct embedded_file {
  std::string_view name;
  std::string_view text;
};
// The files of config/templates/, compiled in.
const std::vector<embedded_file>& builtin_template_files();

}  // namespace zedops::config
