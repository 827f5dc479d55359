// Connections between agents and the manager as ZeroMQ gives them: in order, nothing lost while a connection lives,
// everything on the way lost when it ends. Directions can be held back one by one (a partition, a full buffer).
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "actors/runtime/interfaces.hpp"
#include "actors/runtime/ports.hpp"
#include "tests/sim/support/agenda.hpp"
#include "tests/sim/support/dice.hpp"

namespace zedops::sim {

class agent_end {
 public:
  virtual ~agent_end() = default;
  virtual void receive(const std::string& wire, uint64_t session, const msg::to_agent& what) = 0;
  virtual void hung_up(const std::string& wire) = 0;
};

class network final : public rt::agent_port {
 public:
  network(agenda& time, dice& chance) : time_(time), chance_(chance) {}

  // ---- the manager's end ----
  bool send(const std::string& wire, uint64_t session, const msg::to_agent& what) override;
  std::function<void(rt::agent_said)> to_manager;
  std::function<void(rt::peer_lost)> to_manager_lost;
  std::function<void(const std::string& wire, const msg::to_agent&)> on_send;  // for the auditor and for faults
  void manager_up() { up_ = true; }
  void manager_gone();  // every connection ends; what was on its way is lost

  // ---- an agent's end ----
  std::string dial(agent_end& who);  // empty: the manager does not listen
  void say(const std::string& wire, msg::from_agent what);
  void hang_up(const std::string& wire);  // either end, or the network in between

  // ---- faults ----
  duration delay_min{1}, delay_max{5};
  uint64_t bytes_per_ms = 0;      // what a connection carries; zero: sizes make no difference
  uint64_t repeat_per_mille = 0;  // reports that are sent once more
  bool silent_loss = false;       // ends of connections are not noticed by the manager
  enum class direction { to_agent, to_manager };
  void hold(agent_end& who, direction d);
  void release(agent_end& who, direction d);
  void release_all();
  bool open(const std::string& wire) const { return wires_.contains(wire); }

 private:
  struct connection {
    agent_end* who = nullptr;
    duration last[2] = {duration{0}, duration{0}};                 // arrival of the newest message, per direction
    std::deque<std::pair<uint64_t, msg::to_agent>> held_to_agent;  // with their sessions
    std::deque<msg::from_agent> held_to_manager;
  };
  bool held(const agent_end* who, direction d) const {
    auto i = held_.find({who, d});
    return i != held_.end();
  }
  template <class Message>
  duration arrival(connection& c, direction d, const Message& what);
  void carry(const std::string& wire, connection& c, uint64_t session, const msg::to_agent& what);
  void carry(const std::string& wire, connection& c, msg::from_agent what);

  agenda& time_;
  dice& chance_;
  bool up_ = false;
  uint64_t dialled_ = 0;
  std::map<std::string, connection> wires_;
  std::map<std::pair<const agent_end*, direction>, bool> held_;
};

}  // namespace zedops::sim
