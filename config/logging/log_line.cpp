// What a log line looks like, and which lines are left out. Pure.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/logging/logging.hpp"

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
void add_text_value(std::string& out, std::string_view value) {
  auto plain = [](unsigned char c) { return c > 0x20 && c != '"' && c != '=' && c != '\\' && c != 0x7f; };
  if (!value.empty() && std::all_of(value.begin(), value.end(), plain)) {
    out += value;
    return;
  }
  out += '"';
  for (unsigned char c : value) {
    if (c == '"' || c == '\\') out += {'\\', static_cast<char>(c)};
    else if (c == '\n') out += "\\n";
    else if (c < 0x20 || c == 0x7f) out += fmt::format("\\x{:02x}", c);
    else out += static_cast<char>(c);
  }
  out += '"';
}

// Written into one buffer: a busy manager logs two of these for each command.
void add_text_line(std::string& out, std::string_view id, log_fields fields) {
  out += id;
  for (const auto& field : fields) {
    out.append(1, ' ').append(field.key).append(1, '=');
    if (field.value.size() <= log_value_bytes_max && !is_secret_name(field.key)) add_text_value(out, field.value);
    else add_text_value(out, shown(field));
  }
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
  static constexpr std::array<std::string_view, 4> words = {"password", "secret", "token", "private_key"};
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
  return std::any_of(words.begin(), words.end(), [&](std::string_view w) {
    return w.size() <= key.size() && std::search(key.begin(), key.end(), w.begin(), w.end(), same) != key.end();
  });
}

std::string format_log_line(msg::log_format format, log_prefix prefix, msg::time_point time, msg::log_level level,
                            std::string_view id, log_fields fields) {
  std::string out;
  out.reserve(256);
  if (prefix == log_prefix::journal) out.append(1, '<').append(std::to_string(priority(level))).append(1, '>');
  if (format == msg::log_format::json) return out + json_line(time, level, id, fields);
  if (prefix == log_prefix::plain)
    fmt::format_to(std::back_inserter(out), "{} {:5} ", msg::to_rfc3339(time), msg::name_of(level));
  add_text_line(out, id, fields);
  return out;
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
