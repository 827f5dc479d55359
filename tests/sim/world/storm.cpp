#include "tests/sim/world/storm.hpp"

namespace zedops::sim {

using namespace msg;

storm::storm(const storm_options& options) : options_(options), luck_(options.seed * 77 + 5), w_(options.seed) {
  w_.any_order = true;
  w_.core_loss_is_a_crash = true;
  w_.net.repeat_per_mille = luck_.percent(50) ? 0 : 100;
  w_.net.delay_max = duration(luck_.percent(50) ? 5 : 400);
}

void storm::tell(std::string what) {
  story_.push_back(std::to_string(w_.time.now().count()) + " ms: " + std::move(what));
}
std::string storm::some_host() { return "h" + std::to_string(luck_.below(static_cast<uint64_t>(options_.hosts))); }
std::string storm::some_server() {
  return some_host() + "/srv" + std::to_string(luck_.below(static_cast<uint64_t>(options_.names)));
}

template <class Body>
void storm::ask(const std::string& verb, const Body& body) {
  call_options o;
  if (luck_.percent(20)) o.key = "k" + std::to_string(luck_.below(6));
  o.wait = luck_.percent(50);
  o.dry_run = luck_.percent(5);
  o.actor = luck_.percent(50) ? "ann" : "bob";
  if (!w_.manager) return;
  tell("ask " + verb + (o.key.empty() ? "" : " under " + o.key));
  w_.send(verb, body, o);
}

void storm::request() {
  const auto server = some_server();
  const auto slash = server.find('/');
  switch (luck_.below(16)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      auto c = a_server(server.substr(slash + 1), server.substr(0, slash));
      if (luck_.percent(20)) c.game_port = static_cast<uint16_t>(16261 + 2 * luck_.below(4));
      if (luck_.percent(30)) c.recovery = recovery_policy::automatic;
      c.use_existing_data = luck_.percent(50);
      tell("create " + server);
      return ask("server.create", c);
    }
    case 4:
    case 5: tell("start " + server); return ask("server.start", start_server{server, luck_.percent(30)});
    case 6: tell("stop " + server); return ask("server.stop", stop_server{server});
    case 7: tell("restart " + server); return ask("server.restart", restart_server{server});
    case 8: tell("rebuild " + server); return ask("server.rebuild", rebuild_server{server});
    case 9: tell("recreate " + server); return ask("server.recreate", recreate_server{server, luck_.percent(30)});
    case 10: {
      edit_server e;
      e.server = server;
      e.config = {{"SERVER_NAME", "x" + std::to_string(luck_.below(100))}};
      return ask("server.edit", e);
    }
    case 11: tell("rm " + server); return ask("server.rm", remove_server{server});
    case 12: tell("restore " + server); return ask("server.restore", restore_server{server, luck_.percent(30)});
    case 13: {
      const bool keep = luck_.percent(50);
      tell("purge " + server + (keep ? " keeping data" : ""));
      return ask("server.purge", purge_server{server, luck_.percent(95), keep, !keep});
    }
    case 14: return ask("server.sync", sync_agents{});
    default: return ask("server.ls", list_servers{});
  }
}

void storm::hand_of_man() {
  auto& h = w_.on(some_host());
  if (h.containers.empty()) return;
  auto i = h.containers.begin();
  std::advance(i, static_cast<long>(luck_.below(h.containers.size())));
  const auto id = i->first;
  const auto name = i->second.view.name;
  if (name.find(".old-") != std::string::npos) return;
  // One does not work by hand on what the agent is working on: it would find a half-made thing and be right to fail.
  switch (luck_.below(3)) {
    case 0: tell("by hand: docker rm -f " + name); return h.remove(id);
    case 1: tell("by hand: docker stop " + name); return h.stop(id, static_cast<int64_t>(luck_.below(2)));
    default:
      if (h.start_problem(id)) return;
      tell("by hand: docker start " + name);
      return h.start(id);
  }
}

void storm::fault_of_manager(uint64_t which) {
  const auto back = luck_.between(100ms, 6s);
  switch (which) {
    case 0:
      tell("the manager dies");
      w_.crash_manager();
      return w_.time.in(back, [this] { w_.boot(); });
    case 1:
      w_.crash_after_jobs = 1 + luck_.below(60);
      return tell("the manager will die after " + std::to_string(w_.crash_after_jobs) + " jobs");
    case 2: {
      const bool kept = luck_.percent(50);
      const auto nth = 1 + luck_.below(4);
      w_.db.crash_in_commit(nth, kept ? store::crash_keeps::everything : store::crash_keeps::nothing);
      w_.store_may_crash = true;
      return tell("the manager will die in commit " + std::to_string(nth) + (kept ? ", kept" : ""));
    }
    case 3:
      w_.db.fail_commit(1 + luck_.below(3), error{ec::internal, "the disk says no", "", {}});
      return tell("a commit will fail");
    case 4:
      tell("the manager's disk is full");
      w_.db.set_disk(store::disk::is_full);
      return w_.time.in(back, [this] { w_.db.set_disk(store::disk::has_room); });
    case 5: {
      const auto by = luck_.percent(50) ? -luck_.between(1s, 20min) : luck_.between(1s, 3min);
      tell("the manager's clock is set by " + std::to_string(by.count()) + " ms");
      return w_.wall.set_by(by);
    }
    default: tell("an actor will throw"); w_.wall.throw_in = static_cast<int>(1 + luck_.below(10));
  }
}

void storm::fault_of_host(uint64_t which, const std::string& name) {
  auto& h = w_.on(name);
  auto& a = w_.at(name);
  const auto over = luck_.between(100ms, 8s);
  const auto until_then = [&](const char* what, bool& flag, bool bad) {
    tell(name + ": " + what);
    flag = bad;
    w_.time.in(over, [&flag, bad] { flag = !bad; });
  };
  switch (which) {
    case 0:
      tell(name + ": the agent dies");
      a.crash();
      return w_.time.in(over, [&a] { a.start(); });
    case 1: tell(name + ": the connection ends"); return a.disconnect();
    case 2:
    case 3: {
      const auto d = which == 2 ? network::direction::to_agent : network::direction::to_manager;
      tell(name + ": nothing gets through to the " + (which == 2 ? "agent" : "manager"));
      w_.net.hold(a, d);
      return w_.time.in(over, [this, &a, d] { w_.net.release(a, d); });
    }
    case 4: return until_then("the Engine does not answer", h.engine_answers, false);
    case 5: return until_then("the Engine hangs", h.engine_hangs, true);
    case 6: return until_then("the registry is away", h.registry_answers, false);
    case 7: return until_then("the data disk is not mounted", h.disk_mounted, false);
    case 8: return until_then("the Engine's events are lost", a.events_cut, true);
    default:
      tell(name + ": steps fail");
      a.fail_per_mille = 200;
      return w_.time.in(over, [&a] { a.fail_per_mille = 0; });
  }
}

void storm::misfortune() {
  if (luck_.percent(35)) fault_of_manager(luck_.below(7));
  else fault_of_host(luck_.below(10), some_host());
  // A manager that died by a trap set before comes back as well.
  if (!w_.manager) w_.time.in(3s, [this] { w_.boot(); });
}

void storm::fair_weather() {
  tell("fair weather");
  w_.crash_after_jobs = 0;
  w_.wall.throw_in = 0;
  w_.db.set_disk(store::disk::has_room);
  w_.net.release_all();
  w_.net.repeat_per_mille = 0;
  w_.net.delay_max = 5ms;
  w_.boot();
  for (auto& [name, h] : w_.hosts) {
    h->engine_answers = h->registry_answers = h->disk_mounted = true;
    h->engine_hangs = false;
    w_.at(name).fail_per_mille = 0;
    w_.at(name).events_cut = false;
    w_.at(name).start();
  }
}

std::string storm::unrest_of(const server& s) {
  if (s.status == server_status::purged || s.id.empty()) return {};
  const auto who = s.name + " (" + s.id.value + ", " + std::string(name_of(s.status)) + ") ";
  if (s.op) return who + "has an open operation: " + std::string(name_of(s.op->kind)) + " " + s.op->step;
  host* h = nullptr;
  for (auto& [name, x] : w_.hosts)
    if (x->agent == s.agent) h = x.get();
  if (!h) return who + "has no host";
  auto ours = h->of_server(s.id.value, h->manager_id);
  if (ours.size() > 1) return who + "has " + std::to_string(ours.size()) + " containers";
  auto* c = ours.empty() ? nullptr : ours.front();
  if (s.stale) return who + "is stale";
  if (s.data != h->data_of(s.name)) return who + "has data " + std::string(name_of(h->data_of(s.name)));
  if (s.container_id != (c ? c->view.id : "")) return who + "has another container than its record says";
  const bool alive = c && c->alive();
  switch (s.status) {
    case server_status::running: return alive ? "" : who + "has no running container";
    case server_status::stopped: return c && !alive ? "" : who + "has no stopped container";
    case server_status::missing:
      if (c) return who + "has a container";
      if (s.recovery == recovery_policy::automatic && s.desired == desired_state::running &&
          s.data == data_state::present)
        return who + "ought to be recovered";
      return {};
    case server_status::failed: return alive ? who + "has a running container" : "";
    case server_status::deleted: return c ? who + "has a container" : "";
    case server_status::creating:
    case server_status::deleting: return who + "is not settled";
    case server_status::purged: return {};
  }
  return {};
}

std::string storm::unrest() {
  for (auto& [name, a] : w_.agents) {
    if (a->final_refusal()) return name + " was refused for good";
    if (!a->in_session() || w_.agent_status(name) != agent_status::online) return name + " is not online";
  }
  for (const auto& [id, s] : w_.audit.servers())
    if (auto why = unrest_of(s); !why.empty()) return why;
  return {};
}

std::string storm::story(const std::string& why) const {
  std::string out = "ZEDOPS_SEED=" + std::to_string(options_.seed) + ": " + why + "\n";
  for (const auto& line : story_) out += "  " + line + "\n";
  return out;
}

uint64_t storm::fingerprint() const {
  std::string all;
  for (const auto& e : w_.audit.log()) all += pack(e);
  return text_hash(all);
}

std::string storm::run() {
  const auto broken = [&] { return !w_.audit.broken().empty(); };
  w_.boot();
  for (int i = 0; i < options_.hosts; ++i) w_.add_host("h" + std::to_string(i));
  w_.advance(2s);
  for (int turn = 0; turn < options_.turns && !broken(); ++turn) {
    for (auto n = luck_.below(4); n > 0; --n) request();
    if (luck_.percent(30)) misfortune();
    if (luck_.percent(15)) hand_of_man();
    w_.advance(luck_.between(20ms, 1500ms));
    if (!w_.manager && luck_.percent(50)) w_.boot();
  }
  if (broken()) return story(w_.report());
  fair_weather();
  w_.advance(10s);
  std::string why;
  const auto at_rest = [&] {
    if (!w_.manager) w_.boot();  // a trap set in the storm has struck
    return broken() || (why = unrest()).empty();
  };
  const bool rest = w_.until(at_rest, 20min);
  if (broken()) return story(w_.report());
  if (!rest) return story("no rest: " + why);
  w_.stop_manager();
  if (broken()) return story(w_.report());
  for (const auto& [id, r] : w_.clients.requests)
    if (r.incarnation == w_.incarnation && !r.final) return story("request " + id + " (" + r.verb + ") has no answer");
  return {};
}

}  // namespace zedops::sim
