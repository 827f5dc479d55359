// toml++ bounds nested values but not dotted keys: "[a.a.a…]" of a few ten thousand parts overflows the stack when the
// tree is destroyed. So keys are measured before the text is parsed.
#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

namespace zedops::config::detail {

inline constexpr size_t key_parts_max = 16;

struct text_place {
  size_t line = 1;
  size_t column = 1;
};

// Where a key has more than key_parts_max parts. Follows TOML's strings and comments; stops at what is not TOML.
std::optional<text_place> too_deep_key(std::string_view text);

}  // namespace zedops::config::detail
