// What a log line looks like, and which lines are left out. Pure.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/logging.hpp"

namespace zedops::config {

namespace {
constexpr std::string_view masked = "***";

// syslog priorities
int priority(msg::log_level level) {
  switch (level) {
    case msg::log_level::trace:
    case msg::log_level::debug: return 7;
    case msg::log_level::info: return 6;
    case msg::log_level::warn: return 4;
    case msg::log_level::error: break;
  }
  return 3;
}

std::string shown(const log_field& field) {
  if (is_secret_name(field.key)) return std::string{masked};
  if (field.value.size() <= log_value_bytes_max) return field.value;
  return fmt::format("{}…({} bytes)", std::string_view{field.value}.substr(0, log_value_bytes_max), field.value.size());
}

// Bare when it is one plain word, else quoted with everything escaped that could end the line or the quotes.
std::string text_value(std::string_view value) {
  auto plain = [](unsigned char c) { return c > 0x20 && c != '"' && c != '=' && c != '\\' && c != 0x7f; };
  if (!value.empty() && std::all_of(value.begin(), value.end(), plain)) return std::string{value};
  std::string out = "\"";
  for (unsigned char c : value) {
    if (c == '"' || c == '\\') out += {'\\', static_cast<char>(c)};
    else if (c == '\n') out += "\\n";
    else if (c < 0x20 || c == 0x7f) out += fmt::format("\\x{:02x}", c);
    else out += static_cast<char>(c);
  }
  return out + '"';
}

std::string text_line(std::string_view id, log_fields fields) {
  std::string out{id};
  for (const auto& field : fields) out += fmt::format(" {}={}", field.key, text_value(shown(field)));
  return out;
}

std::string json_line(msg::time_point time, msg::log_level level, std::string_view id, log_fields fields) {
  nlohmann::ordered_json line;
  line["time"] = msg::to_rfc3339(time);
  line["level"] = msg::name_of(level);
  line["event"] = id;
  for (const auto& field : fields) line[std::string{field.key}] = shown(field);
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}
}  // namespace

bool is_secret_name(std::string_view key) {
  std::string lower{key};
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  static constexpr std::array words = {"password", "secret", "token", "private_key"};
  return std::any_of(words.begin(), words.end(), [&](const char* w) { return lower.find(w) != std::string::npos; });
}

std::string format_log_line(msg::log_format format, log_prefix prefix, msg::time_point time, msg::log_level level,
                            std::string_view id, log_fields fields) {
  auto mark = prefix == log_prefix::journal ? fmt::format("<{}>", priority(level)) : std::string{};
  if (format == msg::log_format::json) return mark + json_line(time, level, id, fields);
  if (prefix == log_prefix::journal) return mark + text_line(id, fields);
  return fmt::format("{} {:5} {}", msg::to_rfc3339(time), msg::name_of(level), text_line(id, fields));
}

bool is_journal_stream(int file_descriptor, const char* journal_stream) {
  struct stat s {};
  if (!journal_stream || fstat(file_descriptor, &s) != 0) return false;
  return fmt::format("{}:{}", s.st_dev, s.st_ino) == journal_stream;
}

std::optional<uint64_t> log_limiter::admit(std::string_view id, clock::time_point now) {
  auto at = buckets_.find(id);
  if (at == buckets_.end()) {
    if (buckets_.size() >= limited_ids_max) return std::nullopt;
    at = buckets_.emplace(std::string{id}, bucket{now}).first;
  }
  auto& b = at->second;
  if (now - b.since >= limited_window) {
    b.since = now;
    b.used = 0;
  }
  if (b.used >= limited_burst_max) {
    ++b.left_out;
    return std::nullopt;
  }
  ++b.used;
  return std::exchange(b.left_out, 0);
}

}  // namespace zedops::config
