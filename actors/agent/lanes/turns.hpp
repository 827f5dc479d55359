// At most so many workers at a time, in order of arrival: for work that would otherwise take every processor and disk.
#pragma once
#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace zedops::agent {

class turns {
 public:
  explicit turns(uint64_t at_once) : at_once_(std::max<uint64_t>(at_once, 1)) {}

  class turn {
   public:
    explicit turn(turns& of) : of_(of) { of_.take(); }
    ~turn() { of_.end(); }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    // Between two pieces of the work: those that wait go first.
    void give_way() {
      if (!of_.anybody_waits()) return;
      of_.end();
      of_.take();
    }

   private:
    turns& of_;
  };

 private:
  void take() {
    std::unique_lock lock(mutex_);
    const auto mine = arrived_++;
    changed_.wait(lock, [&] { return mine < ended_ + at_once_; });
  }
  void end() {
    {
      std::lock_guard guard(mutex_);
      ++ended_;
    }
    changed_.notify_all();
  }
  bool anybody_waits() {
    std::lock_guard guard(mutex_);
    return arrived_ > ended_ + at_once_;
  }

  const uint64_t at_once_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t arrived_ = 0, ended_ = 0;  // turns taken, ended
};

}  // namespace zedops::agent
