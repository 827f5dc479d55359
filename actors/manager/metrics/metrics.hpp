// Figures for Prometheus. What happened is counted as it is published, what is the case is looked up when it is asked
// for. Names and units follow Prometheus' conventions; each says what it is in its help text.
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
