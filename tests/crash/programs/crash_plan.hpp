// Where a program dies. Every durable write, every Engine call of a command and every change on the disk is a point,
// passed `before` it happens and `after` it, when its outcome has not been seen yet.
//
// The file that ZEDOPS_CRASH_PLAN names is read again at each point, so a running program is armed and disarmed by
// writing and removing it. It holds one line:
//
//   <token> count                              write each point that is passed to <plan>.log
//   <token> die <kind> <name> <side> <n>       the same, and kill -9 at the n-th passage of that point
//
// From reading the plan to dying of it a program holds a shared lock (flock) on <plan>.lock: removing the plan under
// the exclusive lock makes sure that the log shows whether a program still dies of it.
//
// A new token restarts the counting. A point that is passed is the line "<kind> <name> <side> <n>".
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace zedops::crash {

enum class side { before, after };

class crash_plan {
 public:
  static crash_plan& of_this_process();
  explicit crash_plan(std::string file) : file_(std::move(file)) {}
  void pass(std::string_view kind, std::string_view name, side s);

 private:
  bool armed();

  const std::string file_;  // empty: points are ignored
  std::mutex mutex_;
  std::string token_;
  std::string last_;  // the point to die at; empty: only count
  std::map<std::string, unsigned> passed_;
};

}  // namespace zedops::crash
