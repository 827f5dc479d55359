#include "integration/host/machine_usage.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <tuple>

namespace zedops::host {
namespace {

std::string content(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

uint64_t number_at(std::string_view& text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  uint64_t n = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), n).ptr;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return n;
}

uint64_t kilobytes(std::string_view meminfo, std::string_view name) {
  const auto at = meminfo.find(name);
  if (at == std::string_view::npos) return 0;
  meminfo.remove_prefix(at + name.size());
  return number_at(meminfo) * 1024;
}

}  // namespace

cpu_time parse_cpu(std::string_view proc_stat) {
  if (!proc_stat.starts_with("cpu ")) return {};
  proc_stat.remove_prefix(4);
  // user nice system idle iowait irq softirq steal; guests are in user already
  std::array<uint64_t, 8> n{};
  for (auto& one : n) one = number_at(proc_stat);
  cpu_time out;
  for (size_t i = 0; i < n.size(); ++i) out.all += n[i];
  out.busy = out.all - n[3] - n[4];
  return out;
}

std::pair<uint64_t, uint64_t> parse_memory(std::string_view meminfo) {
  const auto all = kilobytes(meminfo, "MemTotal:");
  const auto free = kilobytes(meminfo, "MemAvailable:");
  return {all > free ? all - free : 0, all};
}

uint32_t parse_load(std::string_view loadavg) {
  double load = 0;
  std::from_chars(loadavg.data(), loadavg.data() + loadavg.size(), load);
  return load > 0 && load < 1e6 ? static_cast<uint32_t>(std::lround(load * 1000)) : 0;
}

machine_usage look_at_machine(const std::string& path) {
  machine_usage out;
  out.cpu = parse_cpu(content("/proc/stat"));
  const auto cores = sysconf(_SC_NPROCESSORS_ONLN);
  out.cores = cores > 0 ? static_cast<uint32_t>(cores) : 0;
  std::tie(out.memory_bytes, out.memory_max) = parse_memory(content("/proc/meminfo"));
  out.load_millis = parse_load(content("/proc/loadavg"));
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) == 0) {
    out.disk_max = disk.f_blocks * disk.f_frsize;
    out.disk_bytes = (disk.f_blocks - disk.f_bfree) * disk.f_frsize;
  }
  return out;
}

}  // namespace zedops::host
