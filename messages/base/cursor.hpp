// A place in the event history.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zedops::msg {

// `epoch` changes when the history starts anew (a store restored from a backup); `seq` counts from 1 within it.
struct cursor {
  uint64_t epoch = 0;
  uint64_t seq = 0;

  friend auto operator<=>(const cursor&, const cursor&) = default;
};
std::string to_text(cursor c);                         // "7:1042"
std::optional<cursor> parse_cursor(std::string_view);  // exactly what to_text writes

}  // namespace zedops::msg
