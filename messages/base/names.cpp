#include "messages/base/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace zedops::msg {
namespace {

// Not <cctype>: the rules are about ASCII, whatever the locale.
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return is_lower(c) || is_upper(c); }
constexpr bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }
constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Quoted for a message: short, and without bytes that could move a terminal's cursor.
std::string in_quotes(std::string_view text) {
  constexpr size_t shown_bytes_max = 64;
  std::string out = "'";
  for (char c : text.substr(0, shown_bytes_max)) out += is_control(c) ? '?' : c;
  return out + (text.size() > shown_bytes_max ? "...'" : "'");
}

template <class First, class Rest>
bool spelled(std::string_view text, First first, Rest rest) {
  return !text.empty() && first(text.front()) && std::all_of(text.begin() + 1, text.end(), rest);
}

// What the name would be with the obvious repairs, to be shown as an example; empty when there is no way.
std::string repaired_server_name(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
    if (c == '_' || c == ' ' || c == '.') c = '-';
    if (is_lower(c) || (!out.empty() && (is_digit(c) || c == '-'))) out += c;
  }
  if (out.size() > server_name_bytes_max) out.resize(server_name_bytes_max);
  return out.size() < server_name_bytes_min ? std::string{} : out;
}

bool below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

result<void> bad_path(std::string_view path, std::string_view why) {
  return fail(ec::bad_request, fmt::format("data path {}: {}", in_quotes(path), why),
              "give an absolute folder of its own, e.g. /var/lib/zedops/servers or /srv/zedops");
}

}  // namespace

result<void> check_server_name(std::string_view name) {
  bool length = name.size() >= server_name_bytes_min && name.size() <= server_name_bytes_max;
  if (length && spelled(name, is_lower, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; })) return {};
  auto example = repaired_server_name(name);
  return fail(
      ec::invalid_name,
      fmt::format("server name {} breaks the rule: a lower-case letter first, then lower-case letters, digits or "
                  "hyphens, {}-{} characters",
                  in_quotes(name), server_name_bytes_min, server_name_bytes_max),
      fmt::format("try {}", in_quotes(example.empty() ? "survival-1" : example)));
}

result<void> check_site_name(std::string_view name) {
  const bool length = name.size() >= site_name_bytes_min && name.size() <= server_name_bytes_max;
  if (length && spelled(name, is_lower, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; })) return {};
  return fail(ec::invalid_name,
              fmt::format("the name {} breaks the rule: a lower-case letter first, then lower-case letters, digits or "
                          "hyphens, {}-{} characters",
                          in_quotes(name), site_name_bytes_min, server_name_bytes_max),
              "try 'shop' or 'web-1'");
}

result<void> check_agent_name(std::string_view name) {
  auto rest = [](char c) { return is_alnum(c) || c == '.' || c == '-' || c == '_'; };
  if (name.size() <= agent_name_bytes_max && spelled(name, is_alnum, rest)) return {};
  return fail(
      ec::invalid_name,
      fmt::format("agent name {} breaks the rule: a letter or digit first, then letters, digits, dots, hyphens or "
                  "underscores, 1-{} characters",
                  in_quotes(name), agent_name_bytes_max),
      "use the host's name, e.g. 'host-1'");
}

result<void> check_env_key(std::string_view key) {
  auto first = [](char c) { return is_alpha(c) || c == '_'; };
  auto rest = [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; };
  if (key.size() <= env_key_bytes_max && spelled(key, first, rest)) return {};
  return fail(ec::bad_request,
              fmt::format("environment key {} breaks the rule: a letter or underscore first, then letters, digits, "
                          "underscores, dots or hyphens, 1-{} characters",
                          in_quotes(key), env_key_bytes_max),
              "write it as KEY=VALUE, e.g. SERVER_NAME=servertest");
}

// The value itself is never shown: it may be a password.
result<void> check_env_value(std::string_view key, std::string_view value) {
  if (value.find('\0') != value.npos)
    return fail(ec::bad_request, fmt::format("the value of environment key {} holds a zero byte", in_quotes(key)),
                "remove it: no process can receive it");
  if (value.size() > env_value_bytes_max)
    return fail(ec::too_large,
                fmt::format("the value of environment key {} is {} bytes, the limit is {}", in_quotes(key),
                            value.size(), env_value_bytes_max),
                "put long texts into a file in the server's data folder");
  return {};
}

result<void> check_data_path(std::string_view path) {
  static constexpr std::array<std::string_view, 13> system_folders = {
      "/etc", "/var", "/usr", "/bin", "/sbin", "/boot", "/sys", "/proc", "/dev", "/lib", "/lib32", "/lib64", "/run"};
  if (!path.starts_with('/')) return bad_path(path, "it is not absolute");
  if (path.size() > path_bytes_max) return bad_path(path, fmt::format("it is longer than {} bytes", path_bytes_max));
  if (std::any_of(path.begin(), path.end(), is_control)) return bad_path(path, "it holds a control character");
  if (path.find(':') != path.npos)
    return bad_path(path, "it holds a colon, which separates the parts of a Docker bind");

  std::string clean;  // without doubled and trailing slashes
  for (size_t from = 1; from < path.size();) {
    auto to = std::min(path.find('/', from), path.size());
    auto part = path.substr(from, to - from);
    if (part == "." || part == "..") return bad_path(path, "it holds a '.' or '..' component");
    if (!part.empty()) clean.append("/").append(part);
    from = to + 1;
  }
  if (clean.empty()) return bad_path(path, "it is the root of the file system");
  if (clean.starts_with("/var/lib/zedops/")) return {};
  for (auto folder : system_folders)
    if (below(clean, folder)) return bad_path(path, fmt::format("{} belongs to the system", folder));
  return {};
}

std::string format_bytes(uint64_t bytes) {
  static constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  // 1023.95 would be rounded to "1024.0": it belongs to the next unit already.
  while (value >= 1023.95 && unit + 1 < units.size()) value /= 1024, ++unit;
  return value < 99.95 ? fmt::format("{:.1f} {}", value, units[unit]) : fmt::format("{:.0f} {}", value, units[unit]);
}

std::string format_age(duration age) {
  auto s = std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(age).count());
  if (s < 60) return fmt::format("{}s", s);
  auto two = [](int64_t large, char large_unit, int64_t small, char small_unit) {
    return small ? fmt::format("{}{}{}{}", large, large_unit, small, small_unit)
                 : fmt::format("{}{}", large, large_unit);
  };
  if (s < 3600) return two(s / 60, 'm', s % 60, 's');
  if (s < 86400) return two(s / 3600, 'h', s % 3600 / 60, 'm');
  return two(s / 86400, 'd', s % 86400 / 3600, 'h');
}

// Only the canonical form: digits without sign, space or leading zero.
std::optional<uint64_t> parse_decimal(std::string_view s) {
  if (s.empty() || (s.size() > 1 && s[0] == '0')) return std::nullopt;
  uint64_t value = 0;
  auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return value;
}

}  // namespace zedops::msg
