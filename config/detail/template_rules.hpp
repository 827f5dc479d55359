// What the parts of a template may look like. Pure predicates over text.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace zedops::config::detail {

inline constexpr std::string_view lower = "abcdefghijklmnopqrstuvwxyz";
inline constexpr std::string_view upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
inline constexpr std::string_view digits = "0123456789";

inline bool one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }
inline bool letter_or_digit(char c) { return one_of(c, lower) || one_of(c, upper) || one_of(c, digits); }

// Lower-case letter first, then letters, digits and hyphens.
inline bool is_template_name(std::string_view s) {
  return !s.empty() && s.size() <= 32 && one_of(s[0], lower) &&
         std::all_of(s.begin(), s.end(), [](char c) { return one_of(c, lower) || one_of(c, digits) || c == '-'; });
}

// Names of the Engine's objects: networks, and containers once their patterns are expanded.
inline bool is_engine_name(std::string_view s) {
  return !s.empty() && s.size() <= 128 && letter_or_digit(s[0]) &&
         std::all_of(s.begin(), s.end(), [](char c) { return letter_or_digit(c) || one_of(c, "_.-"); });
}

inline bool is_signal(std::string_view s) {
  return s.size() >= 4 && s.size() <= 16 && s.substr(0, 3) == "SIG" && std::all_of(s.begin() + 3, s.end(), [](char c) {
           return one_of(c, upper) || one_of(c, digits) || one_of(c, "+-");
         });
}

// No empty, "." or ".." part, so a path made of these cannot leave the folder it is put under.
inline bool has_clean_parts(std::string_view s) {
  while (true) {
    auto slash = s.find('/');
    auto part = s.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    s.remove_prefix(slash + 1);
  }
}

inline bool is_plain_path(std::string_view s) {
  return s.size() <= 255 && std::all_of(s.begin(), s.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
}
inline bool is_relative_path(std::string_view s) { return is_plain_path(s) && has_clean_parts(s); }
inline bool is_absolute_path(std::string_view s) {
  return is_plain_path(s) && s.size() > 1 && s[0] == '/' && has_clean_parts(s.substr(1));
}

}  // namespace zedops::config::detail
