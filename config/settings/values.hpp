// Small pure helpers shared by settings and templates: sizes and quoting of what a user wrote.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zedops::config {

// "0", "512MiB", "2GiB"; units B KiB MiB GiB TiB. A bare number other than zero is refused.
std::optional<uint64_t> parse_size(std::string_view text);
std::string format_size(uint64_t bytes);

// What a user wrote, fit for one line of an error message: quoted, control bytes escaped, cut after 80 bytes.
std::string in_quotes(std::string_view text);

// "a, b or c"
std::string listed(std::span<const std::string_view> words);

}  // namespace zedops::config
