// Save, stop, restart.
#include <fmt/format.h>

#include "actors/agent/jobs/command_job.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

constexpr int64_t exit_by_kill = 137;  // 128 + SIGKILL

std::string seconds(std::chrono::steady_clock::duration d) {
  return std::to_string(std::chrono::round<std::chrono::seconds>(d).count()) + " s";
}

}  // namespace

result<void> command_job::stop() {
  ZEDOPS_TRY(step("preparing", 1));
  auto s = look();
  if (!s) return fail(std::move(s.error()));
  ZEDOPS_TRY(permit(*s));
  const auto* c = s->current();
  if (!c) {
    note("there was no container");
    return {};
  }
  if (!is_alive(c->view.state)) {
    note("was not running");
    return {};
  }
  return stop_gently(*c, 10);
}

result<void> command_job::restart() {
  ZEDOPS_TRY(step("preparing", 1));
  auto s = look_and_settle();
  if (!s) return fail(std::move(s.error()));
  ZEDOPS_TRY(permit(*s));
  const auto* c = s->current();
  if (!c) return fail(ec::not_found, "there is no container to restart", "start the server: that creates it again");
  if (is_alive(c->view.state)) {
    ZEDOPS_TRY(check_start(*c));
    ZEDOPS_TRY(stop_gently(*c, 10));
  }
  effect("stopped_for_restart");
  return start_existing(*c);
}

void command_job::save(const docker::container_details& c, const rcon_stop& how) {
  const auto& network = cmd_.plan.stop.network;
  if (how.port == 0) return;
  if (c.view.state != container_state::running) return note("not saved: the container was restarting");
  std::string address;
  if (auto a = c.addresses.find(network); a != c.addresses.end()) address = a->second;
  else if ((network.empty() || cmd_.kind == command_kind::adopt) && !c.addresses.empty())
    address = c.addresses.begin()->second;
  if (address.empty()) {
    note("not saved: the container has no address" + (network.empty() ? "" : " in network " + network));
    return;
  }
  rcon::target to{address, how.port, how.password};
  if (how.dial_timeout > duration{0}) to.dial_timeout = how.dial_timeout;
  auto said = env_.console.execute(to, how.commands);
  if (!said) {
    note("not saved: " + said.error().message);
    return;
  }
  env_.clock.pause(how.settle);  // the game writes its files
  note("saved");
}

result<void> command_job::stop_gently(const docker::container_details& seen, uint32_t progress) {
  const auto id = seen.view.id;
  auto c = seen;
  if (c.view.state == container_state::paused) {  // a frozen process hears neither console nor signal
    ZEDOPS_TRY(calls_.unpause(id));
    auto woken = calls_.inspect(id);
    if (!woken) return fail(std::move(woken.error()));
    c = std::move(*woken);
  }
  if (cmd_.plan.stop.rcon.port != 0) {
    ZEDOPS_TRY(step("saving", progress));
    save(c, cmd_.plan.stop.rcon);
    for (const auto& step : cmd_.plan.stop.then) save(c, step);
  }
  ZEDOPS_TRY(step("stopping", progress + 10));
  const auto begun = env_.clock.steady();
  const auto grace = cmd_.plan.stop.grace;
  auto stopped = calls_.stop(id, grace);
  effect("stopped");
  const auto took = env_.clock.steady() - begun;
  auto now = calls_.inspect(id);
  if (now && is_alive(now->view.state)) {
    if (!stopped) return fail(std::move(stopped.error()));
    return fail(ec::engine_error, "the container runs again after the Engine stopped it", "find out what starts it");
  }
  if (!now && now.error().code != ec::not_found) return fail(std::move(stopped ? now.error() : stopped.error()));
  const bool killed = now && now->view.exit_code == exit_by_kill && took >= grace;
  note((killed ? "killed after " : "stopped cleanly after ") + seconds(took));
  return {};
}

}  // namespace zedops::agent
