// Inbound back-pressure: each message that enters carries one credit until its handler releases it. When a door has
// none left its socket is no longer read, so ZeroMQ's high-water mark pushes back on the senders.
#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

namespace zedops::bus {

class credit_pool {
 public:
  // `wake` is called from any thread when a starved pool has credits again; it must be cheap and thread-safe.
  credit_pool(size_t inbound_max, std::function<void()> wake) : max_(inbound_max), wake_(std::move(wake)) {}

  size_t outstanding() const noexcept { return outstanding_.load(); }

  // Reader's side: false when nothing may be read now; `wake` then follows once half of the credits are back.
  bool may_read() noexcept {
    if (outstanding_.load() < max_ && !starved_.load()) return true;
    starved_.store(true);
    // A holder that returned its credit before it could see `starved_` has not woken us: look once more.
    if (outstanding_.load() > max_ / 2) return false;
    starved_.store(false);
    return true;
  }
  void take() noexcept { outstanding_.fetch_add(1); }
  void give_back() noexcept {
    if (outstanding_.fetch_sub(1) - 1 <= max_ / 2 && starved_.exchange(false)) wake_();
  }

 private:
  const size_t max_;
  const std::function<void()> wake_;
  std::atomic<size_t> outstanding_{0};
  std::atomic<bool> starved_{false};
};

// Moves with the message; releasing it (destruction) permits the next message. It may outlive the bus.
class credit {
 public:
  credit() = default;
  explicit credit(std::shared_ptr<credit_pool> pool) : pool_(std::move(pool)) { pool_->take(); }
  credit(credit&&) noexcept = default;
  credit& operator=(credit&& other) noexcept {
    release();
    pool_ = std::move(other.pool_);
    return *this;
  }
  ~credit() { release(); }

  void release() noexcept {
    if (auto pool = std::move(pool_)) pool->give_back();
  }

 private:
  std::shared_ptr<credit_pool> pool_;
};

}  // namespace zedops::bus
