// In which order many servers are started when their host came up, and how many at once. Pure.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "messages/base/ids.hpp"

namespace zedops::core {

class boot_queue {
 public:
  struct entry {
    msg::server_id id;
    std::string name;
    int32_t priority = 0;  // higher ones first, then by name
  };
  struct turn {
    msg::server_id id;
    uint32_t number = 0;  // 3 of 17, since the queue was last empty
    uint32_t of = 0;
  };

  explicit boot_queue(size_t parallel_max) : parallel_max_(parallel_max) {}

  void add(entry e);  // again: nothing happens
  // Those to start now; each counts as being started until done() is called for it.
  std::vector<turn> startable();
  void done(const msg::server_id& id);
  bool contains(const msg::server_id& id) const { return members_.contains(id); }
  bool idle() const { return members_.empty(); }

 private:
  size_t parallel_max_;
  std::vector<entry> waiting_;  // sorted, the first one last
  std::set<msg::server_id> members_;
  uint32_t begun_ = 0, all_ = 0;
};

}  // namespace zedops::core
