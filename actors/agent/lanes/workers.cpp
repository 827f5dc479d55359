#include "actors/agent/lanes/workers.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <memory>

#include "config/logging/logging.hpp"

namespace zedops::agent {

worker_pool::~worker_pool() {
  {
    std::lock_guard guard(mutex_);
    ending_ = true;
    queue_.clear();
  }
  changed_.notify_all();
  for (auto& t : threads_) t.join();
}

void worker_pool::run(std::function<void()> work) {
  std::lock_guard guard(mutex_);
  if (ending_) return;
  if (queue_.size() >= work_waiting_max) {
    config::log_event(msg::log_level::error, "worker.full", {{"worker", name_}, {"waiting", queue_.size()}});
    return;
  }
  queue_.push_back(std::move(work));
  if (idle_ < queue_.size() && threads_.size() < threads_max_) {
    threads_.emplace_back([this] { loop(); });
    pthread_setname_np(threads_.back().native_handle(), name_.c_str());
  }
  changed_.notify_one();
}

void keyed_workers::run_for(const std::string& key, std::function<void()> work) {
  std::unique_lock lock(mutex_);
  auto i = pools_.find(key);
  if (i == pools_.end() && pools_.size() >= keys_max) i = pools_.begin();
  if (i == pools_.end()) i = pools_.try_emplace(key, name_, 1).first;
  ++running_;
  lock.unlock();  // work that is not accepted is destroyed right here, which locks
  i->second.run([this, work = std::move(work), end = std::shared_ptr<void>(nullptr, [this](void*) {
                                                 std::lock_guard done(mutex_);
                                                 --running_;
                                                 changed_.notify_all();
                                               })] { work(); });
}

bool keyed_workers::settle(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, at_most, [&] { return running_ == 0; });
}

void worker_pool::loop() {
  constexpr int background_nice = 10;
  if (urgency_ == urgency::background) (void)::setpriority(PRIO_PROCESS, 0, background_nice);  // 0: this thread
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    --idle_;
    if (ending_) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    try {
      work();
    } catch (const std::exception& problem) {
      config::log_event(msg::log_level::error, "worker.failed", {{"worker", name_}, {"error", problem.what()}});
    }
    work = nullptr;  // what it holds is released before the lock is taken
    lock.lock();
  }
}

}  // namespace zedops::agent
