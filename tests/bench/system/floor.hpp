// The minimum that a durable control plane must do, as a separate process: one thread that polls a ROUTER, puts all
// waiting messages into one LMDB transaction, commits, then answers (or publishes).
#pragma once
#include <sys/types.h>

#include <string>

#include "tests/bench/system/report.hpp"

namespace zedops::bench {

inline constexpr size_t floor_message_bytes = 200;
// The first byte says what the message requests. An edit is written as ours is: a fixed number of bytes into each of
// three tables, and answered with a fixed number.
inline constexpr char floor_reply = 'r', floor_publish = 'p', floor_edit = 'e';
struct edit_bytes {
  uint32_t log = 0, record = 0, operation = 0, audit = 0, answer = 0;
};
std::string floor_edit_message(const edit_bytes& b, size_t bytes);

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
