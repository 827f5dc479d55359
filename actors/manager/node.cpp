#include "actors/manager/node.hpp"

#include <atomic>
#include <caf/all.hpp>
#include <map>

#include "actors/manager/deploy/uploads.hpp"
#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/gateway.hpp"
#include "actors/manager/doors/key_requests.hpp"
#include "actors/manager/entities/registry.hpp"
#include "actors/manager/entities/sweeper.hpp"
#include "actors/manager/hosts/host.hpp"
#include "actors/manager/journal/hub.hpp"
#include "actors/manager/journal/journal.hpp"
#include "actors/manager/usage/usage_writer.hpp"
#include "config/logging/logging.hpp"

namespace zedops::manager {

struct node::handles {
  rt::hub_actor hub;
  rt::journal_actor journal;
  rt::hosts_actor hosts;
  rt::registry_actor registry;
  rt::sweeper_actor sweeper;
  rt::keeper_actor keeper;
  rt::uploads_actor uploads;
  rt::usage_writer_actor usage;  // null: no usage is kept
  rt::gateway_actor gateway;
  rt::gateway_actor reader;
  std::shared_ptr<std::atomic<bool>> stopping = std::make_shared<std::atomic<bool>>(false);
};

namespace {

template <class Handle>
void watch(const Handle& h, const char* name, std::shared_ptr<std::atomic<bool>> stopping,
           std::function<void(std::string)> lost) {
  caf::actor_cast<caf::actor>(h)->attach_functor([=](const caf::error& reason) {
    if (stopping->load()) return;
    config::log_event(msg::log_level::error, "core-actor.ended", {{"actor", name}, {"reason", to_string(reason)}});
    lost(name);
  });
}

// Its servers are still managed by their records, but nothing that needs a new container can be done for them.
void tell_missing_templates(const shared& world) {
  std::map<std::string, size_t> missing;
  for (const auto& id : world.records.all_ids())
    if (auto s = world.records.server(id); s && !world.find_template(s->template_name)) ++missing[s->template_name];
  for (const auto& [name, servers] : missing)
    config::log_event(msg::log_level::error, "template.missing",
                      {{"template", name},
                       {"servers", servers},
                       {"hint", "put " + name + ".toml back into the templates folder and start the manager again"}});
}

template <class... Handles>
void end(caf::actor_system& sys, const std::function<void()>& drive, const Handles&... handles) {
  caf::scoped_actor self{sys, true};
  (self->send_exit(handles, caf::exit_reason::user_shutdown), ...);
  (self->monitor(handles), ...);
  if (drive) drive();
  size_t left = sizeof...(handles);
  bool late = false;
  self->receive_while([&] { return left > 0 && !late; })([&](caf::down_msg&) { --left; },
                                                         caf::after(stop_time_max) >> [&] { late = true; });
  if (late) config::log_event(msg::log_level::error, "shutdown.late", {{"actors", left}});
}

}  // namespace

node::node(caf::actor_system& sys, shared& world, rt::spawn_mode threads, std::function<void(std::string)> on_core_lost,
           std::function<void()> drive)
    : sys_(sys), world_(world), drive_(std::move(drive)), to_(std::make_unique<handles>()) {
  auto& h = *to_;
  tell_missing_templates(world);
  auto host_peers = std::make_shared<host_handles>();
  h.hub = spawn_hub(sys, world);
  h.journal = spawn_journal(sys, world, h.hub, threads);
  h.hosts = spawn_hosts(sys, world, host_peers);
  h.registry = spawn_registry(sys, world, h.journal, h.hosts);
  h.uploads = spawn_uploads(sys, world, threads);
  *host_peers = {h.journal, h.registry, h.uploads};
  caf::anon_send(h.hosts, rt::warm_atom::value);
  h.sweeper = spawn_sweeper(sys, world, h.registry, h.journal);
  h.keeper = spawn_keeper(sys, world, threads);
  h.gateway = spawn_gateway(sys, world, {h.journal, h.registry, h.hosts, h.hub, h.keeper, h.uploads});
  h.reader = spawn_reader(sys, world, {h.hub, h.hosts}, threads);
  if (world.usage) h.usage = spawn_usage_writer(sys, world, threads);
  watch(h.hub, "hub", h.stopping, on_core_lost);
  watch(h.journal, "journal", h.stopping, on_core_lost);
  watch(h.hosts, "hosts", h.stopping, on_core_lost);
  watch(h.registry, "registry", h.stopping, on_core_lost);
  watch(h.sweeper, "sweeper", h.stopping, on_core_lost);
  watch(h.keeper, "keeper", h.stopping, on_core_lost);
  watch(h.uploads, "uploads", h.stopping, on_core_lost);
  watch(h.gateway, "gateway", h.stopping, on_core_lost);
  watch(h.reader, "reader", h.stopping, on_core_lost);
  if (h.usage) watch(h.usage, "usage", h.stopping, on_core_lost);
}

node::~node() { stop(); }

void node::request(rt::client_call call) {
  auto turn = limits_.admit(*call.by, std::chrono::steady_clock::now());
  if (!turn) return answer_error(world_, call.who, turn.error());
  if (*turn)
    call.credit = std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(std::move(*turn),
                                                                                            std::move(call.credit));
  call.row = msg::find_verb(call.verb);
  const bool reads = call.row != msg::verb_not_found && msg::verb_table[call.row].served == msg::served_by::records;
  count_in(reads ? world_.load.reader : world_.load.gateway, reads ? "reader" : "gateway");
  caf::anon_send(reads ? to_->reader : to_->gateway, std::move(call));
}
void node::said(rt::agent_said what) {
  count_in(world_.load.agents, "agents");
  caf::anon_send(to_->hosts, std::move(what));
}
void node::count_in(queue_gauge& queue, const char* name) {
  if (load_gauges::in(queue))
    config::log_limited(msg::log_level::warn, "queue.long", {{"queue", name}, {"messages", queue.now.load()}});
}
void node::lost(rt::peer_lost what) { caf::anon_send(to_->hosts, std::move(what)); }
void node::client_lost(rt::peer_lost what) { caf::anon_send(to_->hub, std::move(what)); }
void node::follow(rt::follow_events what) { caf::anon_send(to_->hub, std::move(what)); }

bool node::keep(msg::audit_record what) {
  rt::commit c;
  c.at = world_.clock.now();
  c.asked = std::make_shared<const msg::audit_record>(std::move(what));
  bool kept = false;
  caf::scoped_actor self{sys_};
  self->request(to_->journal, stop_time_max, std::move(c))
      .receive([&](const rt::committed& done) { kept = !done.failure; }, [](const caf::error&) {});
  return kept;
}

rt::registry_actor node::registry() const { return to_->registry; }

void node::stop() {
  auto& h = *to_;
  if (h.stopping->exchange(true)) return;
  end(sys_, drive_, h.gateway, h.keeper, h.reader, h.sweeper);
  end(sys_, drive_, h.hosts, h.registry, h.uploads);
  if (h.usage) end(sys_, drive_, h.usage);
  if (world_.usage) (void)world_.usage->commit(world_.clock.now());
  end(sys_, drive_, h.journal);
  end(sys_, drive_, h.hub);
}

}  // namespace zedops::manager
