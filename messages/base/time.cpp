#include "messages/base/time.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace zedops::msg {

namespace {
// The times that occur in practice, without the formatter's machinery: each line of the log has one.
std::string rfc3339_within(int64_t ms) {
  const auto at = std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{ms}};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const auto rest = static_cast<uint32_t>((at - day).count());
  std::string out = "0000-00-00T00:00:00.000Z";
  const auto put = [&](size_t place, size_t width, uint32_t n) {
    for (; width > 0; --width, n /= 10) out[place + width - 1] = static_cast<char>('0' + n % 10);
  };
  put(0, 4, static_cast<uint32_t>(static_cast<int>(date.year())));
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  put(11, 2, rest / 3'600'000);
  put(14, 2, rest / 60'000 % 60);
  put(17, 2, rest / 1'000 % 60);
  put(20, 3, rest % 1'000);
  return out;
}
constexpr int64_t year_10000_ms = 253'402'300'800'000;
}  // namespace

std::string to_rfc3339(time_point t) {
  auto ms = t.time_since_epoch().count();
  if (ms >= 0 && ms < year_10000_ms) return rfc3339_within(ms);
  // Not with floor<seconds> and the remainder: for the oldest times that second does not fit in milliseconds.
  auto seconds = ms / 1000, rest = ms % 1000;
  if (rest < 0) --seconds, rest += 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03d}Z", fmt::gmtime(static_cast<std::time_t>(seconds)), rest);
}

std::optional<time_point> from_rfc3339(std::string_view text) {
  std::tm tm{};
  auto number = [&](size_t at, size_t width, int& out) {
    if (at + width > text.size()) return false;
    auto [end, err] = std::from_chars(text.data() + at, text.data() + at + width, out);
    return err == std::errc{} && end == text.data() + at + width && out >= 0 && text[at] != '-';
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
      text.back() != 'Z')
    return std::nullopt;
  if (!number(0, 4, tm.tm_year) || !number(5, 2, tm.tm_mon) || !number(8, 2, tm.tm_mday) ||
      !number(11, 2, tm.tm_hour) || !number(14, 2, tm.tm_min) || !number(17, 2, tm.tm_sec))
    return std::nullopt;
  if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
      tm.tm_sec > 60)
    return std::nullopt;
  const std::chrono::year_month_day day{std::chrono::year{tm.tm_year},
                                        std::chrono::month(static_cast<unsigned>(tm.tm_mon)),
                                        std::chrono::day(static_cast<unsigned>(tm.tm_mday))};
  if (!day.ok()) return std::nullopt;  // the 30th of February
  int millis = 0;
  if (text.size() > 20) {
    if (text[19] != '.') return std::nullopt;
    auto digits = text.substr(20, text.size() - 21);
    if (digits.empty() || digits.size() > 9) return std::nullopt;
    int scale = 100;
    for (char c : digits) {
      if (c < '0' || c > '9') return std::nullopt;
      millis += (c - '0') * scale;
      scale /= 10;
    }
  }
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  auto seconds = timegm(&tm);
  return time_point{duration{static_cast<int64_t>(seconds) * 1000 + millis}};
}

namespace {
struct unit {
  std::string_view name;
  int64_t millis;
};
constexpr std::array units = {unit{"ms", 1}, unit{"s", 1000}, unit{"m", 60'000}, unit{"h", 3'600'000},
                              unit{"d", 86'400'000}};
}  // namespace

std::optional<duration> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t total = 0;
  while (!text.empty()) {
    int64_t n = 0;
    auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (err != std::errc{} || n < 0 || text.front() == '-') return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    auto letters = text.find_first_of("0123456789");
    auto name = text.substr(0, letters);
    auto u = std::find_if(units.begin(), units.end(), [&](const unit& x) { return x.name == name; });
    if (u == units.end()) return std::nullopt;
    if (n > (std::numeric_limits<int64_t>::max() / 2 - total) / u->millis) return std::nullopt;
    total += n * u->millis;
    text.remove_prefix(name.size());
  }
  return duration{total};
}

std::string format_duration(duration d) {
  auto ms = d.count();
  if (ms == 0) return "0s";
  std::string out;
  for (auto u = units.rbegin(); u != units.rend(); ++u) {
    if (auto n = ms / u->millis; n > 0) {
      out += fmt::format("{}{}", n, u->name);
      ms -= n * u->millis;
    }
  }
  return out;
}

std::optional<int64_t> nanoseconds_from_rfc3339(std::string_view text) {
  constexpr size_t seconds_size = std::string_view("2024-05-01T12:00:00").size();
  if (text.size() <= seconds_size || !text.ends_with('Z')) return std::nullopt;
  const auto seconds = from_rfc3339(std::string(text.substr(0, seconds_size)) + "Z");
  auto digits = text.substr(seconds_size, text.size() - seconds_size - 1);
  if (!seconds || (!digits.empty() && digits.front() != '.')) return std::nullopt;
  if (!digits.empty()) digits.remove_prefix(1);
  if (digits.size() > 9 || !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  int64_t fraction = 0;
  for (size_t i = 0; i < 9; ++i) fraction = fraction * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  return std::chrono::nanoseconds(seconds->time_since_epoch()).count() + fraction;
}

}  // namespace zedops::msg
