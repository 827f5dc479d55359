// Looks over everybody's shoulder: rules that hold at every moment of every run, whatever has gone wrong.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "actors/manager/deps.hpp"
#include "messages/facts.hpp"
#include "persistence/memory_store.hpp"
#include "tests/sim/support/clients.hpp"
#include "tests/sim/support/host.hpp"

namespace zedops::sim {

class auditor {
 public:
  auditor(const store::store& db, const client_desk& clients, const event_board& events)
      : db_(db), clients_(clients), events_(events) {}

  // Reads what has become durable since the last look and judges it. `records`: of the running manager, if one runs.
  void read_log(const manager::catalog* records);
  void look_at(host& h, const std::string& manager_id);
  void look_at_doors();
  // At the end of a life, at rest: what was acknowledged has come to an end.
  void look_at_promises();
  void on_command(const msg::run_command& c);
  void on_data_removed(const host& h, const std::string& server_name);
  void manager_started() { next_event_ = 0; }

  bool enabled = true;
  const std::vector<std::string>& broken() const { return broken_; }
  void say(std::string what);

  // The world as the log tells it.
  const std::map<msg::server_id, msg::server>& servers() const { return servers_; }
  const std::map<msg::agent_id, msg::agent>& agents() const { return agents_; }
  uint64_t last_seq() const { return last_seq_; }
  const msg::operation* operation(const msg::operation_id& id) const {  // as it was accepted
    auto i = accepted_.find(id);
    return i == accepted_.end() ? nullptr : &i->second;
  }
  bool has_ended(const msg::operation_id& id) const { return ended_.contains(id); }
  const std::vector<msg::log_entry>& log() const { return log_; }
  uint64_t acknowledged() const { return acknowledged_.size(); }
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
  const client_desk& clients_;
  const event_board& events_;
  std::vector<std::string> broken_;
  std::vector<msg::log_entry> log_;
  std::map<msg::server_id, msg::server> servers_;
  std::map<msg::agent_id, msg::agent> agents_;
  std::map<msg::operation_id, msg::operation> accepted_;
  std::set<msg::operation_id> ended_;
  std::set<msg::operation_id> acknowledged_;  // that a client was told of
  std::map<std::string, uint64_t> subjects_;
  std::map<std::string, msg::server_id> claims_;
  uint64_t last_seq_ = 0;
  uint64_t highest_term_ = 0;
  uint64_t next_event_ = 0;
  size_t events_seen_ = 0;
  size_t doubles_seen_ = 0;
  size_t answers_seen_ = 0;
};

}  // namespace zedops::sim
