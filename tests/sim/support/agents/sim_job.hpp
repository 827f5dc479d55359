// Straight-line code that blocks, in virtual time: it runs on a thread of its own, but only while the stage waits for
// it, and the stage runs only while it pauses. So one seed gives one order, and a process can die at any pause.
#pragma once
#include <functional>
#include <memory>
#include <semaphore>
#include <thread>

#include "messages/base/time.hpp"

namespace zedops::sim {

// Thrown by a pause in a process that has died. Not a std::exception: nothing in between may treat it as an error.
struct process_died {};

class sim_job {
 public:
  explicit sim_job(std::function<void()> work);
  ~sim_job();  // kills it if it has not ended

  // Lets it run until its next pause or its end. False: it has ended.
  bool go_on();
  bool ended() const { return ended_; }
  // Its pause throws; it does nothing more.
  void kill();

  // ---- on the sim_job's own thread ----
  static sim_job* current();
  void pause();  // until the stage resumes it

 private:
  std::function<void()> work_;
  std::binary_semaphore go_{0}, back_{0};
  bool ended_ = false, killed_ = false;  // handed over by the semaphores
  std::thread thread_;
};

}  // namespace zedops::sim
