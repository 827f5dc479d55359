// What other threads hand to a bus loop: a wake-up descriptor and a bounded queue.
#pragma once
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

namespace zedops::bus::detail {

class wake_fd {
 public:
  wake_fd() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  wake_fd(const wake_fd&) = delete;
  wake_fd& operator=(const wake_fd&) = delete;
  ~wake_fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const noexcept { return fd_; }  // negative: the process is out of descriptors
  void fire() noexcept {
    uint64_t one = 1;
    [[maybe_unused]] auto n = ::write(fd_, &one, sizeof one);
  }
  void drain() noexcept {
    uint64_t count;
    [[maybe_unused]] auto n = ::read(fd_, &count, sizeof count);
  }

 private:
  int fd_;
};

// Many threads push, the loop takes. The limits count what was pushed and not yet marked done(), so a batch that the
// loop is still sending occupies its room.
template <class Item>
class outbox {
 public:
  outbox(size_t count_max, size_t bytes_max) : count_max_(count_max), bytes_max_(bytes_max) {}

  // `wake` is fired only when the queue was empty: a burst costs one system call.
  bool push(Item item, size_t bytes, wake_fd& wake) {
    bool was_empty;
    {
      std::lock_guard guard(mutex_);
      if (closed_ || count_ >= count_max_ || bytes_ + bytes > bytes_max_) return false;
      ++count_;
      bytes_ += bytes;
      was_empty = queue_.empty();
      queue_.emplace_back(std::move(item), bytes);
    }
    if (was_empty) wake.fire();
    return true;
  }

  using batch = std::deque<std::pair<Item, size_t>>;
  batch take() {
    std::lock_guard guard(mutex_);
    return std::exchange(queue_, {});
  }
  void done(size_t count, size_t bytes) noexcept {
    count_ -= count;
    bytes_ -= bytes;
  }
  void set_closed(bool closed) {
    std::lock_guard guard(mutex_);
    closed_ = closed;
  }
  size_t count() const noexcept { return count_; }
  size_t bytes() const noexcept { return bytes_; }

 private:
  const size_t count_max_, bytes_max_;
  std::mutex mutex_;
  batch queue_;
  bool closed_ = false;
  std::atomic<size_t> count_{0}, bytes_{0};
};

}  // namespace zedops::bus::detail
