// An agent with a host full of simulated containers, as a pure machine: messages and time in, messages out. Whatever it
// is told to do succeeds after a fixed delay, and what it then reports is what a real host would show.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "messages/wire/link.hpp"

namespace zedops::load {

struct sim_agent_options {
  std::string name = "load-0";
  std::string data_path = "/srv/load";
  msg::duration work{};  // how long each command takes
};

// What happens to a container by itself or by a manual change.
enum class mishap : uint8_t { die, start, destroy };

struct timed_message {
  msg::duration after{};  // to be sent this much later
  msg::from_agent what;
};

class sim_agent {
 public:
  explicit sim_agent(sim_agent_options options);

  msg::hello greeting() const;
  // Answers, in the order in which they are to be sent.
  std::vector<timed_message> on(const msg::to_agent& message);
  // Changes the container and returns what is observed then. Nothing for a server without one.
  std::vector<timed_message> happen(const msg::server_id& server, mishap what);

  bool welcomed() const { return session_ != 0; }
  bool turned_away() const { return turned_away_; }
  uint64_t session() const { return session_; }
  const std::string& name() const { return options_.name; }
  std::vector<msg::server_id> servers() const;  // those with a container
  uint64_t commands() const { return commands_; }
  void disconnected() {
    session_ = 0;
    ++greetings_;
  }

 private:
  struct embodied {
    msg::known_server known;
    msg::container_view view;
    bool exists = false;
    msg::data_state data = msg::data_state::absent;
  };
  msg::observation look(const msg::server_id& id) const;
  msg::inventory inventory(uint64_t request) const;
  void adopt(const msg::known_server& known);
  void make(embodied& e, const msg::run_command& c);
  msg::command_result execute(const msg::run_command& c);

  sim_agent_options options_;
  std::string manager_id_;
  uint64_t term_ = 0, session_ = 0, greetings_ = 0, containers_made_ = 0, commands_ = 0;
  bool turned_away_ = false;
  std::map<msg::server_id, embodied> servers_;
  std::map<std::string, msg::command_result> done_;  // by operation and attempt, to repeat the report
};

}  // namespace zedops::load
