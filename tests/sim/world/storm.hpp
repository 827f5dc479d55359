// One random life of a whole installation, drawn from one seed: clients with requests, and everything that can go
// wrong. Afterwards the faults end, and the world has to settle with records that are true.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "tests/sim/support/world_fixture.hpp"

namespace zedops::sim {

struct storm_options {
  uint64_t seed = 1;
  int turns = 40;
  int hosts = 3;
  int names = 4;        // server names per host
  int real_hosts = -1;  // with the real agent; fewer than none: the seed says
};

// Most lives have a handful of hosts and many turns, some hundreds of hosts and few.
storm_options a_life(uint64_t seed);

class storm {
 public:
  explicit storm(const storm_options& options);

  // Empty: all rules held. Else what broke, with the seed and the story up to there.
  std::string run();
  // Of the whole event log: equal lives have equal ones.
  uint64_t fingerprint() const;

  struct figures {
    std::map<std::string, uint64_t> faults;  // by kind
    uint64_t steps = 0, acknowledged = 0, lost = 0, ended = 0, starts = 0;
    std::map<std::string, uint64_t> succeeded;  // operations by kind
  };
  figures count() const;

 private:
  void request();
  void adopt(const std::string& on, const std::string& as);
  std::string lost_stranger() const;
  void misfortune();
  void hand_of_man();  // manual docker commands on a host
  void fault_of_manager(uint64_t which);
  void restore_or_back_up();
  void fault_of_host(uint64_t which, const std::string& host_name);
  void fault_of_agent(uint64_t which, agent_process& a);
  void fair_weather();
  std::string unrest();  // why the world has not settled yet; empty: it has
  std::string unrest_of(const msg::server& s);
  std::string foreign_on(const host& h) const;
  std::string some_host();
  std::string some_server();
  void tell(std::string what);
  void fault(const std::string& kind, std::string what);
  std::string story(const std::string& why) const;
  template <class Body>
  void ask(const std::string& verb, const Body& body);

  const storm_options options_;
  dice luck_;
  dice disk_;  // how long a commit takes
  world w_;
  duration clock_step_max_{20min};
  std::shared_ptr<const world::backup> backup_;
  bool restored_ = false;
  struct stranger {  // a container that was made by hand
    std::string host, id, name;
  };
  std::vector<stranger> strangers_;
  unsigned stranger_names_ = 0;
  std::set<std::string> removed_by_hand_;
  std::vector<std::string> story_;
  std::map<std::string, uint64_t> faults_;
};

}  // namespace zedops::sim
