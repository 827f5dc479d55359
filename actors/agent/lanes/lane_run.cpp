#include "actors/agent/lanes/lane_run.hpp"

#include "actors/agent/deploy/deploy_job.hpp"
#include "actors/agent/jobs/command_job.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

command_result refused_result(const run_command& command, agent_refusal kind, error why) {
  command_result r;
  r.op = command.op;
  r.attempt = command.attempt;
  r.server = command.server;
  r.term = command.term;
  r.refusal = kind;
  r.after.server = command.server;
  why.operation = command.op.value;
  r.failure = std::move(why);
  return r;
}

command_result run_lane(step_env& env, active_command& active) {
  const auto& c = active.command;
  // A command that began here before may be half or fully done: a disk that refuses a second begin must not end it.
  const auto not_kept = env.state.find(c.op) ? agent_refusal::lanes_full : agent_refusal::not_kept;
  // No effect under a term that a crash could make us forget, and none that is not in the journal.
  if (auto ok = env.state.obey(c.term); !ok) {
    const bool outdated = ok.error().code == ec::not_leader;
    return refused_result(c, outdated ? agent_refusal::outdated : not_kept, std::move(ok.error()));
  }
  if (auto ok = env.state.begin(c); !ok) return refused_result(c, not_kept, std::move(ok.error()));
  // From here on the agent guards the state that this command is to reach, whatever becomes of the manager: a server
  // that is being stopped is not started again.
  const bool deploys = c.kind == command_kind::deploy;
  if (!deploys) env.state.guards().obey(c.server, c.kind);
  if (auto ok = env.state.guards().flush(); !ok) return refused_result(c, not_kept, std::move(ok.error()));
  log_event("command.begun", {{"op", c.op}, {"attempt", c.attempt}, {"server", c.server}, {"kind", c.kind}});
  auto result = deploys ? deploy_job(env, c, active.report, active.cancel).execute()
                        : command_job(env, c, active.report, active.cancel).execute();
  if (result.failure)
    log_event(log_level::warn, "command.failed",
              {{"op", c.op}, {"server", c.server}, {"kind", c.kind}, {"error", result.failure->message}});
  else log_event("command.done", {{"op", c.op}, {"server", c.server}, {"kind", c.kind}, {"note", result.note}});
  if (auto ok = env.state.finish(result); !ok)
    log_event(log_level::error, "journal.not-written", {{"op", c.op}, {"error", ok.error().message}});
  return result;
}

}  // namespace zedops::agent
