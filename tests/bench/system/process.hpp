// One of our programs as a child process: its log, its memory, its CPU time, its end.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/system/report.hpp"

namespace zedops::bench {

class process {
 public:
  process(const std::vector<std::string>& command, std::string log_file);
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process();  // SIGTERM, and SIGKILL when that takes too long

  bool wait_for_log(const std::string& text, std::chrono::milliseconds time_max) const;
  std::string log() const;
  int wait();  // for its end by itself; the exit status
  double rss_kb() const { return status_kb(pid_, "VmRSS:"); }
  double own_kb() const { return own_kb_of(pid_); }  // without mapped files, which the kernel can take back
  static double own_kb_of(pid_t pid) { return status_kb(pid, "RssAnon:"); }
  double cpu_seconds() const;
  pid_t pid() const { return pid_; }
  steady::time_point started() const { return started_; }

 private:
  static double status_kb(pid_t pid, const std::string& field);
  pid_t pid_ = -1;
  std::string log_file_;
  steady::time_point started_;
};

// zedops-manager with everything below one folder; the binary is beside the benchmark.
class manager_process {
 public:
  manager_process(const scratch_dir& dir, std::vector<std::string> more_flags = {});
  // From exec to the first answered read, in milliseconds. Ends the benchmark when there is none.
  double first_read_ms();
  process& self() { return *process_; }
  void stop() { process_.reset(); }

  std::string clients_uri, agents_uri, events_uri;

 private:
  std::optional<process> process_;
};

uint16_t free_port();  // of 127.0.0.1, just found
std::string program(const std::string& name);  // the path of another program of this build

}  // namespace zedops::bench
