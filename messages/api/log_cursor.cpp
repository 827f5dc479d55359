#include "messages/api/log_cursor.hpp"

#include <charconv>

#include "messages/base/time.hpp"

namespace zedops::msg {
namespace {

constexpr size_t lines_of_one_time_max = 1'000'000;

// The next nanosecond.
std::string after(const std::string& stamp) {
  constexpr int64_t second = 1'000'000'000;
  const auto ns = nanoseconds_from_rfc3339(stamp).value_or(0) + 1;
  const auto whole = to_rfc3339(time_point{duration{ns / second * 1000}});  // ...T12:00:00.000Z
  auto digits = std::to_string(ns % second);
  digits.insert(0, 9 - digits.size(), '0');
  return whole.substr(0, whole.find('.')) + '.' + digits + 'Z';
}

}  // namespace

std::optional<log_cursor> log_cursor::parse(const std::string& text) {
  const auto mark = text.rfind('#');
  if (mark == text.npos || text.size() > 60) return std::nullopt;
  log_cursor c;
  c.last_ = text.substr(0, mark);
  const auto [end, wrong] = std::from_chars(text.data() + mark + 1, text.data() + text.size(), c.of_last_);
  if (wrong != std::errc{} || end != text.data() + text.size() || c.of_last_ > lines_of_one_time_max ||
      !nanoseconds_from_rfc3339(c.last_))
    return std::nullopt;
  return c;
}

std::string log_cursor::text() const { return last_ + '#' + std::to_string(of_last_); }

std::vector<log_line> log_cursor::take(std::vector<log_line> lines) {
  size_t known = 0;
  while (known < lines.size() && known < of_last_ && lines[known].at == last_) ++known;
  lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(known));
  for (const auto& l : lines) {
    of_last_ = l.at == last_ ? of_last_ + 1 : 1;
    last_ = l.at;
  }
  return lines;
}

void log_cursor::go_on(std::string& since, bool cut, bool nothing_new) const {
  // A page of known lines only: there are more lines of one moment than an answer holds. Skip that moment.
  if (cut && nothing_new && !since.empty()) since = after(since);
  else if (begun()) since = last_;
}

}  // namespace zedops::msg
