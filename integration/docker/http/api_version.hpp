// Versions of the Engine's API are "major.minor" and compare as numbers: 1.9 is older than 1.41.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "messages/base/error.hpp"

namespace zedops::docker {

struct api_version {
  uint16_t major_part = 0;
  uint16_t minor_part = 0;
  friend auto operator<=>(const api_version&, const api_version&) = default;
};

inline constexpr api_version api_oldest{1, 41};         // Docker Engine 20.10
inline constexpr api_version api_newest{1, 47};         // what this adapter was written for
inline constexpr api_version api_multi_network{1, 44};  // create takes several networks from here on

std::optional<api_version> parse_api_version(std::string_view text);
std::string to_string(api_version v);

// The version to speak with an Engine whose newest is `offered`; engine_error when it is too old for us.
msg::result<api_version> negotiate(std::string_view offered);

}  // namespace zedops::docker
