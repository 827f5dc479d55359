#include "actors/core/guard/crash_guard.hpp"

#include "actors/core/server/restart_tracker.hpp"

namespace zedops::core {

using namespace msg;

namespace {

bool is_crash(const crash_rules& rules, const container_exit& seen) {
  if (seen.cause == exit_cause::asked_for) return false;
  switch (rules.policy) {
    case crash_policy::engine:
    case crash_policy::leave: return false;
    case crash_policy::on_failure: return seen.code != 0 || rules.exit_zero_is_crash;
    case crash_policy::always: return true;
  }
  return false;
}

crash_verdict next_start(const crash_rules& rules, start_times& starts, time_point at) {
  restart_tracker::times before;
  for (auto t : starts)
    if (t <= at) before.push_back(t.time_since_epoch());  // later ones are of a clock that was set back since
  restart_tracker tracker({rules.restarts_max, rules.window, rules.backoff_min, rules.backoff_max, true},
                          std::move(before));
  const auto delay = tracker.on_crash(at.time_since_epoch());
  starts.clear();
  for (auto t : tracker.recent()) starts.emplace_back(t);
  const auto counted = static_cast<uint32_t>(starts.size());
  if (!delay) return {crash_answer::give_up, {}, counted + 1};
  return {crash_answer::start, *delay, counted};
}

}  // namespace

crash_verdict judge_exit(const crash_rules& rules, start_times& starts, const container_exit& seen) {
  if (seen.ran >= rules.healthy_after) starts.clear();
  return is_crash(rules, seen) ? next_start(rules, starts, seen.at) : crash_verdict{};
}

crash_verdict judge_failed_start(const crash_rules& rules, start_times& starts, time_point now) {
  if (rules.policy != crash_policy::on_failure && rules.policy != crash_policy::always) return {};
  return next_start(rules, starts, now);
}

}  // namespace zedops::core
