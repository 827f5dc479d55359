#include "config/detail/key_depth.hpp"

#include <algorithm>

namespace zedops::config::detail {

namespace {
// The position behind the string that begins at `at` with its quote.
size_t behind_string(std::string_view text, size_t at) {
  char quote = text[at];
  bool escapes = quote == '"';
  auto triple = [&](size_t i) {
    return i + 2 < text.size() && text[i] == quote && text[i + 1] == quote && text[i + 2] == quote;
  };
  bool multi_line = triple(at);
  for (size_t i = at + (multi_line ? 3 : 1); i < text.size(); ++i) {
    if (escapes && text[i] == '\\') {
      ++i;
    } else if (multi_line && triple(i)) {
      i += 3;
      for (int extra = 0; extra < 2 && i < text.size() && text[i] == quote; ++extra) ++i;  // they belong to the text
      return i;
    } else if (!multi_line && (text[i] == quote || text[i] == '\n')) {
      return i + 1;
    }
  }
  return text.size();
}

text_place place_of(std::string_view text, size_t at) {
  auto before = text.substr(0, at);
  auto line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return {static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1, at - line_start + 1};
}
}  // namespace

std::optional<text_place> too_deep_key(std::string_view text) {
  size_t dots = 0;
  for (size_t i = 0; i < text.size();) {
    switch (text[i]) {
      case '"':
      case '\'': i = behind_string(text, i); continue;
      case '#': i = std::min(text.find('\n', i), text.size()); continue;
      case '\n':
      case '=':
      case ',':
      case '[':
      case ']':
      case '{':
      case '}': dots = 0; break;
      case '.':
        if (++dots >= key_parts_max) return place_of(text, i);
        break;
      default: break;
    }
    ++i;
  }
  return std::nullopt;
}

}  // namespace zedops::config::detail
