// One command on its worker thread, journalled: obey the term, begin, execute, finish.
#pragma once
#include <memory>

#include "actors/agent/lanes/cancel_token.hpp"
#include "actors/agent/lanes/step_env.hpp"

namespace zedops::agent {

// What the core keeps of a command that waits or runs.
struct active_command {
  msg::run_command command;
  cancel_token cancel;
  std::shared_ptr<reporter> report;
};

// Blocking. Throws only what env.crash_point throws.
msg::command_result run_lane(step_env& env, active_command& active);

// The answer to a command that is not executed at all.
msg::command_result refused_result(const msg::run_command& command, msg::agent_refusal kind, msg::error why);

}  // namespace zedops::agent
