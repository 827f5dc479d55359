// A whole installation in one thread and virtual time: manager (the real shells), hosts with agents, network, clients.
// Everything follows from one seed.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "messages/api/requests.hpp"
#include "messages/api/views.hpp"
#include "messages/wire/codec.hpp"
#include "persistence/memory_store.hpp"
#include "tests/sim/support/agents/agent.hpp"
#include "tests/sim/support/auditor.hpp"
#include "tests/sim/support/manager_process.hpp"

namespace zedops::sim {

using namespace std::chrono_literals;

struct call_options {
  std::string key = {};  // idempotency
  bool wait = false;
  bool dry_run = false;
  std::string actor = {"ann"};
  std::optional<duration> deadline = {};          // how long the client waits
  std::shared_ptr<const msg::principal> by = {};  // local if empty
};

manager::policy sim_policy();  // deadlines short enough for a simulation

class world {
 public:
  explicit world(uint64_t seed = 1, manager::policy rules = sim_policy());
  ~world();

  // ---- the stage; objects that actors use come before the manager ----
  const uint64_t seed;
  agenda time;
  dice chance;
  manager::policy rules;
  manager::template_set templates = sim_templates();  // what the next life of the manager finds
  virtual_wall wall{time};
  client_door clients;
  event_board events;
  network net{time, chance};
  store::memory_store db;
  std::map<std::string, std::unique_ptr<host>> hosts;
  std::map<std::string, std::unique_ptr<agent_process>> agents;
  auditor audit{db, clients, events};
  std::unique_ptr<manager_process> manager;

  // ---- faults of the manager ----
  bool any_order = false;                  // interleave actors at random
  std::function<duration()> commit_takes;  // how long the manager's disk needs, each time; empty: no time
  uint64_t crash_after_jobs = 0;           // the manager dies after that many more jobs
  bool store_may_crash = false;            // a crash in a commit was armed
  bool core_loss_is_a_crash = false;       // else it counts as a broken rule
  std::vector<extra_kind> more_kinds;      // for the next start of the manager
  uint64_t incarnation = 0;
  uint64_t crashes = 0;
  uint64_t steps = 0;  // jobs of actors and events of the world

  void boot();
  void stop_manager();   // in order
  void crash_manager();  // it sends and writes nothing more
  // A copy of the store as it is, and a restore of it later: decisions since then are undone, but hosts keep them.
  struct backup;
  std::shared_ptr<const backup> back_up();
  void restore(const backup& from);
  agent& add_host(const std::string& name, agent_options options = {});
  // Its agent consists of the real shells; `one_lane`: it runs one command at a time.
  agent_process& add_real_host(const std::string& name, bool one_lane = false);
  agent& at(const std::string& name) { return dynamic_cast<agent&>(*agents.at(name)); }
  host& on(const std::string& name) { return *hosts.at(name); }

  // ---- time ----
  void settle();  // everything that can happen now
  bool work();    // one job of one actor, anywhere
  void advance(duration d);
  bool until(const std::function<bool()>& true_now, duration at_most = 60s);

  // ---- clients ----
  template <class Body>
  std::string send(const std::string& verb, const Body& body, const call_options& o = {}) {
    return send_bytes(verb, msg::pack_map(body), o);
  }
  std::string send_bytes(const std::string& verb, std::string body, const call_options& o);
  bool answered(const std::string& request) const { return clients.requests.at(request).final.has_value(); }
  size_t progress_of(const std::string& request) const;
  template <class T>
  msg::result<T> answer(const std::string& request) const {
    const auto& r = clients.requests.at(request);
    if (!r.final) return msg::fail(msg::ec::timeout, "no answer yet");
    const auto& last = r.replies[*r.final];
    if (last.kind == rt::answer::result) return msg::unpack_map<T>(last.body);
    auto e = msg::unpack_map<msg::error>(last.body);
    return msg::fail(e ? *e : e.error());
  }
  template <class T, class Body>
  msg::result<T> ask(const std::string& verb, const Body& body, const call_options& o = {}) {
    const auto request = send(verb, body, o);
    until([&] { return answered(request); }, 120s);
    return answer<T>(request);
  }
  template <class Body>
  msg::result<msg::operation_reply> operate(const std::string& verb, const Body& body, call_options o = {}) {
    return ask<msg::operation_reply>("server." + verb, body, o);
  }
  // The same, until the operation has ended.
  template <class Body>
  msg::result<msg::operation_reply> finish(const std::string& verb, const Body& body, call_options o = {}) {
    o.wait = true;
    return operate(verb, body, o);
  }

  // ---- looking ----
  const manager::catalog& records() { return manager->world().records; }
  msg::server server(const std::string& name) const;  // by its log; a blank record when there is none
  msg::server_status status(const std::string& name) const { return server(name).status; }
  msg::agent_status agent_status(const std::string& name) const;
  std::string report() const;  // what the auditor found, and the seed

 private:
  void job_done();
  void look();
  void equip(const std::string& host_name);
  uint64_t requests_ = 0;
  std::unique_ptr<seeded_randomness> random_;
};

msg::create_server a_server(const std::string& name, const std::string& on);
// Else a stop gets the time of its plan.
void shorten_stops(msg::server_template& t);
// A container that was made by hand, and a request to adopt it.
msg::container_spec a_stranger(const std::string& name, uint16_t port);
msg::adopt_server an_adoption(const std::string& container, const std::string& name, const std::string& on);

}  // namespace zedops::sim
