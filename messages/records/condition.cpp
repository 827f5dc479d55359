#include "messages/records/condition.hpp"

#include <algorithm>

namespace zedops::msg {

bool holds(const std::vector<condition>& list, condition c) {
  return std::find(list.begin(), list.end(), c) != list.end();
}

bool nothing_to_lose(const server& s) {
  if (s.stale || s.data == data_state::unknown || s.data == data_state::present) return false;
  const bool embodied = s.status == server_status::running || s.status == server_status::stopped;
  return s.past == data_past::none || (s.past == data_past::unknown && embodied && s.data == data_state::empty);
}

bool in_restart_series(const server& s) { return s.restart_run && s.restart_run->count >= restart_series_min; }

std::vector<condition> conditions_of(const server& s) {
  using enum condition;
  const bool running = s.status == server_status::running;
  // The Engine calls the pause before its own next try "restarting"; an agent's policy leaves the container stopped.
  const bool between_restarts =
      s.status == server_status::stopped && s.desired == desired_state::running && s.crash != crash_policy::engine;
  const bool should_have_data =
      running || s.status == server_status::stopped || (s.status == server_status::failed && s.has_run);
  std::vector<condition> out;
  if (should_have_data && s.data == data_state::absent && s.past != data_past::none) out.push_back(data_missing);
  if ((running && s.container == container_state::restarting) ||
      ((running || between_restarts) && in_restart_series(s)))
    out.push_back(restarting);
  if (running && s.health == health_state::unhealthy) out.push_back(unhealthy);
  if (s.stale) out.push_back(stale);
  if (running && s.container == container_state::paused) out.push_back(paused);
  if (running && s.health == health_state::starting) out.push_back(starting);
  if (!s.drift.empty()) out.push_back(drift);
  if (s.pending_rebuild) out.push_back(pending_rebuild);
  if (out.empty()) out.push_back(ok);
  return out;
}

std::vector<condition> conditions_of(const server& s, agent_status of_agent) {
  if (of_agent == agent_status::online || s.stale) return conditions_of(s);
  auto old = s;
  old.stale = true;
  return conditions_of(old);
}

void note_restarts(server& s, uint32_t n, time_point t) {
  if (n == 0) return;
  if (!s.restart_run || t - s.restart_run->last >= restart_quiet) s.restart_run.emplace(restart_series{0, t, t});
  s.restart_run->count += n;
  s.restart_run->last = std::max(s.restart_run->last, t);
}

std::string image_reference(const server& s) {
  const bool digest = s.image_tag.find(':') != std::string::npos;
  return s.image + (digest ? "@" : ":") + s.image_tag;
}

}  // namespace zedops::msg
