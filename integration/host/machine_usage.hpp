// What this machine uses, from /proc and the file system. Never blocks on anything but the disk of `path`.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace zedops::host {

// Counters since boot: two of them make a rate.
struct cpu_time {
  uint64_t busy = 0;
  uint64_t all = 0;
};

struct machine_usage {
  cpu_time cpu;
  uint32_t cores = 0;
  uint64_t memory_bytes = 0;  // without what the kernel gives back when it is needed
  uint64_t memory_max = 0;
  uint32_t load_millis = 0;  // of one minute
  uint64_t disk_bytes = 0;   // of the file system of `path`
  uint64_t disk_max = 0;
};

// What cannot be read is zero.
machine_usage look_at_machine(const std::string& path);

cpu_time parse_cpu(std::string_view proc_stat);
// Used and total bytes, from /proc/meminfo.
std::pair<uint64_t, uint64_t> parse_memory(std::string_view meminfo);
uint32_t parse_load(std::string_view loadavg);

}  // namespace zedops::host
