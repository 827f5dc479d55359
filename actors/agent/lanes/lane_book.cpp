#include "actors/agent/lanes/lane_book.hpp"

#include <algorithm>

namespace zedops::agent {

using namespace msg;

lane_book::entry lane_book::offer(run_command command) {
  if (auto r = running_.find(command.server);
      r != running_.end() && r->second.op == command.op && r->second.attempt == command.attempt)
    return entry::duplicate;
  size_t same = 0;
  for (auto& c : queue_) {
    if (c.op == command.op && c.attempt == command.attempt) {
      c.term = std::max(c.term, command.term);  // sent again by a later manager, the only one obeyed now
      return entry::duplicate;
    }
    same += c.server == command.server ? 1 : 0;
  }
  if (same >= lane_queue_max || queue_.size() >= lanes_waiting_max) return entry::full;
  queue_.push_back(std::move(command));
  waiting_ = queue_.size();
  return entry::accepted;
}

std::vector<run_command> lane_book::startable() {
  std::vector<run_command> out;
  std::set<server_id> passed;  // a server whose first command must wait holds back its later ones
  for (auto i = queue_.begin(); i != queue_.end();) {
    const auto kind = class_of(i->kind);
    if (running_.contains(i->server) || held_.contains(i->server) || busy(kind) >= limit(kind) ||
        passed.contains(i->server)) {
      passed.insert(i->server);
      ++i;
      continue;
    }
    ++busy(kind);
    running_[i->server] = {i->op, i->attempt, kind};
    out.push_back(std::move(*i));
    i = queue_.erase(i);
  }
  waiting_ = queue_.size();
  return out;
}

bool lane_book::has(const server_id& server) const {
  return running_.contains(server) ||
         std::any_of(queue_.begin(), queue_.end(), [&](const auto& c) { return c.server == server; });
}

void lane_book::finished(const server_id& server) {
  auto i = running_.find(server);
  if (i == running_.end()) return;
  --busy(i->second.kind);
  running_.erase(i);
}

std::optional<run_command> lane_book::withdraw(const operation_id& op) {
  return take(std::find_if(queue_.begin(), queue_.end(), [&](const auto& c) { return c.op == op; }));
}

std::optional<run_command> lane_book::withdraw_other(const server_id& server, const operation_id& than) {
  return take(
      std::find_if(queue_.begin(), queue_.end(), [&](const auto& c) { return c.server == server && c.op != than; }));
}

std::optional<run_command> lane_book::take(std::deque<run_command>::iterator i) {
  if (i == queue_.end()) return std::nullopt;
  auto out = std::move(*i);
  queue_.erase(i);
  waiting_ = queue_.size();
  return out;
}

}  // namespace zedops::agent
