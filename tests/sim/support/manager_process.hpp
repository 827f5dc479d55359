// One run of the manager: CAF's test scheduler, the real shells, and nothing that survives its end.
#pragma once
#include <memory>

#include "actors/manager/node.hpp"
#include "persistence/memory_store.hpp"
#include "tests/sim/support/clients.hpp"
#include "tests/sim/support/dice.hpp"
#include "tests/sim/support/network.hpp"
#include "tests/sim/support/virtual_wall.hpp"

namespace zedops::sim {

struct extra_kind {  // beside servers and agents
  manager::kind_row row;
  std::unique_ptr<manager::any_records> (*records)();
};

struct manager_parts {
  store::memory_store& db;
  virtual_wall& wall;
  rt::randomness& random;
  client_door& clients;
  network& agents;
  event_board& events;
  const manager::policy& rules;
  const manager::template_set& templates;
  agenda& time;
  const std::function<duration()>& commit_takes;  // of the disk, each time; empty: no time at all
  const std::vector<extra_kind>& kinds;
};

class manager_process {
 public:
  explicit manager_process(const manager_parts& parts);  // throws std::runtime_error when the store cannot be read
  ~manager_process();                                    // ends all actors in order

  manager::node& node();
  manager::shared& world();
  // Runs one job of one actor. False: there is nothing to do now. With dice, any actor that has work may be next. The
  // journal's next batch waits for as long as the disk takes; other actors with work go on meanwhile.
  bool run_one(dice* any_order);
  void advance(duration d);
  const std::string& core_lost() const { return core_lost_; }

 private:
  struct parts;
  std::string core_lost_;
  std::unique_ptr<parts> p_;
};

const manager::template_set& sim_templates();  // the built-in ones

}  // namespace zedops::sim
