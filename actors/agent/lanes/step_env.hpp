// What every command works with, and how it reports. Shared by all lanes.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>

#include "actors/agent/agent_state.hpp"
#include "actors/agent/engine/engine_identity.hpp"
#include "actors/agent/lanes/progress_gate.hpp"
#include "actors/agent/ports.hpp"
#include "actors/core/guard/host_rules.hpp"
#include "integration/docker/engine.hpp"

namespace zedops::agent {

struct site_world;

struct step_env {
  docker::engine& engine;
  machine_port& host;
  console_port& console;
  agent_state& state;
  clocks clock;
  // Called after each effect with its name; a test throws from it to stop the world there.
  std::function<void(std::string_view)> crash_point;
  const core::host_rules* rules = &core::no_host_rules;  // of the host's owner
  engine_identity* engine_is = nullptr;  // whether the Engine is the one worked with before; null: not checked
  site_world* sites = nullptr;           // null: this agent serves no static services
};

// Outlives its command: a pull's last progress may still be on its way on the adapter's thread.
class reporter {
 public:
  using sink = std::function<void(msg::command_progress)>;
  reporter(const msg::run_command& c, sink send, std::function<std::chrono::steady_clock::time_point()> now)
      : send_(std::move(send)), now_(std::move(now)) {
    last_.op = c.op;
    last_.attempt = c.attempt;
    last_.server = c.server;
    last_.term = c.term;
  }

  void step(std::string name, uint32_t progress, std::string note = {}) {
    std::lock_guard guard(mutex_);
    last_.step = std::move(name);
    say(progress, std::move(note));
  }
  // A step after which the manager can show the server's state already.
  void step(std::string name, uint32_t progress, msg::observation seen) {
    std::lock_guard guard(mutex_);
    last_.seen = std::move(seen);
    last_.step = std::move(name);
    say(progress, {});
  }
  // Within a step; ignored when the command went on meanwhile.
  void within(std::string_view name, uint32_t progress, std::string note) {
    std::lock_guard guard(mutex_);
    if (last_.step == name) say(progress, std::move(note));
  }
  // The last report, for a manager that asks again.
  msg::command_progress last() const {
    std::lock_guard guard(mutex_);
    return last_;
  }

 private:
  void say(uint32_t progress, std::string note) {
    if (!gate_.admit(last_.step, progress, note, now_())) return;
    last_.progress = progress;
    last_.note = std::move(note);
    if (send_) send_(last_);
  }

  mutable std::mutex mutex_;
  sink send_;
  std::function<std::chrono::steady_clock::time_point()> now_;
  progress_gate gate_;
  msg::command_progress last_;
};

}  // namespace zedops::agent
