// Metrics for Prometheus. Events are counted as they are published, states are looked up when the metrics are read.
// Names and units follow Prometheus' conventions; the help text of each says what it is.
#pragma once
#include <memory>
#include <string>

#include "messages/records/facts.hpp"

namespace zedops::manager {

struct shared;

class metrics {
 public:
  metrics();
  ~metrics();
  metrics(const metrics&) = delete;
  metrics& operator=(const metrics&) = delete;

  // An entry that is durable and about to be published. On the hub's thread.
  void count(const msg::log_entry& e, msg::time_point now);
  // As Prometheus reads it. From any thread, one at a time.
  std::string text(const shared& world) const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace zedops::manager
