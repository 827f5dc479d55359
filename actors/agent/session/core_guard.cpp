// The guardian's connection to the core, and the delivery of its incidents to the manager.
#include "actors/agent/session/core_state.hpp"

namespace zedops::agent {

using namespace msg;

void core_state::make_guardian() {
  auto& env = deps->env;
  guardian_ports p{env.engine, env.state.guards(), deps->workers.keeper, weak_post(), {}, env.clock};
  p.after = [this](duration d, std::function<void()> f) {
    self->delayed_send(core_actor(self), d, completion{std::move(f)});
  };
  p.manager = [this] { return eyes->view().manager(); };
  p.engine_listens = deps->engine_listens;
  p.busy = [this](const server_id& id) { return book.has(id); };
  p.hold = [this](const server_id& id) { book.hold(id); };
  p.release = [this](const server_id& id) {
    book.release(id);
    start_lanes();
  };
  p.on_news = [this] { hand_over(); };
  p.boot_starts_max = deps->options.boot_starts_max;
  p.boot_id = deps->options.boot_id;
  guard = std::make_unique<guardian>(std::move(p));
}

// What the manager cannot say, because the template of a server is missing, is known from before.
void core_state::complete(known_server& s) const {
  if (!s.partial) return;
  const auto before = deps->env.state.guards().find(s.id);
  if (!before || before->known.data.root != s.data.root || before->known.data.name != s.data.name) return;
  s.container_name = before->known.container_name;
  s.data = before->known.data;
  const auto policy = s.crash.policy;
  s.crash = before->known.crash;
  s.crash.policy = policy;
  s.partial = before->known.partial;
}

void core_state::on_watch(watch_servers w) {
  for (auto& s : w.servers) complete(s);
  for (auto& s : w.servers) eyes->view().watch(s);
  for (const auto& id : w.forget) eyes->view().forget(id);
  guard->watch(std::move(w.servers), w.forget);
}

// In order, one batch at a time; what is not acknowledged is sent again.
void core_state::hand_over() {
  if (where != phase::live || !inventory_told) return;
  if (handed_at && now() - *handed_at < incidents_again) return;
  auto list = deps->env.state.guards().to_tell(incidents_told_max);
  if (list.empty()) return;
  if (send(incidents{std::move(list)})) handed_at = now();
}

// The host is looked at again and again, also while no manager asks for it.
void core_state::look_alone() {
  if (stream != 0 && now() - looked >= alone_look_every) eyes->take_inventory(0, depth::changed);
}

}  // namespace zedops::agent
