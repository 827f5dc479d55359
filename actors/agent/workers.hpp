// Threads that carry blocking work: as many as there is work for, up to a limit, in order of arrival.
#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "actors/agent/ports.hpp"

namespace zedops::agent {

inline constexpr size_t work_waiting_max = 65'536;  // a bug, not a load: the callers are bounded themselves

class worker_pool final : public worker_port {
 public:
  // `name`: at most 15 characters, shown by ps.
  worker_pool(std::string name, size_t threads_max) : name_(std::move(name)), threads_max_(threads_max) {}
  ~worker_pool() override;  // waits for what runs, drops what waits

  void run(std::function<void()> work) override;

 private:
  void loop();

  std::string name_;
  size_t threads_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool ending_ = false;
};

}  // namespace zedops::agent
