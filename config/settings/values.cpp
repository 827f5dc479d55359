#include "config/settings/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace zedops::config {

namespace {
struct size_unit {
  std::string_view name;
  unsigned shift;
};
constexpr std::array size_units = {size_unit{"TiB", 40}, size_unit{"GiB", 30}, size_unit{"MiB", 20},
                                   size_unit{"KiB", 10}, size_unit{"B", 0}};
constexpr size_t quoted_bytes_max = 80;

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) {
  if (text == "0") return 0;
  uint64_t n = 0;
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (err != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  for (const auto& unit : size_units) {
    if (unit.name != text) continue;
    if (n > std::numeric_limits<uint64_t>::max() >> unit.shift) return std::nullopt;
    return n << unit.shift;
  }
  return std::nullopt;
}

std::string format_size(uint64_t bytes) {
  if (bytes == 0) return "0";
  for (const auto& unit : size_units)
    if (bytes % (uint64_t{1} << unit.shift) == 0) return fmt::format("{}{}", bytes >> unit.shift, unit.name);
  return fmt::format("{}B", bytes);
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (unsigned char c : text.substr(0, quoted_bytes_max)) {
    if (c == '"' || c == '\\') out += {'\\', static_cast<char>(c)};
    else if (c < 0x20 || c >= 0x7f) out += fmt::format("\\x{:02x}", c);
    else out += static_cast<char>(c);
  }
  return out + (text.size() > quoted_bytes_max ? "…\"" : "\"");
}

std::string listed(std::span<const std::string_view> words) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace zedops::config
