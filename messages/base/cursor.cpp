#include "messages/base/cursor.hpp"

#include "messages/base/names.hpp"

namespace zedops::msg {

std::string to_text(cursor c) { return std::to_string(c.epoch) + ":" + std::to_string(c.seq); }

std::optional<cursor> parse_cursor(std::string_view text) {
  auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto epoch = parse_decimal(text.substr(0, colon)), seq = parse_decimal(text.substr(colon + 1));
  if (!epoch || !seq) return std::nullopt;
  return cursor{*epoch, *seq};
}

}  // namespace zedops::msg
