#include "tests/crash/programs/crash_plan.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

namespace zedops::crash {
namespace {

// One write: the line is in the file completely, whatever happens next.
void append_line(const std::string& file, const std::string& line) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return;
  const auto text = line + '\n';
  if (::write(fd, text.data(), text.size()) < 0) std::abort();
  ::close(fd);
}

// Held shared from reading the plan to dying of it, by every program with a plan; disarming takes it exclusively.
class plan_lock {
 public:
  explicit plan_lock(const std::string& plan)
      : fd_(::open((plan + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    while (fd_ >= 0 && ::flock(fd_, LOCK_SH) < 0 && errno == EINTR) {
    }
  }
  ~plan_lock() {
    if (fd_ >= 0) ::close(fd_);
  }
  plan_lock(const plan_lock&) = delete;
  plan_lock& operator=(const plan_lock&) = delete;

 private:
  const int fd_;
};

}  // namespace

crash_plan& crash_plan::of_this_process() {
  static crash_plan plan([] {
    const char* file = std::getenv("ZEDOPS_CRASH_PLAN");
    return std::string(file ? file : "");
  }());
  return plan;
}

bool crash_plan::armed() {
  std::ifstream in(file_);
  std::string token, what;
  if (!(in >> token >> what)) return false;
  if (token == token_) return true;
  token_ = token;
  passed_.clear();
  last_.clear();
  if (what == "die") {
    in >> std::ws;
    std::getline(in, last_);
  }
  return true;
}

void crash_plan::pass(std::string_view kind, std::string_view name, side s) {
  std::lock_guard guard(mutex_);  // held while dying: no other thread passes a later point meanwhile
  if (file_.empty()) return;
  const plan_lock lock(file_);
  if (!armed()) return;
  auto point = std::string(kind) + ' ' + std::string(name) + (s == side::before ? " before" : " after");
  point += ' ' + std::to_string(++passed_[point]);
  append_line(file_ + ".log", point);
  if (point != last_) return;
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

}  // namespace zedops::crash
