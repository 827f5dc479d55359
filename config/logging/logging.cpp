#include "config/logging/logging.hpp"

#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace zedops::config {

namespace {
// Hands lines to a function.
class function_sink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit function_sink(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& m) override { write_({m.payload.data(), m.payload.size()}); }
  void flush_() override {}
  std::function<void(std::string_view)> write_;
};

// Writes to a descriptor, and drops a line rather than wait for a reader that does not read: the threads that log have
// other work to do. How many were lost is logged before the next one that can be written.
class descriptor_sink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  descriptor_sink(int fd, std::function<std::string(uint64_t)> lost_line) : fd_(fd), lost_line_(std::move(lost_line)) {
    struct stat info {};
    may_wait_ = ::fstat(fd, &info) != 0 || S_ISREG(info.st_mode) || S_ISCHR(info.st_mode);  // files, terminals
  }

 private:
  void sink_it_(const spdlog::details::log_msg& m) override {
    if (lost_ > 0 && put(lost_line_(lost_) + '\n')) lost_ = 0;
    line_.assign(m.payload.data(), m.payload.size());
    line_ += '\n';
    if (!put(line_)) ++lost_;
  }
  // A pipe that is ready takes PIPE_BUF bytes without blocking; what is longer goes in parts.
  bool put(std::string_view text) {
    if (torn_ && !put_part("\n")) return false;
    torn_ = false;
    const auto whole = text.size();
    while (!text.empty()) {
      const auto n = put_part(text.substr(0, PIPE_BUF));
      torn_ = n == 0 && text.size() < whole;
      if (n == 0) return false;
      text.remove_prefix(n);
    }
    return true;
  }
  size_t put_part(std::string_view text) {
    for (;;) {
      pollfd p{fd_, POLLOUT, 0};
      if (!may_wait_ && ::poll(&p, 1, 0) <= 0) return 0;
      const auto n = ::write(fd_, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      return n > 0 ? static_cast<size_t>(n) : 0;
    }
  }
  void flush_() override {}

  const int fd_;
  bool may_wait_ = false;
  bool torn_ = false;  // the last line ends in the middle
  uint64_t lost_ = 0;
  const std::function<std::string(uint64_t)> lost_line_;
  std::string line_;
};

spdlog::level::level_enum to_spdlog(msg::log_level level) {
  switch (level) {
    case msg::log_level::trace: return spdlog::level::trace;
    case msg::log_level::debug: return spdlog::level::debug;
    case msg::log_level::info: return spdlog::level::info;
    case msg::log_level::warn: return spdlog::level::warn;
    case msg::log_level::error: break;
  }
  return spdlog::level::err;
}

msg::time_point now() { return std::chrono::time_point_cast<msg::duration>(std::chrono::system_clock::now()); }

struct journal {
  std::unique_ptr<spdlog::logger> logger;
  msg::log_format format = msg::log_format::text;
  log_prefix prefix = log_prefix::plain;
  std::mutex limiter_mutex;
  log_limiter limiter;

  journal() { start({}); }

  void start(const log_options& options) {
    spdlog::sink_ptr sink;
    bool to_err = options.target == log_target::err;
    if (options.write) sink = std::make_shared<function_sink>(options.write);
    format = options.format;
    bool journald =
        !options.write && is_journal_stream(to_err ? STDERR_FILENO : STDOUT_FILENO, std::getenv("JOURNAL_STREAM"));
    prefix = journald ? log_prefix::journal : log_prefix::plain;
    if (!sink)
      sink = std::make_shared<descriptor_sink>(to_err ? STDERR_FILENO : STDOUT_FILENO, [this](uint64_t lines) {
        return format_log_line(format, prefix, now(), msg::log_level::warn, "log.lost", {{"lines", lines}});
      });
    logger = std::make_unique<spdlog::logger>("zedops", std::move(sink));
    logger->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));  // lines come ready-made
    logger->set_level(to_spdlog(options.level));
  }
};

journal& the_journal() {
  static journal j;
  return j;
}

void write(journal& j, msg::log_level level, std::string_view line) {
  j.logger->log(to_spdlog(level), spdlog::string_view_t{line.data(), line.size()});
}

}  // namespace

void start_logging(const log_options& options) { the_journal().start(options); }

void set_log_level(msg::log_level level) { the_journal().logger->set_level(to_spdlog(level)); }

bool would_log(msg::log_level level) { return the_journal().logger->should_log(to_spdlog(level)); }

void log_event(msg::log_level level, std::string_view id, log_fields fields) {
  auto& j = the_journal();
  if (j.logger->should_log(to_spdlog(level)))
    write(j, level, format_log_line(j.format, j.prefix, now(), level, id, fields));
}

void log_event(std::string_view id, log_fields fields) { log_event(msg::log_level::info, id, fields); }

void log_batch::add(std::string_view id, log_fields fields) {
  if (!would_log(msg::log_level::info)) return;
  auto& j = the_journal();
  if (!lines_.empty()) lines_ += '\n';
  lines_ += format_log_line(j.format, j.prefix, now(), msg::log_level::info, id, fields);
  if (lines_.size() >= bytes_max) write();
}

void log_batch::write() {
  if (!lines_.empty()) config::write(the_journal(), msg::log_level::info, lines_);
  lines_.clear();
}

void log_limited(msg::log_level level, std::string_view id, log_fields fields) {
  auto& j = the_journal();
  if (!j.logger->should_log(to_spdlog(level))) return;
  std::optional<uint64_t> left_out;
  {
    std::lock_guard lock{j.limiter_mutex};
    left_out = j.limiter.admit(id, log_limiter::clock::now());
  }
  if (!left_out) return;
  if (*left_out > 0) log_event(level, "log.left-out", {{"event", id}, {"lines", *left_out}});
  log_event(level, id, fields);
}

}  // namespace zedops::config
