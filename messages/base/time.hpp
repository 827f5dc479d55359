// Wall-clock times in records are milliseconds since 1970 UTC; zero means "never" and is null in JSON.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace zedops::msg {

using duration = std::chrono::milliseconds;
using time_point = std::chrono::time_point<std::chrono::system_clock, duration>;

inline constexpr time_point never{};

// "2024-05-01T12:00:00.123Z"
std::string to_rfc3339(time_point t);
std::optional<time_point> from_rfc3339(std::string_view text);

// A duration is "90s", "5m", "24h", "7d", "250ms" or "1h30m"; a bare number is refused: a unit is part of the value.
// Nanoseconds since 1970 of RFC 3339 with up to nine digits after the decimal point, in UTC (Z).
std::optional<int64_t> nanoseconds_from_rfc3339(std::string_view text);
std::optional<duration> parse_duration(std::string_view text);
std::string format_duration(duration d);

}  // namespace zedops::msg
