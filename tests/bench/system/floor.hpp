// The least that a durable control plane can do, as a process of its own: one thread that polls a ROUTER, puts all that
// waits into one LMDB transaction, commits, then answers (or publishes).
#pragma once
#include <sys/types.h>

#include <string>

#include "tests/bench/system/report.hpp"

namespace zedops::bench {

inline constexpr size_t floor_message_bytes = 200;
// The first byte says what the message asks for.
inline constexpr char floor_reply = 'r', floor_publish = 'p';

class floor_server {
 public:
  explicit floor_server(const scratch_dir& dir);  // before any thread or ZeroMQ context of this process
  floor_server(const floor_server&) = delete;
  floor_server& operator=(const floor_server&) = delete;
  ~floor_server();
  std::string requests_uri, events_uri;

 private:
  pid_t pid_ = -1;
};

}  // namespace zedops::bench
