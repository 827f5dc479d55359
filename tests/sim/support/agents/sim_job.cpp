#include "tests/sim/support/agents/sim_job.hpp"

#include <utility>

namespace zedops::sim {

namespace {
thread_local sim_job* mine = nullptr;
}  // namespace

sim_job* sim_job::current() { return mine; }

sim_job::sim_job(std::function<void()> work)
    : work_(std::move(work)), thread_([this] {
        mine = this;
        go_.acquire();
        try {
          if (!killed_) work_();
        } catch (const process_died&) {
        }
        work_ = nullptr;  // what it holds is destroyed before the stage learns of the end
        ended_ = true;
        back_.release();
      }) {}

sim_job::~sim_job() {
  kill();
  thread_.join();
}

bool sim_job::go_on() {
  if (ended_) return false;
  go_.release();
  back_.acquire();
  return !ended_;
}

void sim_job::kill() {
  if (ended_) return;
  killed_ = true;
  while (go_on()) {
  }
}

void sim_job::pause() {
  back_.release();
  go_.acquire();
  if (killed_) throw process_died{};
}

}  // namespace zedops::sim
