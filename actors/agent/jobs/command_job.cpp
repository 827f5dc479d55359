#include "actors/agent/jobs/command_job.hpp"

#include <exception>

namespace zedops::agent {

using namespace msg;

bool is_alive(container_state s) {
  return s == container_state::running || s == container_state::paused || s == container_state::restarting;
}

std::string short_id(const std::string& id) { return id.substr(0, 12); }

namespace {

constexpr duration command_time_default{15 * 60'000};

std::chrono::steady_clock::time_point end_of(const clocks& clock, const run_command& c) {
  return clock.steady() + (c.time_max > duration{0} ? c.time_max : command_time_default);
}

}  // namespace

command_job::command_job(step_env& env, run_command command, std::shared_ptr<reporter> report, cancel_token& cancel)
    : env_(env),
      cmd_(std::move(command)),
      report_(std::move(report)),
      cancel_(cancel),
      calls_(env.engine, env.clock, end_of(env.clock, cmd_), cancel),
      manager_(env.state.manager_id()),
      counts_(cmd_.container_id) {
  result_.op = cmd_.op;
  result_.attempt = cmd_.attempt;
  result_.server = cmd_.server;
  result_.term = cmd_.term;
}

command_result command_job::execute() {
  try {
    if (auto ok = dispatch(); !ok) result_.failure = std::move(ok.error());
  } catch (const std::exception& problem) {
    result_.failure = error{ec::internal, std::string("the agent failed: ") + problem.what(),
                            "this is a defect: report it with the agent's log", cmd_.op.value};
  }
  if (result_.failure) result_.failure->operation = cmd_.op.value;
  const bool kept_after_purge = cmd_.kind == command_kind::purge && !cmd_.remove_data && !result_.failure;
  if (!env_.engine_is || env_.engine_is->verdict())  // else the observation would be of another Engine
    result_.after = look_after(kept_after_purge ? host::sizing::measure : host::sizing::skip);
  result_.after.server = cmd_.server;
  result_.calls = calls_.taken();
  return std::move(result_);
}

result<void> command_job::dispatch() {
  if (manager_.empty() || cmd_.server.empty() || cmd_.op.empty())
    return fail(ec::bad_request, "a command without manager, server or operation", "this is a defect of the manager");
  if (env_.engine_is) ZEDOPS_TRY(env_.engine_is->verdict());
  switch (cmd_.kind) {
    case command_kind::run: return run();
    case command_kind::stop: return stop();
    case command_kind::restart: return restart();
    case command_kind::replace: return replace();
    case command_kind::remove: return remove();
    case command_kind::purge: return purge();
    case command_kind::move: return move();
    case command_kind::drop_source: return drop_source();
    case command_kind::adopt: return adopt();
    case command_kind::deploy: break;  // has a job of its own
  }
  return fail(ec::bad_request, "an unknown kind of command", "update the agent");
}

result<void> command_job::step(std::string name, uint32_t progress, std::string text) {
  if (cancel_.cancelled()) return fail(ec::cancelled, "cancelled before " + name);
  if (calls_.left() == duration{0})
    return fail(ec::timeout, "gave up before " + name + ": the deadline of this command has passed",
                "repeat it, with a longer deadline if the host is slow");
  report_->step(std::move(name), progress, std::move(text));
  return {};
}

void command_job::note(std::string text) {
  if (result_.note.ends_with(text)) return;  // noted already by the step before
  if (!result_.note.empty()) result_.note += "; ";
  result_.note += text;
}

}  // namespace zedops::agent
