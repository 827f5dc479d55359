// Watches everything: rules that hold at every moment of every run, whatever has gone wrong.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "actors/manager/deps.hpp"
#include "messages/records/facts.hpp"
#include "persistence/memory_store.hpp"
#include "tests/sim/support/clients.hpp"
#include "tests/sim/support/hosts/host.hpp"

namespace zedops::sim {

class auditor {
 public:
  auditor(const store::store& db, const client_door& clients, const event_board& events)
      : db_(db), clients_(clients), events_(events) {}

  // Reads what has become durable since the last call and checks it. `records`: of the running manager, if one runs.
  void read_log(const manager::catalog* records);
  void look_at(host& h, const std::string& manager_id);
  void look_at_doors();
  // At the end of a life, when it has settled: everything acknowledged has ended.
  void look_at_promises();
  void on_command(const msg::run_command& c);
  void on_data_removed(const host& h, const std::string& server_name);
  void manager_started() { next_event_ = 0; }

  // What it has read of the log: reset with the store when a backup is restored.
  struct memory {
    std::vector<msg::log_entry> log;
    std::map<msg::server_id, msg::server> servers;
    std::map<msg::agent_id, msg::agent> agents;
    std::map<msg::operation_id, msg::operation> accepted;
    std::set<msg::operation_id> ended;
    std::set<msg::operation_id> acknowledged;  // that a client was told of
    std::map<std::string, uint64_t> subjects;
    std::map<std::string, msg::server_id> claims;
    // Removals that were given up at their deadline: their withdrawal is on its way, and may arrive too late.
    std::set<msg::server_id> given_up;
    uint64_t last_seq = 0;
    uint64_t highest_term = 0;
  };
  memory remember() const { return m_; }
  void go_back(memory to);

  bool enabled = true;
  const std::vector<std::string>& broken() const { return broken_; }
  void say(std::string what);

  // The world according to the log.
  const std::map<msg::server_id, msg::server>& servers() const { return m_.servers; }
  const std::map<msg::agent_id, msg::agent>& agents() const { return m_.agents; }
  uint64_t last_seq() const { return m_.last_seq; }
  const msg::operation* operation(const msg::operation_id& id) const {  // as it was accepted
    auto i = m_.accepted.find(id);
    return i == m_.accepted.end() ? nullptr : &i->second;
  }
  bool has_ended(const msg::operation_id& id) const { return m_.ended.contains(id); }
  const std::vector<msg::log_entry>& log() const { return m_.log; }
  uint64_t acknowledged() const { return m_.acknowledged.size(); }
  uint64_t lost() const;  // acknowledged, and without an end

 private:
  bool is_audit(const msg::log_entry& e) const;
  void fold(const msg::log_entry& e);
  void judge_server(const store::reader& r, const std::string& id, const manager::catalog* records);
  void judge_agent(const store::reader& r, const std::string& id);
  void judge_claims(const msg::server& s);
  void judge_timer(const msg::server& s, const manager::catalog& records);
  void judge_answers();

  const store::store& db_;
  const client_door& clients_;
  const event_board& events_;
  memory m_;
  std::set<std::pair<msg::agent_id, std::string>> ordered_;  // removals requested in a life that was undone
  std::vector<std::string> broken_;
  uint64_t next_event_ = 0;
  size_t events_seen_ = 0;
  size_t doubles_seen_ = 0;
  size_t answers_seen_ = 0;
};

}  // namespace zedops::sim
