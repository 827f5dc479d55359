#include "actors/manager/journal/hub.hpp"

#include <caf/all.hpp>
#include <map>
#include <unordered_map>

#include "actors/core/operation_facts.hpp"
#include "actors/core/overload.hpp"
#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/deploy_views.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "config/logging/logging.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::manager {
namespace {

using namespace msg;

constexpr duration remind_interval{30'000};  // a waiting client hears at least this often; finds lost connections

struct hub_state {
  static inline constexpr const char* name = "hub";
  struct watcher {
    rt::peer who;
    bool bare = false;
  };
  using client = std::pair<rt::door*, std::string>;
  static client client_of(const rt::peer& p) { return {p.via, p.connection}; }

  shared* world = nullptr;
  std::unordered_map<std::string, std::vector<watcher>> watchers;  // by operation
  size_t watching = 0;
  std::vector<rt::follow_events> followers;
  uint64_t published = 0;         // number of the newest event
  std::map<client, size_t> held;  // by one client: watches and followers

  ~hub_state() {
    const error end{ec::internal, "the manager is stopping", "resume later, from the last event received", {}};
    for (const auto& f : followers) f.who.via->reply(f.who, rt::answer::error, pack_map(end));
    for (const auto& [op, list] : watchers) {
      const error e{ec::internal, "the manager is stopping", "the operation goes on: zedctl op wait " + op, op};
      for (const auto& w : list) w.who.via->reply(w.who, rt::answer::error, pack_map(e));
    }
  }

  // Also on the bus thread.
  static std::vector<rt::public_event> events_of(const shared& world, const rt::published& news) {
    std::vector<rt::public_event> out;
    for (const auto& e : news.entries)
      for (size_t i = 0; i < e->facts.size(); ++i) {
        auto ev = event_of(world.history.epoch(), *e, i);
        mask_secrets(world, ev);
        out.push_back({ev.subject, ev.seq, pack_map(ev), type_of(ev.data)});
      }
    return out;
  }
  static void outbox_full(uint64_t seq) { config::log_limited(log_level::warn, "events.outbox-full", {{"seq", seq}}); }

  // Each transition is logged once, with old state, new state and cause; those of one commit in one write.
  void log(const rt::published& news) const {
    if (!config::would_log(log_level::info)) return;
    config::log_batch lines;
    for (const auto& e : news.entries)
      for (const auto& n : e->facts) log(lines, *e, n.what);
  }
  void log(config::log_batch& lines, const log_entry& e, const fact& f) const {
    const auto name_now = [&] {
      auto s = world->records.server({e.entity});
      if (s) return s->name;
      if (auto v = world->records.service({e.entity})) return v->project_name + "/" + v->name;
      return e.entity;
    };
    if (const auto* x = std::get_if<status_changed>(&f))
      lines.add("server.status-changed", {{"server", e.entity},
                                          {"name", name_now()},
                                          {"from", x->from},
                                          {"to", x->to},
                                          {"reason", x->reason},
                                          {"cause", e.why.kind},
                                          {"ref", e.why.ref}});
    if (const auto* x = std::get_if<operation_accepted>(&f))
      lines.add("operation.accepted", {{"operation", x->op->id},
                                       {"kind", x->op->kind},
                                       {"server", e.entity},
                                       {"name", x->op->target_name},
                                       {"actor", x->op->actor}});
    if (const auto* x = std::get_if<operation_ended>(&f))
      lines.add("operation.ended", {{"operation", x->id},
                                    {"server", e.entity},
                                    {"name", name_now()},
                                    {"status", x->status},
                                    {"error", x->failure ? x->failure->message : std::string{}}});
  }

  void publish(const rt::published& news) {
    published = news.entries.back()->first_seq + news.entries.back()->facts.size() - 1;
    log(news);
    const auto now = world->clock.now();
    for (const auto& e : news.entries) world->figures.count(*e, now);
    if (world->events.watched() || !followers.empty()) {
      for (auto& e : events_of(*world, news)) {
        tell_followers(e);
        const auto seq = e.seq;
        if (!world->events.publish(std::move(e))) outbox_full(seq);
      }
    } else {
      size_t count = 0;
      for (const auto& e : news.entries) count += e->facts.size();
      if (!world->events.publish_if_watched(published, count,
                                            [world = world, news] { return events_of(*world, news); }))
        outbox_full(published);
    }
    if (watching == 0) return;
    for (const auto& e : news.entries)
      for (const auto& n : e->facts) tell(*e, n.what);
  }

  void tell(const log_entry& e, const fact& f) {
    std::visit(core::overload{
                   [&](const operation_progressed& x) { progress(e, x); },
                   [&](const operation_ended& x) { end(x.id); },
                   [](const auto&) {},
               },
               f);
  }
  void progress(const log_entry& e, const operation_progressed& x) {
    auto i = watchers.find(x.id.value);
    if (i == watchers.end()) return;
    auto r = world->records.find(e.entity);
    const auto* open = r ? r.operation(x.id) : nullptr;
    if (!open) return;
    auto op = *open;
    core::progress(op, x);
    const auto body = pack_map(view_of(op));
    for (const auto& w : i->second) w.who.via->reply(w.who, rt::answer::progress, body);
  }
  // Sends the state of each operation that is waited for; the door reports clients that have gone.
  void remind() {
    for (const auto& [id, list] : watchers) {
      const auto op = world->records.open_operation({id});
      if (!op) continue;
      const auto body = pack_map(view_of(*op));
      for (const auto& w : list) w.who.via->reply(w.who, rt::answer::progress, body);
    }
  }
  void forget(const rt::peer_lost& gone) {
    const client who{gone.via, gone.routing_id};
    if (held.erase(who) == 0) return;
    std::erase_if(followers, [&](const auto& f) { return client_of(f.who) == who; });
    for (auto i = watchers.begin(); i != watchers.end();) {
      watching -= std::erase_if(i->second, [&](const watcher& w) { return client_of(w.who) == who; });
      i = i->second.empty() ? watchers.erase(i) : std::next(i);
    }
    world->load.clients_waiting = watching;
  }
  void release(const rt::peer& who) {
    if (auto i = held.find(client_of(who)); i != held.end() && --i->second == 0) held.erase(i);
  }
  // False: refused, and the client knows.
  bool hold(const rt::peer& who) {
    auto& n = held[client_of(who)];
    if (n < held_per_client_max) return ++n, true;
    const error e{ec::rate_limited,
                  "this client waits for too many operations and streams",
                  "wait for at most " + std::to_string(held_per_client_max) + " per connection",
                  {}};
    who.via->reply(who, rt::answer::error, pack_map(e));
    return false;
  }

  // One that accepts no more is dropped: its door closes it, and it resumes from the last event that it received.
  void tell_followers(const rt::public_event& e) {
    std::erase_if(followers, [&](const rt::follow_events& f) {
      if (!e.topic.starts_with(f.subject) || !e.type.starts_with(f.type)) return false;
      if (f.who.via->reply(f.who, rt::answer::item, e.body)) return false;
      release(f.who);
      return true;
    });
  }
  void follow(rt::follow_events f) {
    if (followers.size() >= followers_max) {
      const error e{ec::rate_limited, "too many clients follow events", "try again later", {}};
      f.who.via->reply(f.who, rt::answer::error, pack_map(e));
      return;
    }
    if (!hold(f.who)) return;
    // Events with a higher number arrive here after this message.
    event_page head;
    head.cursor = to_text({world->history.epoch(), published});
    f.who.via->reply(f.who, rt::answer::accepted, pack_map(head));
    followers.push_back(std::move(f));
  }
  void end(const operation_id& id) {
    auto i = watchers.find(id.value);
    if (i == watchers.end()) return;
    for (const auto& w : i->second) {
      answer(id, w);
      release(w.who);
    }
    world->load.clients_waiting = watching -= i->second.size();
    watchers.erase(i);
  }

  void answer(const operation_id& id, const watcher& w) {
    auto op = world->history.operation(id);
    if (!op || !*op) {
      const error e = op ? error{ec::not_found, "there is no operation " + id.value, "zedctl op ls", {}} : op.error();
      w.who.via->reply(w.who, rt::answer::error, pack_map(e));
      return;
    }
    if (w.bare) {
      w.who.via->reply(w.who, rt::answer::result, pack_map(view_of(**op)));
      return;
    }
    if (!is_of_servers((*op)->kind)) {
      const auto r = deploy_reply_of(*world, world->records.find((*op)->target.value), **op);
      w.who.via->reply(w.who, rt::answer::result, pack_map(r));
      return;
    }
    operation_reply r;
    r.operation = view_of(**op);
    r.fresh_start = (*op)->fresh;
    if (auto s = world->records.server({(*op)->target.value})) r.server = view_in(*world, s);
    w.who.via->reply(w.who, rt::answer::result, pack_map(r));
  }

  void watch(const rt::watch_operation& w) {
    if (!world->records.operation_owner(w.op)) {  // it has ended already, or never was
      answer(w.op, {w.who, w.bare});
      return;
    }
    if (watching >= watchers_max) {
      const error e{ec::rate_limited, "too many clients wait for operations", "look again later: zedctl op get", {}};
      w.who.via->reply(w.who, rt::answer::error, pack_map(e));
      return;
    }
    if (!hold(w.who)) return;
    world->load.clients_waiting = ++watching;
    watchers[w.op.value].push_back({w.who, w.bare});
    // It may have ended between the look and the entry: its end was then published before this message.
    if (!world->records.operation_owner(w.op)) end(w.op);
  }
};

}  // namespace

rt::hub_actor spawn_hub(caf::actor_system& sys, shared& world) {
  return sys.spawn([w = &world](rt::hub_actor::stateful_pointer<hub_state> self) -> rt::hub_actor::behavior_type {
    rt::install_defaults(self);
    self->state.world = w;
    self->state.published = w->last_seq.load();
    self->delayed_send(self, remind_interval, rt::tick_atom::value);
    return {
        [self](const rt::published& news) { self->state.publish(news); },
        [self](const rt::watch_operation& wanted) { self->state.watch(wanted); },
        [self](rt::follow_events& f) { self->state.follow(std::move(f)); },
        [self](const rt::peer_lost& gone) { self->state.forget(gone); },
        [self](rt::tick_atom) {
          self->state.remind();
          self->delayed_send(self, remind_interval, rt::tick_atom::value);
        },
    };
  });
}

}  // namespace zedops::manager
