// A whole installation of pure state machines: many servers, names and ports, hosts with a simple Engine, messages as
// function calls, one seed. No CAF, no store, no threads: as many random lives as the processor can afford.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/core/support/rules.hpp"

namespace zedops::core::testing {

class cluster {
 public:
  explicit cluster(uint64_t seed, int hosts = 2);

  // One thing happens. Returns what broke, in words; nothing when all rules hold.
  std::optional<std::string> step();
  // No more faults: everything has to settle. Returns what does not, in words.
  std::optional<std::string> rest();

  uint64_t steps() const { return steps_; }
  uint64_t decisions() const { return decisions_; }
  uint64_t operations() const { return accepted_.size(); }
  uint64_t purged() const { return purged_; }
  uint64_t last_second_restores() const { return last_second_; }

 private:
  struct body {
    std::string id;
    bool alive = false;
  };
  struct order {
    server_id server;
    send_command what;
    time_point sent{};
    bool withdrawn = false;
  };
  struct host {
    agent_id id;
    bool online = true, engine = true, mounted = true;
    std::map<std::string, body> bodies;       // by server id
    std::map<std::string, data_state> trees;  // by server name
    std::deque<order> queue;
    std::deque<std::pair<server_id, command_result>> reports;  // on their way; lost with the link
    std::map<std::string, command_result> done;                // by operation: the agent's journal
  };

  uint64_t roll(uint64_t sides);
  bool one_in(uint64_t n) { return roll(n) == 0; }
  host& host_of(const server& s) { return hosts_.at(s.agent.value); }
  host& some_host();
  server* some_server();
  context now_for(const host& h) const;

  void give(const std::string& id, const input& in);
  void carry_out(const server& s, const effect& e);
  void create();
  void request(server& s);
  void execute(host& h);
  command_result perform(host& h, const order& o, bool cut_short);
  void deliver(host& h);
  void link(host& h, bool up);
  void look_at_all(host& h);
  observation look(const host& h, const server& s) const;
  void by_hand(host& h);
  void sweep();
  void broken(std::string why) {
    if (!broken_) broken_ = std::move(why);
  }

  uint64_t state_;
  time_point now_ = noon;
  std::map<std::string, host> hosts_;
  std::map<std::string, server> servers_;
  std::map<std::string, std::string> claims_;  // claim -> server id
  std::map<std::string, int> accepted_, ended_;
  std::set<std::string> removable_;  // "agent/name" whose data an open operation may remove
  std::optional<std::string> broken_;
  uint64_t steps_ = 0, decisions_ = 0, ids_ = 0, seq_ = 0, purged_ = 0, last_second_ = 0;
};

}  // namespace zedops::core::testing
