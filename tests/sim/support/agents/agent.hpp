// A simulated agent process as the manager knows one (real_agent.hpp has the real shells): says hello, sees, executes
// commands step by step, reports truthfully. What it keeps across a crash is in its host; everything else is lost.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "tests/sim/support/agents/agent_process.hpp"

namespace zedops::sim {

struct agent_options {
  std::string name = {};
  duration step_min{20}, step_max{200};  // how long one step of a command takes
  duration look_min{5}, look_max{50};
};

class agent final : public agent_process {
 public:
  agent(agenda& time, dice& chance, network& net, host& on, agent_options options);

  void start() override;
  void crash() override;
  bool running() const override { return life_ != 0; }
  bool in_session() const override { return session_ != 0; }
  void disconnect() override;
  void die_at_effect(uint64_t nth) override { effects_left_ = nth; }
  void fair_weather() override { effects_left_ = 0; }

  const std::string& wire() const { return wire_; }
  host& on() override { return host_; }
  const std::string& name() const override { return options_.name; }
  bool final_refusal() const override { return refused_; }
  size_t commands_received() const { return commands_received_; }

  std::optional<std::string> fail_step;     // the next step of this name fails, once
  std::optional<std::string> crash_before;  // the process dies before the next step of this name, once
  bool gives_up = true;                     // false: it ignores the time limit of a command
  uint64_t syncs_answered = 0;
  uint64_t incidents_taken_upto = 0;

  void receive(const std::string& wire, uint64_t session, const msg::to_agent& what) override;
  void hung_up(const std::string& wire) override;
  void hello();

  msg::observation look(const msg::known_server& k) const;
  void forget(const msg::server_id& id) { known_.erase(id); }

 private:
  struct job {
    msg::run_command cmd;
    std::vector<std::string> steps;
    size_t next = 0;
    duration begun{};
    std::string old_id;  // replace: the container that is being replaced
    std::string made_id;
    bool was_alive = false;
    bool fresh_start = false;
    bool withdrawn = false;
    bool untouched = false;  // of an adoption that failed: everything is as it was
    std::optional<uint64_t> bytes_removed;
  };
  void later(duration wait, std::function<void()> what);  // only if this process still lives then
  void dial();
  void out_of_session();
  void beat();
  void say(msg::from_agent what);
  void on_command(const msg::run_command& c);
  void withdraw(const std::function<bool(const msg::run_command&)>& which);
  void pump(const msg::server_id& server);
  void advance(const msg::server_id& server);
  bool dies_here();  // between two effects
  msg::result<void> perform(job& j, const std::string& step);
  msg::result<void> prepare(job& j);
  msg::result<void> create(job& j);
  msg::result<void> start_it(job& j);
  msg::result<void> prove(job& j);
  void undo(job& j);
  void put_back(job& j);
  msg::result<void> perform_adoption(job& j, const std::string& step);  // agent_adopt.cpp
  void give_back(job& j);
  msg::container_answer describe(const msg::container_query& q);
  void finish(const msg::server_id& server, std::optional<msg::error> failure);
  container* current(const job& j);
  void notice(const std::string& server, const char* hint);
  void inventory(uint64_t request);

  agenda& time_;
  dice& chance_;
  network& net_;
  host& host_;
  const agent_options options_;
  uint64_t life_ = 0, lives_ = 0, effects_left_ = 0;
  std::string instance_;
  std::string wire_;
  uint64_t session_ = 0;
  uint64_t greetings_ = 0;
  duration last_heard_{};
  bool refused_ = false;
  size_t commands_received_ = 0;
  std::map<msg::server_id, msg::known_server> known_;
  std::map<msg::server_id, std::deque<job>> lanes_;
};

}  // namespace zedops::sim
