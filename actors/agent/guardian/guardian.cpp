#include "actors/agent/guardian/guardian.hpp"

#include <algorithm>
#include <array>

#include "actors/agent/engine/labels.hpp"
#include "actors/agent/jobs/command_job.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

namespace {

// Signals that programs take as messages: HUP, USR1, USR2, CONT, WINCH. All others ask them to end.
bool asks_to_end(std::string_view signal) {
  constexpr std::array messages = {std::string_view{"1"}, std::string_view{"10"}, std::string_view{"12"},
                                   std::string_view{"18"}, std::string_view{"28"}};
  return std::find(messages.begin(), messages.end(), signal) == messages.end();
}

}  // namespace

guardian::guardian(guardian_ports ports) : p_(std::move(ports)), queue_(p_.boot_starts_max) {
  const auto before = p_.state.boot_id();
  if (p_.boot_id.empty() || before == p_.boot_id) return;
  if (before.empty()) {  // the first run of this agent: nothing was guarded before
    p_.state.set_boot_id(p_.boot_id);
    save();
    return;
  }
  for (const auto& s : p_.state.servers())
    if (s.wanted_running && s.crash.policy != crash_policy::engine) after_boot_.insert(s.id);
  log_event("host.came-up", {{"servers", after_boot_.size()}});
}

void guardian::on_welcome(std::vector<known_server> servers) {
  p_.state.replace(std::move(servers));
  save();
}

void guardian::watch(std::vector<known_server> servers, const std::vector<server_id>& forget) {
  for (auto& s : servers) p_.state.watch(std::move(s));
  for (const auto& id : forget) {
    cancel(id);
    seen_.erase(id);
    p_.state.forget(id);
  }
  save();
}

void guardian::on_taken(uint64_t upto) {
  p_.state.taken(upto);
  save();
}

void guardian::on_command_begins(const server_id& server) {
  cancel(server);
  after_boot_.erase(server);
}

void guardian::on_command_ended(const run_command& c, const command_result& r) {
  if (c.kind == command_kind::purge && !r.failure) {
    watch({}, {c.server});
    return;
  }
  if (r.after.container != presence::unknown)
    p_.state.change(c.server, [&](guarded& g) {
      g.known.container_id = r.after.container == presence::present ? r.after.view.id : std::string{};
    });
  const auto later = std::exchange(seen_[c.server].later, std::nullopt);
  consider(r.after, occasion::event);
  if (later) consider(*later, occasion::event);
  save();
}

void guardian::on_event(const docker::event& e) {
  if (e.type != "container") return;
  if (e.action == "start" || e.action == "destroy") {
    signalled_.erase(e.id);
    return;
  }
  if (e.action != "kill") return;
  auto signal = e.attributes.find("signal");
  if (signal != e.attributes.end() && !asks_to_end(signal->second)) return;
  if (p_.engine_listens && !p_.engine_listens()) return;  // the Engine shuts down: nobody asked to stop this container
  const auto now = p_.clock.steady();
  if (signalled_.size() >= signals_max)
    std::erase_if(signalled_, [&](const auto& s) { return now - s.second > asked_for_max; });
  if (signalled_.size() < signals_max) signalled_[e.id] = now;
}

bool guardian::asked_for(const std::string& container) const {
  auto i = signalled_.find(container);
  return i != signalled_.end() && p_.clock.steady() - i->second <= asked_for_max;
}

bool guardian::restarts(const guarded& g) const {
  return g.known.crash.policy == crash_policy::on_failure || g.known.crash.policy == crash_policy::always;
}

void guardian::engine_down() {
  engine_ok_ = false;
  engine_returned_ = true;
  // Where systemd holds its socket, an Engine that shuts down looks like a user who stops all containers:
  // a server that was stopped a moment before the Engine went counts as stopped by it.
  for (auto& [id, s] : seen_) {
    if (!s.asked_at || p_.clock.steady() - *s.asked_at > engine_end_max) continue;
    s.asked_at.reset();
    p_.state.change(id, [&](guarded& g) {
      s.alive = std::exchange(g.container_id, {});
      g.exit_at = never;
    });
  }
}

void guardian::on_inventory(const inventory& i) {
  if (i.failure) return;
  const auto why = engine_returned_ ? occasion::engine_return : first_round_ ? occasion::agent_start : occasion::round;
  for (const auto& o : i.servers) consider(o, after_boot_.contains(o.server) ? occasion::host_boot : why);
  first_round_ = engine_returned_ = false;
  p_.state.set_boot_id(p_.boot_id.empty() ? p_.state.boot_id() : p_.boot_id);
  save([this] { pump(); });
}

void guardian::consider(const observation& o, occasion why) {
  const auto g = p_.state.find(o.server);
  if (!g || o.container == presence::unknown) return;
  auto& s = seen_[o.server];
  if (o.container == presence::absent || is_alive(o.view.state)) {
    s.alive = o.container == presence::absent ? std::string{} : o.view.id;
    if (o.container == presence::present) s.started = o.view.started_at;
    s.asked_at.reset();
    s.blocked_told = false;
    after_boot_.erase(o.server);
    if (!s.starting) cancel(o.server);
    return;
  }
  if (o.view.state != container_state::exited || !boots(*g) || !g->known.wanted_running) return;
  if (!may_touch(o.view.labels, p_.manager(), o.server) || is_set_aside(o.view.name)) return;
  // An exit of an earlier run than the one seen last: it was started since. Never by order alone: clocks are set back.
  const bool same_run = o.view.started_at == s.started;
  if (!same_run && o.view.finished_at < s.started && (s.alive.empty() || s.alive == o.view.id)) return;
  if (s.starting || p_.busy(o.server)) {
    s.later = o;
    return;
  }
  lies(o, *g, why);
}

void guardian::lies(const observation& o, const guarded& g, occasion why) {
  auto& s = seen_[o.server];
  // A server is not started while its data cannot be seen; the next inventory looks again.
  const bool data_there = o.data == data_state::present || o.data == data_state::empty;
  if (why != occasion::event && !data_there) {
    if (why == occasion::host_boot && !std::exchange(s.blocked_told, true))
      told(o.server, incident_kind::boot_failed, o.view.id,
           [](incident& i) { i.detail = "its data cannot be seen: it is started once the data is back"; });
    return;
  }
  const bool known = o.view.id == g.container_id && o.view.finished_at == g.exit_at;
  const bool was_running = why == occasion::engine_return && s.alive == o.view.id && restarts(g);
  if (why == occasion::host_boot) return owe(o, g, "after the host came up");
  if (was_running && !known) return owe(o, g, "after the Docker Engine came back");
  if (!known) return judge(o, g, why);
  if (g.owed_at == never || s.timer != 0 || queue_.contains(o.server)) return;
  const auto left = g.owed_at - p_.clock.wall();
  if (left <= duration{0} && why != occasion::event) enqueue(g, {});
  else schedule(o.server, std::max(left, duration{0}));
}

}  // namespace zedops::agent
