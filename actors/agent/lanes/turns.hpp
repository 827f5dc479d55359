// At most so many workers at a time, in order of arrival: for work that would otherwise take every processor and disk.
#pragma once
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>

#include "actors/agent/lanes/cancel_token.hpp"

namespace zedops::agent {

class turns {
 public:
  explicit turns(size_t at_once) : at_once_(std::max<size_t>(at_once, 1)) {}

  class turn {
   public:
    turn(turns& of, const cancel_token& cancel) : of_(of), cancel_(cancel), has_(of.take(cancel)) {}
    ~turn() {
      if (has_) of_.end();
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    // False: it was cancelled while it waited.
    explicit operator bool() const { return has_; }
    // Between two pieces of the work: those that wait go first.
    void give_way() {
      if (!has_ || !of_.anybody_waits()) return;
      of_.end();
      has_ = of_.take(cancel_);
    }

   private:
    turns& of_;
    const cancel_token& cancel_;
    bool has_;
  };

 private:
  bool take(const cancel_token& cancel) {
    constexpr std::chrono::milliseconds cancel_seen_within{100};
    std::unique_lock lock(mutex_);
    const auto mine = arrived_++;
    waiting_.push_back(mine);
    const auto due = [&] { return working_ < at_once_ && waiting_.front() == mine; };
    bool has = due();
    while (!has && !cancel.cancelled()) has = changed_.wait_for(lock, cancel_seen_within, due);
    std::erase(waiting_, mine);
    working_ += has;
    changed_.notify_all();  // the next in line may be due now
    return has;
  }
  void end() {
    std::lock_guard guard(mutex_);
    --working_;
    changed_.notify_all();
  }
  bool anybody_waits() {
    std::lock_guard guard(mutex_);
    return !waiting_.empty();
  }

  const size_t at_once_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<uint64_t> waiting_;  // in order of arrival
  uint64_t arrived_ = 0;
  size_t working_ = 0;
};

}  // namespace zedops::agent
