// Either readers are inside or the map changes: LMDB must not move its map under an open transaction. Unlike with
// std::shared_mutex a reader may leave on another thread than it entered on, and the closing side gives up in time.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace zedops::store::detail {

class reader_gate {
 public:
  void enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !closed_; });
    ++inside_;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    if (--inside_ == 0) changed_.notify_all();
  }
  // True: no reader is inside and new ones wait for open(). False: readers did not leave in time, the gate is open.
  bool close(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    closed_ = true;
    if (changed_.wait_for(lock, patience, [&] { return inside_ == 0; })) return true;
    closed_ = false;
    changed_.notify_all();
    return false;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    closed_ = false;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned inside_ = 0;
  bool closed_ = false;
};

}  // namespace zedops::store::detail
