// Those of the lines asked for that fit into an answer: the newest ones of a tail, the oldest since a time. Filled on
// the adapter's thread.
#pragma once
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "integration/docker/engine.hpp"
#include "messages/wire/link.hpp"

namespace zedops::agent {

inline constexpr uint32_t log_lines_max = 5'000;  // of one answer
inline constexpr size_t log_bytes_max = 1 << 20;

class log_page {
 public:
  explicit log_page(const msg::logs_query& q)
      : request_(q.request), since_(msg::nanoseconds_from_rfc3339(q.since)), from_oldest_(!q.since.empty()) {}

  // A line with the Engine's stamp before it. One without is a further piece of the line before. True: it is the first
  // one that is later than `since`.
  bool add(docker::output from, std::string_view line) {
    std::lock_guard lock(mutex_);
    if (from_oldest_ && cut_) return false;
    const bool stamped = is_stamp(line);
    msg::log_line l{from == docker::output::out ? "stdout" : "stderr", std::string(stamped ? line.substr(stamp) : line),
                    stamped ? std::string(line.substr(0, stamp - 1)) : last_};
    last_ = l.at;
    remove_inner_stamps(l.text);
    bytes_ += cost(l);
    lines_.push_back(std::move(l));
    while (lines_.size() > 1 && (bytes_ > log_bytes_max || lines_.size() > log_lines_max)) {
      bytes_ -= cost(from_oldest_ ? lines_.back() : lines_.front());
      from_oldest_ ? lines_.pop_back() : lines_.pop_front();
      cut_ = true;
    }
    return since_ && msg::nanoseconds_from_rfc3339(last_) > since_ && !std::exchange(fresh_, true);
  }

  msg::logs_answer answer(std::optional<msg::error> failure) {
    std::lock_guard lock(mutex_);
    return {request_, {lines_.begin(), lines_.end()}, std::move(failure), cut_};
  }

 private:
  static constexpr size_t piece = 16 * 1024;  // in which the Engine keeps a long line, each with a stamp of its own
  static constexpr size_t stamp = std::string_view("2026-01-01T00:00:00.000000000Z ").size();

  static bool is_stamp(std::string_view text) {
    return text.size() >= stamp && text[stamp - 1] == ' ' &&
           msg::nanoseconds_from_rfc3339(text.substr(0, stamp - 1)).has_value();
  }
  static void remove_inner_stamps(std::string& text) {
    for (size_t at = piece; at < text.size() && is_stamp(std::string_view(text).substr(at)); at += piece)
      text.erase(at, stamp);
  }
  static size_t cost(const msg::log_line& l) { return l.text.size() + 64; }

  const uint64_t request_;
  const std::optional<int64_t> since_;
  const bool from_oldest_;
  bool fresh_ = false;
  std::mutex mutex_;
  std::deque<msg::log_line> lines_;
  std::string last_;
  size_t bytes_ = 0;
  bool cut_ = false;
};

}  // namespace zedops::agent
