// How much room a text takes on a terminal.
#include <cwchar>

#include "integration/host/utf8_locale.hpp"
#include "tools/zedctl/output/format.hpp"

namespace zedops::ctl {
namespace {

struct character {
  size_t bytes = 1;
  size_t columns = 1;  // also of what is not UTF-8, or unknown
};

// The C library knows the width of each character, in a locale of UTF-8.
character first_of(std::string_view text) {
  if (static_cast<unsigned char>(text.front()) < 0x80) return {};
  std::mbstate_t state{};
  wchar_t c = 0;
  const auto bytes = std::mbrtowc(&c, text.data(), text.size(), &state);
  if (bytes == 0 || bytes > text.size()) return {};
  const int columns = ::wcwidth(c);
  return {bytes, columns < 0 ? 1 : static_cast<size_t>(columns)};
}

}  // namespace

size_t columns_of(std::string_view text) {
  const host::utf8_locale utf8;
  size_t columns = 0;
  while (!text.empty()) {
    const auto c = first_of(text);
    columns += c.columns;
    text.remove_prefix(c.bytes);
  }
  return columns;
}

std::string cut(std::string_view text, size_t columns) {
  if (text.size() <= columns || columns_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  const host::utf8_locale utf8;
  size_t at = 0;
  for (size_t left = columns - 1; at < text.size();) {  // one for the mark
    const auto c = first_of(text.substr(at));
    if (c.columns > left) break;
    left -= c.columns;
    at += c.bytes;
  }
  return std::string(text.substr(0, at)) + "…";
}

}  // namespace zedops::ctl
