// The session with the manager: hello, welcome, heartbeats, refusal, goodbye.
#include "actors/agent/session/core_state.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

std::function<void(std::function<void()>)> core_state::post() const {
  return [me = core_actor(self)](std::function<void()> f) { caf::anon_send(me, completion{std::move(f)}); };
}

std::function<void(std::function<void()>)> core_state::weak_post() const {
  return [weak = caf::actor_cast<caf::actor_addr>(core_actor(self))](std::function<void()> f) {
    if (auto core = caf::actor_cast<core_actor>(weak)) caf::anon_send(core, completion{std::move(f)});
  };
}

void core_state::start(core_actor::pointer me, std::shared_ptr<core_deps> d) {
  self = me;
  deps = std::move(d);
  book = lane_book(deps->options.lanes);
  auto& env = deps->env;
  eyes = std::make_unique<observer>(observer_ports{
      env.engine, env.host, deps->workers.disks, weak_post(),
      [this](duration t, std::function<void()> f) {
        self->delayed_send(core_actor(self), t, completion{std::move(f)});
      },
      env.clock, env.state.id(), deps->engine_listens,
      [this](observed o) {
        log_event(
            log_level::debug, "server.observed",
            {{"server", o.what.server}, {"hint", o.hint}, {"container", o.what.container}, {"data", o.what.data}});
        // An observation that cannot be sent is not lost for good: the inventory has it.
        if (where == phase::live && !send(o)) eyes->needs_inventory();
        guard->on_observed(o.what);
      },
      [this](inventory i) { on_inventory(std::move(i)); }});
  make_guardian();
  keep_sites();
  if (deps->machine)
    usage = std::make_unique<usage_sampler>(sampler_ports{env.engine, deps->workers.disks, deps->machine, eyes->view(),
                                                          weak_post(), env.clock.steady, [this](msg::usage u) {
                                                            if (where == phase::live) send(u);
                                                          }});
  if (auto manager = env.state.manager_id(); !manager.empty()) {
    eyes->view().set_manager(manager);
    eyes->view().replace_servers(env.state.guards().servers());
    deps->on_manager(manager);
  }
  self->delayed_send(core_actor(self), tick_every, tick_atom::value);
}

void core_state::on_link(link_input& in) {
  if (std::holds_alternative<link_up>(in)) {
    enter(phase::greeting);
    if (engine_judged) hello();  // else with the Engine's first answer, or at the next tick
  } else if (std::holds_alternative<link_down>(in)) {
    if (where == phase::live) log_event(log_level::warn, "manager.unreachable", {});
    enter(phase::offline);
  } else {
    on_message(std::get<manager_said>(in));
  }
}

void core_state::enter(phase p) {
  where = p;
  heard = now();
  ++welcome_serial;
  handed_at.reset();
  inventory_told = false;
  settling.reset();
  early.clear();
  if (p != phase::live) {
    session = 0;
    key_told.reset();
  }
  if (p == phase::greeting) ++greeting;
}

bool core_state::send(const from_agent& m) { return deps->link.send(m, session); }

void core_state::hello() {
  if (stopping || refused_for_good || now() < quiet_until) return;
  const auto& o = deps->options;
  const auto& s = deps->env.state;
  deps->link.send(msg::hello{link_version, s.id(), o.name, o.instance, o.hostname, o.data_path, o.software,
                             engine_info.engine_version, engine_info.spoken_version, engine_ok, s.manager_id(),
                             s.term(), greeting, engine_problem},
                  0);
}

void core_state::heartbeat(uint64_t nonce) { send(msg::heartbeat{nonce, engine_ok, engine_problem, next_key}); }

void core_state::on_ping(const ping& p) {
  if (deps->keep_key && key_told != p.next_key) {
    key_told = p.next_key;
    next_key = deps->keep_key(p.next_key);
  }
  heartbeat(p.nonce);
}

void core_state::on_tick() {
  self->delayed_send(core_actor(self), tick_every, tick_atom::value);
  eyes->tick();
  guard->tick();
  if (where == phase::greeting) hello();
  if (where != phase::live) return look_alone();
  heartbeat(0);
  if (usage && engine_ok) usage->tick();
  flush_results();
  tell_waiting();
  hand_over();
  if (now() - heard <= manager_silence_max) return;
  log_event(log_level::warn, "manager.silent", {{"for", std::chrono::duration_cast<duration>(now() - heard)}});
  enter(phase::greeting);
}

void core_state::on_message(manager_said& m) {
  if (auto w = std::get_if<welcome>(&m.what)) return on_welcome(*w);
  if (auto r = std::get_if<refused>(&m.what)) return on_refused(*r);
  if (settling && m.session == *settling) {
    if (early.size() < early_max) early.push_back(std::move(m));
    return;
  }
  if (where != phase::live || (m.session != 0 && m.session != session)) return;  // of an earlier session
  heard = now();
  if (auto x = std::get_if<ping>(&m.what)) return on_ping(*x);
  if (auto x = std::get_if<run_command>(&m.what)) return on_command(std::move(*x));
  if (auto x = std::get_if<cancel_command>(&m.what)) return on_cancel(*x);
  if (auto x = std::get_if<watch_servers>(&m.what)) return on_watch(std::move(*x));
  if (auto x = std::get_if<incidents_taken>(&m.what)) {
    handed_at.reset();
    return guard->on_taken(x->upto);  // and the next ones follow
  }
  if (auto x = std::get_if<sync_query>(&m.what)) {
    look_for_lost(*x);
    look_for_strays(*x);
    return eyes->take_inventory(x->request, depth::changed);
  }
  if (auto x = std::get_if<data_query>(&m.what)) return on_data_query(*x);
  if (auto x = std::get_if<port_query>(&m.what)) return on_port_query(*x);
  if (auto x = std::get_if<logs_query>(&m.what)) return on_logs_query(*x);
  if (auto x = std::get_if<layer_query>(&m.what)) return on_layer_query(*x);
  if (auto x = std::get_if<container_query>(&m.what)) return on_container_query(*x);
  if (auto x = std::get_if<stray_query>(&m.what)) return on_stray_query(*x);
  if (auto x = std::get_if<watch_usage>(&m.what)) return usage ? usage->watch(*x) : void();
  if (auto x = std::get_if<upload_piece>(&m.what))
    return deps->uploads ? deps->uploads->answered(std::move(*x)) : void();
  if (auto x = std::get_if<goodbye>(&m.what)) {
    log_event("manager.goodbye", {{"reason", x->reason}});
    enter(phase::greeting);
  }
}

void core_state::on_welcome(const welcome& w) {
  if (where == phase::offline || stopping || refused_for_good) return;
  if (where == phase::live && w.session == session) return;  // an answer to a repeated hello
  auto& state = deps->env.state;
  const auto& wanted = deps->options.manager_id;
  if (!wanted.empty() && w.manager_id != wanted) {
    const error why{ec::forbidden,
                    "the manager is " + w.manager_id + ", but only " + wanted + " is accepted",
                    "correct manager_id or the manager's address in the agent's configuration",
                    {}};
    decline(w, why);
    return on_refused({why, true});
  }
  if (w.term < state.term()) {  // a manager whose store was restored learns of it here, and raises its own
    log_event(log_level::warn, "manager.outdated", {{"term", w.term}, {"seen", state.term()}});
    return decline(
        w,
        {ec::not_leader,
         "this agent has obeyed term " + std::to_string(state.term()) + ", the manager has only " +
             std::to_string(w.term),
         "another manager leads now, or this one's store was restored from a backup: it then raises its term by itself",
         {}});
  }
  const auto serial = ++welcome_serial;
  if (settling != w.session) early.clear();  // else the same welcome was only sent again
  settling = w.session;
  deps->workers.keeper.run([this, &state, w, serial, post = post()] {
    auto ok = state.belong_to(w.manager_id);
    auto obeyed = ok ? state.obey(w.term) : result<void>{};
    post([this, w, serial, ok = std::move(ok), obeyed = std::move(obeyed)] {
      if (serial != welcome_serial) return;
      if (!ok || !obeyed) {
        const auto& why = ok ? obeyed.error() : ok.error();
        settling.reset();
        early.clear();
        decline(w, why);
        if (!ok && why.code == ec::wrong_state) return on_refused({why, true});
        log_event(log_level::error, "state.not-written", {{"error", why.message}, {"hint", why.hint}});
        return;
      }
      settle_in(w);
    });
  });
}

// This is reported to the manager: its operators look there, not into the logs of a thousand hosts.
void core_state::decline(const welcome& w, const error& why) {
  deps->link.send(welcome_refused{w.session, deps->env.state.term(), why}, w.session);
  ++greeting;  // the session that was offered is void
  quiet_until = now() + refused_pause;
}

void core_state::settle_in(const welcome& w) {
  auto said = std::exchange(early, {});
  enter(phase::live);
  session = w.session;
  auto& view = eyes->view();
  view.set_manager(w.manager_id);
  auto servers = w.servers;
  for (auto& s : servers) complete(s);
  view.replace_servers(servers);
  guard->on_welcome(servers);
  if (usage) usage->every(w.usage_every);
  log_event("manager.welcomed",
            {{"manager", w.manager_id}, {"term", w.term}, {"session", w.session}, {"servers", w.servers.size()}});
  // Without its state folder an agent is admitted by its name, but its data is marked with its id.
  const auto& own = deps->env.state;
  if (w.id != own.id() && !own.used_root(deps->options.data_path))
    log_event(
        log_level::warn, "identity.lost",
        {{"known_as", w.id},
         {"has", own.id()},
         {"hint", "if this host lost its state folder, stop the agent and start it with --identity " + w.id.value}});
  deps->on_manager(w.manager_id);
  tell_sites();
  if (deps->on_live) deps->on_live();
  heartbeat(0);
  // Without an event stream the inventory follows its opening; without an Engine the inventory says why there is none.
  if (stream != 0 || (engine_judged && !engine_ok)) eyes->take_inventory(0, depth::all);
  for (auto& m : said) on_message(m);
}

void core_state::on_refused(const refused& r) {
  log_event(log_level::error, "manager.refused", {{"error", r.why.message}, {"hint", r.why.hint}, {"final", r.final}});
  if (where == phase::live) enter(phase::greeting);
  quiet_until = now() + refused_pause;
  if (!r.final || refused_for_good) return;
  refused_for_good = true;
  deps->on_final(r.why);
}

void core_state::on_stop() {
  stopping = true;
  if (where == phase::live) send(goodbye{"the agent is being stopped"});
}

core_actor::behavior_type core(core_actor::stateful_pointer<core_state> self, std::shared_ptr<core_deps> deps) {
  rt::install_defaults(self);
  self->state.start(self, std::move(deps));
  return {
      [self](link_input& in) { self->state.on_link(in); },
      [self](engine_input& in) { self->state.on_engine(in); },
      [](const completion& c) { c.run(); },
      [self](tick_atom) { self->state.on_tick(); },
      [self](stop_atom) { self->state.on_stop(); },
      [self](busy_atom) -> uint64_t { return self->state.book.running(); },
  };
}

core_actor spawn_core(caf::actor_system& sys, std::shared_ptr<core_deps> deps) {
  return sys.spawn(core, std::move(deps));
}

}  // namespace zedops::agent
