// Which command may run when: one per server at a time, in order of arrival, and a bounded number of servers at once.
// Slow commands (those that may pull) have slots of their own, so that a stop never waits for another server's pull;
// copying has its own, so that neither waits for a copy; and deployments have theirs. Pure.
#pragma once
#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "messages/wire/link.hpp"

namespace zedops::agent {

inline constexpr size_t lane_queue_max = 8;        // commands waiting per server
inline constexpr size_t lanes_waiting_max = 1024;  // commands waiting in all

struct lane_limits {
  size_t slow_max = 4;    // run, restart, replace
  size_t quick_max = 4;   // stop, remove, purge, drop_source
  size_t bulk_max = 2;    // move, adopt: hours of copying, and more at once would only compete for the disks
  size_t deploy_max = 4;  // phases of deployments
};

enum class lane_class { slow, quick, bulk, deploys };
constexpr lane_class class_of(msg::command_kind k) {
  switch (k) {
    case msg::command_kind::stop:
    case msg::command_kind::remove:
    case msg::command_kind::drop_source:
    case msg::command_kind::purge: return lane_class::quick;
    case msg::command_kind::move:
    case msg::command_kind::adopt: return lane_class::bulk;
    case msg::command_kind::deploy: return lane_class::deploys;
    case msg::command_kind::run:
    case msg::command_kind::restart:
    case msg::command_kind::replace: return lane_class::slow;
  }
  return lane_class::slow;
}

class lane_book {
 public:
  explicit lane_book(lane_limits limits = {}) : limits_(limits) {}

  enum class entry { accepted, duplicate, full };
  // A duplicate (same operation and attempt, waiting or running) does nothing but raise the term: its report will come.
  entry offer(msg::run_command command);
  // Commands to start now; each stays `running` until finished() is called for its server.
  std::vector<msg::run_command> startable();
  void finished(const msg::server_id& server);
  // Takes a waiting command out; nothing when it runs or is unknown.
  std::optional<msg::run_command> withdraw(const msg::operation_id& op);
  // Takes out a waiting command for this server that serves another operation.
  std::optional<msg::run_command> withdraw_other(const msg::server_id& server, const msg::operation_id& than);

  // While held, none of its commands is started; what runs already goes on.
  void hold(const msg::server_id& server) { held_.insert(server); }
  void release(const msg::server_id& server) { held_.erase(server); }

  bool has(const msg::server_id& server) const;  // a command for it runs or waits
  bool is_running(const msg::server_id& server) const { return running_.contains(server); }
  size_t running() const { return running_.size(); }
  size_t waiting() const { return waiting_; }
  const std::deque<msg::run_command>& queue() const { return queue_; }  // those that wait, in order of arrival

 private:
  struct active {
    msg::operation_id op;
    uint32_t attempt = 0;
    lane_class kind = lane_class::slow;
  };
  std::optional<msg::run_command> take(std::deque<msg::run_command>::iterator i);
  size_t& busy(lane_class k) { return busy_[static_cast<size_t>(k)]; }
  size_t limit(lane_class k) const {
    return std::array{limits_.slow_max, limits_.quick_max, limits_.bulk_max,
                      limits_.deploy_max}[static_cast<size_t>(k)];
  }

  lane_limits limits_;
  std::map<msg::server_id, active> running_;
  std::set<msg::server_id> held_;
  std::deque<msg::run_command> queue_;  // in order of arrival over all servers
  size_t waiting_ = 0;
  std::array<size_t, 4> busy_{};  // by class
};

}  // namespace zedops::agent
