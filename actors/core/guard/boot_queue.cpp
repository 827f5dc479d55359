#include "actors/core/guard/boot_queue.hpp"

#include <algorithm>
#include <tuple>

namespace zedops::core {

namespace {

bool later(const boot_queue::entry& a, const boot_queue::entry& b) {
  return std::tie(b.priority, a.name, a.id) > std::tie(a.priority, b.name, b.id);
}

}  // namespace

void boot_queue::add(entry e) {
  if (!members_.insert(e.id).second) return;
  ++all_;
  waiting_.insert(std::upper_bound(waiting_.begin(), waiting_.end(), e, later), std::move(e));
}

std::vector<boot_queue::turn> boot_queue::startable() {
  std::vector<turn> out;
  while (!waiting_.empty() && members_.size() - waiting_.size() < parallel_max_) {
    out.push_back({std::move(waiting_.back().id), ++begun_, all_});
    waiting_.pop_back();
  }
  return out;
}

void boot_queue::done(const msg::server_id& id) {
  members_.erase(id);
  if (members_.empty()) begun_ = all_ = 0;
}

}  // namespace zedops::core
