// Threads that run blocking work: as many as there is work for, up to a limit, in order of arrival.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "actors/agent/ports.hpp"

namespace zedops::agent {

inline constexpr size_t work_waiting_max = 65'536;  // a bug, not a load: the callers are bounded themselves

// Background work gives way: its threads, and the programs they start, get the processor after all others.
enum class urgency { normal, background };

class worker_pool final : public worker_port {
 public:
  // `name`: at most 15 characters, shown by ps.
  worker_pool(std::string name, size_t threads_max, urgency u = urgency::normal)
      : name_(std::move(name)), threads_max_(threads_max), urgency_(u) {}
  ~worker_pool() override;  // waits for what runs, drops what waits

  void run(std::function<void()> work) override;

 private:
  void loop();

  std::string name_;
  size_t threads_max_;
  urgency urgency_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool ending_ = false;
};

// A thread for each key. Keys are data roots: few.
class keyed_workers final : public worker_port {
 public:
  explicit keyed_workers(std::string name) : name_(std::move(name)) {}

  void run(std::function<void()> work) override { run_for({}, std::move(work)); }
  void run_for(const std::string& key, std::function<void()> work) override;
  // Waits until nothing runs any more. False: something still does, and would hold up this object's end for ever.
  bool settle(std::chrono::milliseconds at_most);

 private:
  static constexpr size_t keys_max = 64;  // beyond, some share a thread

  std::string name_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t running_ = 0;
  std::map<std::string, worker_pool> pools_;
};

}  // namespace zedops::agent
