// Logging: one line per event, with a stable id and key=value fields. No spdlog type is visible here.
//
//   log_event("server.phase-changed", {{"server", id}, {"from", "stopped"}});
//   log_event(msg::log_level::warn, "engine.unreachable", {{"error", why}, {"retry_in", wait}});
//
// Values are escaped, so no input can forge a line. Values of fields whose name says password, secret, token or
// private_key are never written.
#pragma once
#include <chrono>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "config/logging/log_words.hpp"
#include "messages/base/time.hpp"

namespace zedops::config {

inline constexpr size_t log_value_bytes_max = 4096;  // of one value; the rest is cut and marked

struct log_field {
  std::string_view key;  // snake_case, a literal
  std::string value;

  log_field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  log_field(std::string_view k, std::string_view v) : key(k), value(v) {}
  log_field(std::string_view k, const char* v) : key(k), value(v) {}
  log_field(std::string_view k, msg::duration v) : key(k), value(msg::format_duration(v)) {}
  template <class T>
  requires std::is_arithmetic_v<T> log_field(std::string_view k, T v) : key(k) {
    if constexpr (std::is_same_v<T, bool>) value = v ? "true" : "false";
    else value = std::to_string(v);
  }
  template <msg::named_enum E>
  log_field(std::string_view k, E v) : key(k), value(name_of(v)) {}
  // Ids: anything with a text in `.value`.
  template <class T>
  requires std::is_same_v<std::remove_cvref_t<decltype(std::declval<const T&>().value)>, std::string> log_field(
      std::string_view k, const T& v)
      : key(k), value(v.value) {}
};
using log_fields = std::initializer_list<log_field>;

enum class log_target { out, err };
// journal: a <prio> prefix and no time of its own, as the journal wants it. plain: without a prefix.
enum class log_prefix { plain, journal };

struct log_options {
  msg::log_level level = msg::log_level::info;
  msg::log_format format = msg::log_format::text;
  log_target target = log_target::err;
  std::function<void(std::string_view line)> write{};  // for tests: takes the lines instead of the target
};

// Call it once, before other threads log. Without it, lines go to stderr as text from level info on.
// The prefix is chosen by whether the target is the journal's own stream (JOURNAL_STREAM).
void start_logging(const log_options& options);
void set_log_level(msg::log_level level);  // any time, any thread
bool would_log(msg::log_level level);

void log_event(msg::log_level level, std::string_view id, log_fields fields = {});
void log_event(std::string_view id, log_fields fields = {});  // level info

// Lines of level info that belong together and are written at once: a write for each costs more than all the rest of
// it.
class log_batch {
 public:
  log_batch() = default;
  log_batch(const log_batch&) = delete;
  log_batch& operator=(const log_batch&) = delete;
  ~log_batch() { write(); }
  void add(std::string_view id, log_fields fields);

 private:
  static constexpr size_t bytes_max = 32 * 1024;  // of one write
  void write();
  std::string lines_;
};

// For lines that hostile or broken input can cause: at most limited_burst_max per id in limited_window; the next line
// after that says how many were left out.
inline constexpr uint32_t limited_burst_max = 5;
inline constexpr std::chrono::seconds limited_window{10};
inline constexpr size_t limited_ids_max = 256;
void log_limited(msg::log_level level, std::string_view id, log_fields fields = {});

// The parts, for tests and other doors.
std::string format_log_line(msg::log_format format, log_prefix prefix, msg::time_point time, msg::log_level level,
                            std::string_view id, log_fields fields);
bool is_journal_stream(int file_descriptor, const char* journal_stream);
bool is_secret_name(std::string_view key);

class log_limiter {
 public:
  using clock = std::chrono::steady_clock;
  // Nothing: leave the line out. Else how many were left out before this one.
  std::optional<uint64_t> admit(std::string_view id, clock::time_point now);

 private:
  struct bucket {
    clock::time_point since;
    uint32_t used = 0;
    uint64_t left_out = 0;
  };
  std::map<std::string, bucket, std::less<>> buckets_;
};

}  // namespace zedops::config
