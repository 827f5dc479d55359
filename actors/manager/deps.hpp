// What the manager's shells share: read model, settings, ports. Handles of actors are passed at spawn.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "actors/core/agent/liveness.hpp"
#include "actors/core/server/restart_tracker.hpp"
#include "actors/core/server/server_machine.hpp"
#include "actors/manager/entities/entity_book.hpp"
#include "actors/manager/metrics/metrics.hpp"
#include "actors/manager/records/catalog.hpp"
#include "actors/manager/records/history.hpp"
#include "actors/manager/records/kinds.hpp"
#include "actors/manager/usage/usage_book.hpp"
#include "actors/runtime/ports.hpp"
#include "messages/records/template.hpp"
#include "persistence/upload_store.hpp"

namespace zedops::manager {

struct policy {
  msg::duration retention{std::chrono::hours(24)};
  msg::duration sync_interval{30'000};
  msg::duration usage_interval{15'000};
  core::liveness_policy liveness;
  core::restart_policy restarts;
  decltype(core::context::time_max) time_max = core::context{}.time_max;
  uint64_t history_max = 1'000'000;    // events kept
  uint64_t audit_max = 1'000'000;      // records of the audit kept
  uint32_t hold_recovery_above = 50;   // percent of an agent's servers gone in one look: automatic recovery is held
  msg::duration clock_trust{600'000};  // nothing is purged by time alone until the clock has run evenly for this long
};

// The policy in force; a reload changes it under running actors.
class live_policy {
 public:
  live_policy(policy p = {}) : now_(std::move(p)) {}  // implicit on purpose: it is used where a policy is expected
  policy operator()() const {
    std::lock_guard lock(mutex_);
    return now_;
  }
  template <class F>
  void change(F f) {
    std::lock_guard lock(mutex_);
    f(now_);
  }

 private:
  mutable std::mutex mutex_;
  policy now_;
};

// Messages on their way to one actor. Senders count in, the actor counts out.
struct queue_gauge {
  std::atomic<uint64_t> now{0};
  std::atomic<uint64_t> max{0};  // since the process began
};

// The load of a manager, for monitoring. Maxima are since the process began.
struct load_gauges {
  std::atomic<uint64_t> entries{0};          // committed
  std::atomic<uint64_t> batch_max{0};        // entries in one transaction
  std::atomic<uint64_t> waiting{0};          // for the next transaction, now
  std::atomic<uint64_t> commit_us_total{0};  // from the first look at a batch to its durable end
  std::atomic<uint64_t> commit_us_max{0};
  std::atomic<uint64_t> clients_waiting{0};  // for the end of an operation
  std::atomic<uint64_t> decisions{0};
  std::atomic<uint64_t> decision_us_total{0};
  std::atomic<uint64_t> decision_us_max{0};
  std::atomic<uint64_t> sweep_late_us_max{0};  // how late a look for deadlines was made
  queue_gauge gateway, reader, agents;

  static constexpr uint64_t queue_long = 10'000;  // reported in the log

  // Whether the queue is longer than it should ever be.
  static bool in(queue_gauge& q) {
    const auto n = q.now.fetch_add(1) + 1;
    raise(q.max, n);
    return n >= queue_long;
  }
  static void out(queue_gauge& q) { q.now.fetch_sub(1); }
  static uint64_t microseconds_since(std::chrono::steady_clock::time_point begun) {
    const auto took = std::chrono::steady_clock::now() - begun;
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  }
  static void raise(std::atomic<uint64_t>& max, uint64_t to) {
    for (auto now = max.load(); now < to && !max.compare_exchange_weak(now, to);) {
    }
  }
};

using template_set = std::map<std::string, msg::server_template, std::less<>>;

// One per manager, made by the composition root; outlives every actor.
struct shared {
  catalog records;
  kind_list kinds{};
  store::store& store;
  manager::history history;
  live_policy rules;
  template_set templates;
  std::string manager_id;
  std::string data_dir{};         // where the store is, for people
  std::atomic<uint64_t> term{0};  // raised when an agent has obeyed a higher one
  msg::time_point started_at{};
  rt::wall_clock& clock;
  rt::randomness& random;
  rt::agent_port& agents;
  rt::event_port& events;
  rt::key_port* keys = nullptr;            // null: there are none, and no peer connects over a network
  rt::account_port* accounts = nullptr;    // null: HTTP is off
  usage_book* usage = nullptr;             // null: usage is not recorded
  store::upload_store* uploads = nullptr;  // null: nothing is deployed from uploads
  entity_book actors{};
  std::atomic<uint64_t> last_seq{0};
  std::atomic<uint64_t> commits{0}, commands{0}, refused{0}, actor_restarts{0};
  load_gauges load{};
  metrics figures{};
  // Called after each sweep by the journal, for a watchdog: the scheduler, the timers and the one writer are working.
  std::function<void()> progressed{};
  std::function<std::map<std::string, uint64_t>()> door_counters{};  // of the bus; empty: there is none

  const msg::server_template* find_template(std::string_view name) const {
    auto i = templates.find(name);
    return i == templates.end() ? nullptr : &i->second;
  }
};

}  // namespace zedops::manager
