// What the stage and the storm may do to any agent process, simulated or real.
#pragma once
#include <cstdint>
#include <string>

#include "tests/sim/support/dice.hpp"
#include "tests/sim/support/hosts/host.hpp"
#include "tests/sim/support/network.hpp"

namespace zedops::sim {

class agent_process : public agent_end {
 public:
  virtual void start() = 0;  // a new process
  virtual void crash() = 0;  // at once, wherever it is; only durable state is left
  virtual bool running() const = 0;
  virtual bool in_session() const = 0;
  virtual void disconnect() = 0;  // its connection ends
  virtual bool final_refusal() const = 0;
  virtual host& on() = 0;
  virtual const std::string& name() const = 0;

  // Runs one job of one of its actors, if there is any. False: nothing to do.
  virtual bool work(dice* /*any_order*/) { return false; }
  virtual void pass(duration) {}

  // ---- faults ----
  virtual void die_at_effect(uint64_t nth) = 0;  // just before or just after something in the world changes
  // Faults of its own state folder; a simulated agent has none that could fail.
  virtual void die_in_write(uint64_t /*nth*/, bool /*kept*/) {}
  virtual void fail_write(uint64_t /*nth*/) {}
  virtual void fill_disk(bool /*full*/) {}
  virtual void fair_weather() {}

  bool events_cut = false;      // the Engine's events do not come through
  uint64_t fail_per_mille = 0;  // steps, or calls of the Engine, that fail
};

}  // namespace zedops::sim
