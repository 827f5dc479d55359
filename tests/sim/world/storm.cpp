#include "tests/sim/world/storm.hpp"

#include "actors/manager/audit/audit_chain.hpp"

namespace zedops::sim {

using namespace msg;

namespace {
// In some lives retention is over within them.
manager::policy policy_of(uint64_t seed) {
  auto p = sim_policy();
  if (seed % 3 == 0) p.retention = 6s;
  return p;
}
}  // namespace

storm_options a_life(uint64_t seed) {
  storm_options o;
  o.seed = seed;
  if (seed % 67 == 66) {
    o.hosts = 200;
    o.real_hosts = 3;
    o.turns = 8;
    o.names = 2;
  }
  return o;
}

storm::storm(const storm_options& options)
    : options_(options),
      luck_(options.seed * 77 + 5),
      disk_(options.seed * 31 + 7),
      w_(options.seed, policy_of(options.seed)) {
  w_.any_order = true;
  w_.core_loss_is_a_crash = true;
  w_.net.repeat_per_mille = luck_.percent(50) ? 0 : 100;
  w_.net.delay_max = duration(luck_.percent(50) ? 5 : 400);
  if (luck_.percent(30)) w_.net.bytes_per_ms = uint64_t{16} << luck_.below(8);
  if (luck_.percent(20)) clock_step_max_ = 6h;
  if (luck_.percent(50)) {
    const auto slow = duration(luck_.percent(50) ? 20 : 300);
    w_.commit_takes = [this, slow] { return disk_.percent(2) ? disk_.between(500ms, 4s) : disk_.between(0ms, slow); };
  }
}

void storm::tell(std::string what) {
  story_.push_back(std::to_string(w_.time.now().count()) + " ms: " + std::move(what));
}
void storm::fault(const std::string& kind, std::string what) {
  ++faults_[kind];
  tell(std::move(what));
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
  // Now and then several clients send the same request at once.
  for (auto n = !o.key.empty() && luck_.percent(50) ? 1 + luck_.below(3) : 1; n > 0; --n) w_.send(verb, body, o);
}

void storm::request() {
  const auto server = some_server();
  const auto slash = server.find('/');
  switch (luck_.below(20)) {
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
      if (luck_.percent(20)) e.config["MOTD"] = std::string(luck_.below(20'000), 'm');
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
    case 15:
      tell("move " + server);
      return ask("server.move", move_server{server, luck_.percent(50) ? "/mnt/one" : "/mnt/two"});
    case 16: return adopt(server.substr(0, slash), server.substr(slash + 1));
    case 17:
    case 18:
      for (const auto& [id, s] : w_.audit.servers())
        if (s.op && luck_.percent(50)) {
          tell("cancel " + std::string(name_of(s.op->kind)) + " of " + s.name);
          return ask("op.cancel", cancel_operation{s.op->id.value});
        }
      return;
    default: return ask("server.ls", list_servers{});
  }
}

// A container was made by hand; now it is to be a server.
void storm::adopt(const std::string& on, const std::string& as) {
  auto& h = w_.on(on);
  const auto n = stranger_names_++;
  const auto c = a_stranger(luck_.percent(20) ? "steam-zomboid-" + as : "by-hand-" + std::to_string(n),
                            static_cast<uint16_t>(16500 + 2 * n));
  if (h.by_name(c.name)) return;
  h.images.insert(c.image);
  const auto id = h.create(c);
  strangers_.push_back({on, id, c.name});
  if (luck_.percent(70)) h.start(id);
  tell("adopt " + c.name + " as " + on + "/" + as);
  ask("server.adopt", an_adoption(luck_.percent(50) ? id : c.name, as, on));
}

// A foreign container may be gone only when its adoption succeeded, or when it was removed by hand.
std::string storm::lost_stranger() const {
  std::set<std::string> adopted;
  std::map<operation_id, std::string> open;
  std::map<std::string, std::string> ends;  // how its adoptions ended
  for (const auto& e : w_.audit.log())
    for (const auto& n : e.facts) {
      if (const auto* a = std::get_if<operation_accepted>(&n.what)) open[a->op->id] = a->op->original;
      const auto* end = std::get_if<operation_ended>(&n.what);
      if (!end || !open.contains(end->id)) continue;
      // An adoption that was given up at its deadline may still have succeeded on the host.
      const bool given_up =
          end->failure && (end->failure->code == ec::timeout || end->failure->code == ec::agent_unreachable);
      if (end->status == op_status::succeeded || given_up) adopted.insert(open[end->id]);
      ends[open[end->id]] +=
          "; " + std::string(name_of(end->status)) + (end->failure ? ": " + end->failure->message : "");
    }
  for (const auto& s : strangers_) {
    const auto& there = w_.hosts.at(s.host)->containers;
    if (!there.contains(s.id) && !adopted.contains(s.id) && !removed_by_hand_.contains(s.id))
      return "container " + s.name + " on " + s.host + " is gone, and no server has it" +
             (ends.contains(s.id) ? ends.at(s.id) : "; it was never begun");
  }
  return {};
}

// A container of no existing server: a stranger's, or one of a life that a backup has undone.
std::string storm::foreign_on(const host& h) const {
  for (const auto& [id, c] : h.containers) {
    const auto s = w_.audit.servers().find({c.server()});
    if (s == w_.audit.servers().end() || s->second.status == server_status::purged) return id;
  }
  return {};
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
  if (ours.size() > 1) {
    // A replacement that could not be rolled back, because the Engine failed at that too, or one that was renamed by
    // hand during the agent's work. It is reported as drift. The next command settles what was set aside; a rival may
    // be removed only by a user.
    if (s.drift.empty()) {
      std::string names;
      for (auto* c : ours) names += " " + c->view.id + "/" + c->view.name + "/" + std::string(name_of(c->view.state));
      return who + "has " + std::to_string(ours.size()) + " containers, and nobody is told:" + names + " on " +
             h->name + ", recorded " + s.container_id;
    }
    for (auto* rival : ours)
      if (rival->view.id != s.container_id && rival->view.name.find(".old-") == std::string::npos) {
        tell("its owner removes the rival " + rival->view.name);
        h->remove(rival->view.id);
        return who + "had a rival";
      }
    tell("its owner repeats: recreate " + s.name);
    w_.send("server.recreate", recreate_server{s.id.value, true});
    return who + "has " + std::to_string(ours.size()) + " containers";
  }
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
      if (s.last_error)
        if (const auto other = foreign_on(*h); !other.empty()) {
          tell("somebody removes container " + other + ", which is no server's, and holds a name or a port");
          removed_by_hand_.insert(other);
          h->remove(other);
          return who + "had its name or port taken";
        }
      if (s.recovery == recovery_policy::automatic && s.desired == desired_state::running &&
          s.data == data_state::present)
        return who + "ought to be recovered" + (s.last_error ? "; " + s.last_error->message : "") +
               (w_.audit.agents().at(s.agent).held_since != never ? "; held back" : "");
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

storm::figures storm::count() const {
  figures out{faults_, w_.steps, w_.audit.acknowledged(), w_.audit.lost(), 0, w_.incarnation, {}};
  std::map<operation_id, op_kind> kinds;
  for (const auto& e : w_.audit.log())
    for (const auto& n : e.facts) {
      if (const auto* a = std::get_if<operation_accepted>(&n.what)) kinds[a->op->id] = a->op->kind;
      const auto* end = std::get_if<operation_ended>(&n.what);
      if (!end) continue;
      ++out.ended;
      if (end->status == op_status::succeeded) ++out.succeeded[std::string(name_of(kinds[end->id]))];
    }
  return out;
}

std::string storm::run() {
  const auto broken = [&] { return !w_.audit.broken().empty(); };
  w_.boot();
  const auto real = options_.real_hosts >= 0 ? options_.real_hosts
                                             : static_cast<int>(luck_.below(static_cast<uint64_t>(options_.hosts) + 1));
  const bool one_lane = luck_.percent(30);
  for (int i = 0; i < options_.hosts; ++i) {
    const auto name = "h" + std::to_string(i);
    if (i < real) w_.add_real_host(name, one_lane);
    else w_.add_host(name);
  }
  w_.advance(2s);
  for (int turn = 0; turn < options_.turns && !broken(); ++turn) {
    for (auto n = luck_.below(4); n > 0; --n) request();
    if (luck_.percent(30)) misfortune();
    if (luck_.percent(15)) hand_of_man();
    if (luck_.percent(5)) restore_or_back_up();
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
  // The effects of an adoption that the backup does not know are in no log.
  if (auto lost = lost_stranger(); !lost.empty() && !restored_) return story(lost);
  w_.audit.look_at_promises();
  w_.stop_manager();
  if (broken()) return story(w_.report());
  if (const auto v = manager::verified(w_.db, {}); !v || !v->sound)
    return story("the audit is not sound: " + (v ? v->problem : v.error().message));
  for (const auto& [id, r] : w_.clients.requests)
    if (r.incarnation == w_.incarnation && !r.final) return story("request " + id + " (" + r.verb + ") has no answer");
  return {};
}

}  // namespace zedops::sim
