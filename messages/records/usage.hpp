// What a host or a container uses: a sample of an agent, or the average of many.
#pragma once
#include "messages/base/fields.hpp"
#include "messages/base/time.hpp"

namespace zedops::msg {

// Rates are averages since the previous sample. What is not known, or does not apply, is zero.
struct usage_sample {
  uint32_t cpu_millis = 0;  // thousandths of a core
  uint32_t cpu_max = 0;     // the same; of a host: all its cores
  uint64_t memory_bytes = 0;
  uint64_t memory_max = 0;
  uint64_t received = 0;  // bytes a second, as the next three
  uint64_t sent = 0;
  uint64_t read = 0;
  uint64_t written = 0;
  uint32_t load_millis = 0;  // thousandths of the host's load average of one minute
  uint64_t disk_bytes = 0;   // used where the host keeps its data
  uint64_t disk_max = 0;
  ZEDOPS_FIELDS(cpu_millis, cpu_max, memory_bytes, memory_max, received, sent, read, written, load_millis, disk_bytes,
                disk_max)
  friend bool operator==(const usage_sample&, const usage_sample&) = default;
};

}  // namespace zedops::msg
