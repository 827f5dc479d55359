#include "tests/sim/support/errand.hpp"

#include <utility>

namespace zedops::sim {

namespace {
thread_local errand* mine = nullptr;
}  // namespace

errand* errand::current() { return mine; }

errand::errand(std::function<void()> work)
    : work_(std::move(work)), thread_([this] {
        mine = this;
        go_.acquire();
        try {
          if (!killed_) work_();
        } catch (const process_died&) {
        }
        work_ = nullptr;  // what it holds goes before the stage hears of the end
        ended_ = true;
        back_.release();
      }) {}

errand::~errand() {
  kill();
  thread_.join();
}

bool errand::go_on() {
  if (ended_) return false;
  go_.release();
  back_.acquire();
  return !ended_;
}

void errand::kill() {
  if (ended_) return;
  killed_ = true;
  while (go_on()) {
  }
}

void errand::pause() {
  back_.release();
  go_.acquire();
  if (killed_) throw process_died{};
}

}  // namespace zedops::sim
