#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>

namespace zedops::config {

namespace {
struct size_unit {
  std::string_view name;
  unsigned shift;
};
constexpr std::array size_units = {size_unit{"TiB", 40}, size_unit{"GiB", 30}, size_unit{"MiB", 20},
                                   size_unit{"KiB", 10}, size_unit{"B", 0}};
constexpr size_t quoted_bytes_max = 80;
constexpr size_t nearest_word_max = 64;

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      auto above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}
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

std::string nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > nearest_word_max) return {};
  std::string_view best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (auto candidate : candidates) {
    auto distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < word.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return std::string{best};
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
