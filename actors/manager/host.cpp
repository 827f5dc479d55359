#include "actors/manager/host.hpp"

#include <caf/all.hpp>
#include <deque>

#include "actors/core/agent_machine.hpp"
#include "actors/core/blueprint.hpp"
#include "actors/core/observe.hpp"
#include "actors/core/overload.hpp"
#include "actors/manager/host_incidents.hpp"
#include "actors/manager/host_sync.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "config/logging.hpp"

namespace zedops::manager {
namespace {

using namespace msg;
using rt::host_answer;
using rt::host_query;
using promise = caf::typed_response_promise<host_answer>;

struct host_state {
  static inline constexpr const char* name = "host";
  struct session {
    std::string routing_id;  // empty: the connection is gone, the agent may come back on another
    std::string instance;
    uint64_t number = 0;
    msg::hello greeting;
  };
  struct rival {  // says it is the same agent; the live session is asked first
    std::string routing_id;
    msg::hello greeting;
    time_point since{};
  };
  struct query {
    promise answer;
    time_point deadline{};
  };

  rt::host_actor::stateful_pointer<host_state> self = nullptr;
  shared* world = nullptr;
  host_handles to;
  agent_id id;
  std::optional<session> live;
  std::optional<rival> challenger;
  std::optional<session> entering;  // its arrival is being committed
  time_point last_heard{};
  uint64_t sessions = 0, nonce = 0, requests = 0;
  std::map<uint64_t, query> queries;
  struct queued_commit {
    std::vector<fact> facts;
    cause why;
    std::function<void(bool)> then;
  };
  std::deque<queued_commit> commits;  // the first is at the journal
  sync_run sync;                      // see host_sync.hpp
  intake taking;                      // see host_incidents.hpp

  ~host_state() {
    for (auto& [n, q] : queries) q.answer.deliver(away());
    for (auto& p : sync.waiting) p.deliver(away());
    for (auto& p : sync.next) p.deliver(away());
  }

  agent_ptr record() const { return world->records.agent(id); }
  time_point now() const { return world->clock.now(); }
  bool online() const { return live && !live->routing_id.empty(); }

  void send(const std::string& routing_id, uint64_t number, const to_agent& what) {
    if (!world->agents.send(routing_id, number, what))
      config::log_limited(log_level::warn, "agent.send-failed", {{"agent", id}});
  }
  void send(const to_agent& what) {
    if (online()) send(live->routing_id, live->number, what);
  }

  // One commit at a time: each is numbered from the record that the one before has left.
  void commit(std::vector<fact> facts, cause why, std::function<void(bool)> then) {
    commits.push_back({std::move(facts), std::move(why), std::move(then)});
    if (commits.size() == 1) next_commit();
  }
  void next_commit() {
    const auto a = world->records.agent_ever(id);
    const agent blank;
    auto& c = commits.front();
    rt::commit out{rt::entity_kind::agent, id.value, 0, core::number(a ? *a : blank, std::move(c.facts)),
                   std::move(c.why),       now()};
    self->request(to.journal, std::chrono::seconds(30), std::move(out))
        .then(
            [this](rt::committed& done) {
              auto then = std::move(commits.front().then);
              commits.pop_front();
              if (!commits.empty()) next_commit();
              then(!done.failure);
            },
            [this](caf::error& e) { self->quit(std::move(e)); });
  }
  void note(fact f, cause_kind kind) {
    commit({std::move(f)}, {kind, {}, {}}, [](bool) {});
  }

  // ---- session ----
  void on_said(rt::agent_said& said) {
    if (auto* h = std::get_if<hello>(&said.what)) {
      on_hello(said.routing_id, *h);
      return;
    }
    if (!live || live->routing_id != said.routing_id) return;  // an old session: ignored
    heard();
    std::visit(core::overload{
                   [&](hello&) {},
                   [&](heartbeat& m) { on_heartbeat(m); },
                   [&](inventory& m) { on_inventory(m); },
                   [&](observed& m) { on_observed(m); },
                   [&](command_progress& m) { forward(m.server, core::progressed{m}); },
                   [&](command_result& m) { forward(m.server, core::reported{m}); },
                   [&](data_answer& m) { on_data(m); },
                   [&](port_answer& m) { answer(m.request, std::move(m)); },
                   [&](logs_answer& m) { answer(m.request, std::move(m)); },
                   [&](container_answer& m) { answer(m.request, std::move(m)); },
                   [&](goodbye&) { lose("agent.goodbye"); },
                   [&](incidents& m) { on_incidents(std::move(m.list)); },
                   [&](welcome_refused&) {},
               },
               said.what);
  }

  void heard() {
    last_heard = now();
    world->records.touch(id, {last_heard, sync.last});
    if (challenger && last_heard > challenger->since) refuse_challenger();
    if (auto a = record(); a && a->status == agent_status::suspect && !entering) greet_again();
  }
  void greet_again() {
    const auto& g = live->greeting;
    note(agent_connected{g.hostname, g.data_path, g.software, g.engine_version, g.api_version, g.engine_ok, now()},
         cause_kind::link);
  }
  void refuse_challenger() {
    const error e{ec::already_exists,
                  "another agent named " + challenger->greeting.name + " is connected already (host " +
                      live->greeting.hostname + ")",
                  "give this agent a name of its own, or stop the other one",
                  {}};
    config::log_event(log_level::warn, "agent.refused",
                      {{"agent", id}, {"name", challenger->greeting.name}, {"host", challenger->greeting.hostname}});
    send(challenger->routing_id, 0, refused{e, true});
    challenger.reset();
  }

  void on_hello(const std::string& routing_id, hello& h) {
    if (entering) return;  // it repeats itself
    if (online() && live->instance != h.instance && now() - last_heard < world->rules().liveness.suspect_after) {
      if (!challenger || challenger->routing_id != routing_id) challenger = rival{routing_id, h, now()};
      send(ping{++nonce});  // the live one answers, or its connection turns out to be gone
      return;
    }
    enter(routing_id, std::move(h));
  }

  // By value: what is let in may be the challenger, which goes here.
  void enter(std::string routing_id, hello h) {
    challenger.reset();
    entering = session{std::move(routing_id), h.instance, (world->term << 24) + ++sessions, h};
    std::vector<fact> facts;
    if (!record()) {
      agent a;
      a.id = id;
      a.name = h.name;
      a.created_at = now();
      facts.emplace_back(agent_registered{std::move(a)});
    }
    facts.emplace_back(
        agent_connected{h.hostname, h.data_path, h.software, h.engine_version, h.api_version, h.engine_ok, now()});
    commit(std::move(facts), {cause_kind::link, h.instance, h.hostname}, [this](bool ok) { entered(ok); });
  }
  void entered(bool ok) {
    auto next = std::move(*entering);
    entering.reset();
    if (!ok) return;  // the journal could not: the agent says hello again
    live = std::move(next);
    last_heard = now();
    sync.gate.reset();
    config::log_event("agent.online", {{"agent", id},
                                       {"name", live->greeting.name},
                                       {"host", live->greeting.hostname},
                                       {"engine", live->greeting.engine_version}});
    welcome w;
    w.id = id;
    w.manager_id = world->manager_id;
    w.term = world->term;
    w.session = live->number;
    for (const auto& s : world->records.servers_of(id))
      if (const auto* t = world->find_template(s->template_name))
        w.servers.push_back(core::known_for(*s, *t, {world->manager_id, live->greeting.name, {}}));
    send(std::move(w));
    sync.gate.begin();  // the inventory that follows unasked
    sync.started = now();
  }

  void lose(std::string_view why) {
    if (auto a = record(); a && a->status != agent_status::unreachable) note(agent_lost{last_heard}, cause_kind::link);
    config::log_event(log_level::warn, why, {{"agent", id}, {"last_seen", to_rfc3339(last_heard)}});
    live.reset();
    sync.abort(away());
    for (auto& [n, q] : queries) q.answer.deliver(away());
    queries.clear();
    if (challenger) enter(challenger->routing_id, std::move(challenger->greeting));
  }

  void on_peer_lost(const std::string& routing_id) {
    if (challenger && challenger->routing_id == routing_id) challenger.reset();
    if (!live || live->routing_id != routing_id) return;
    live->routing_id.clear();
    if (challenger) enter(challenger->routing_id, std::move(challenger->greeting));
  }

  void on_heartbeat(const heartbeat& m) {
    if (m.engine_ok == live->greeting.engine_ok) return;
    live->greeting.engine_ok = m.engine_ok;
    greet_again();
    config::log_event(m.engine_ok ? log_level::info : log_level::warn, m.engine_ok ? "engine.back" : "engine.lost",
                      {{"agent", id}, {"problem", m.engine_problem}});
  }

  // ---- once a second ----
  void tick() {
    self->delayed_send(self, world->rules().liveness.ping_interval, rt::tick_atom::value);
    const auto t = now();
    for (auto i = queries.begin(); i != queries.end();) {
      if (i->second.deadline > t) {
        ++i;
        continue;
      }
      host_answer late;
      late.failure = error{ec::timeout, "the agent did not answer in time", "repeat the request", {}};
      i->second.answer.deliver(std::move(late));
      i = queries.erase(i);
    }
    if (!live) {  // was connected to the manager's last run and has not come back
      const auto a = record();
      const bool believed = a && (a->status == agent_status::online || a->status == agent_status::suspect);
      if (believed && !entering && t - last_heard >= world->rules().liveness.unreachable_after)
        lose("agent.unreachable");
      return;
    }
    send(ping{++nonce});
    const auto judged = core::judge(world->rules().liveness, t - last_heard);
    const auto a = record();
    if (judged == agent_status::unreachable) lose("agent.unreachable");
    else if (judged == agent_status::suspect && a && a->status == agent_status::online)
      note(agent_suspected{last_heard}, cause_kind::timer);
    else if (sync.gate.running() ? t - sync.started >= query_time_max : t - sync.last >= world->rules().sync_interval)
      start_sync();
  }

  // ---- sync ----
  void start_sync() {
    if (!online()) return;
    if (sync.gate.running() && now() - sync.started >= query_time_max) sync.gate.reset();  // its answer never came
    if (!sync.gate.begin()) return;
    sync.started = now();
    sync.request = ++requests;
    send(sync_query{sync.request});
  }

  void on_inventory(inventory& inv) {
    if (!sync.gate.running()) sync.gate.begin();  // unasked: the agent has reconnected to its Engine
    if (inv.request != 0 && inv.request != sync.request) return;
    auto todo = plan_sync(*world, id, inv);
    sync.row = std::move(todo.row);
    sync.failure = inv.failure;
    sync.took = inv.took;
    sync.open = todo.calls.size();
    sync.ready = std::move(todo.ready);
    if (sync.open == 0) {
      finish_sync();
      return;
    }
    if (todo.calls.size() > 1) self->send(to.journal, rt::expect_commits{static_cast<uint32_t>(todo.commits)});
    const auto run = ++sync.runs;
    for (auto& call : todo.calls) {
      auto server = call.id.value;
      self->request(to.registry, settle_time_max, std::move(call))
          .then([this, run, server](rt::server_reply& r) { settled(run, server, r.changed); },
                [this, run, server](caf::error&) { settled(run, server, false); });
    }
  }
  void settled(uint64_t run, const std::string& server, bool changed) {
    if (run != sync.runs || sync.open == 0) return;
    if (changed) sync.row.changed.push_back(server);
    if (--sync.open == 0) finish_sync();
  }

  void finish_sync() {
    sync.last = now();
    world->records.touch(id, {last_heard, sync.last});
    // What was asked of the agent before is asked again: it knows what it has done already.
    for (auto& server : sync.ready) caf::anon_send(to.registry, rt::server_call{server, core::agent_ready{}, false});
    sync.ready.clear();
    const bool news = !sync.waiting.empty() || !sync.row.changed.empty() || !sync.reported;
    if (sync.failure) {
      if (sync.failed_with != sync.failure->message) note(sync_failed{*sync.failure}, cause_kind::sync);
      sync.failed_with = sync.failure->message;
    } else {
      sync.failed_with.clear();
      if (news)
        note(sync_completed{sync.row.servers, sync.row.containers, sync.row.changed, sync.row.unclaimed, sync.took},
             cause_kind::sync);
      sync.reported = true;
    }
    host_answer done;
    if (auto a = record()) sync.row.agent = a->name;
    sync.row.failure = sync.failure;
    done.sync = sync.row;
    for (auto& p : std::exchange(sync.waiting, {})) p.deliver(done);
    if (sync.gate.done()) {
      sync.waiting = std::exchange(sync.next, {});
      sync.started = now();
      sync.request = ++requests;
      send(sync_query{sync.request});
    }
  }

  // ---- what it sees and says ----
  void on_observed(observed& m) { forward(m.what.server, core::seen{m.what, cause_kind::container_event, m.hint}); }
  void forward(const server_id& server, core::input what) {
    auto s = world->records.server(server);
    if (!s || s->agent != id) return;  // not this agent's business
    caf::anon_send(to.registry, rt::server_call{server, std::move(what), false});
  }

  // ---- what it did by itself ----
  void on_incidents(std::vector<incident> list) {
    if (taking.open > 0) return;  // it repeats what was not acknowledged
    auto plan = plan_intake(*world, id, std::move(list));
    taking = {plan.calls.size(), plan.upto};
    if (taking.open == 0) send(incidents_taken{taking.upto});
    for (auto& [first, call] : plan.calls)
      self->request(to.registry, settle_time_max, std::move(call))
          .then([this, first = first](rt::server_reply& r) { kept(first, is_settled(r)); },
                [this, first = first](caf::error&) { kept(first, false); });
  }
  void kept(uint64_t first, bool settled) {
    if (taking.last(first, settled) && taking.upto > 0) send(incidents_taken{taking.upto});
  }

  // ---- queries ----
  caf::result<host_answer> on_query(host_query& q) {
    auto p = self->make_response_promise<host_answer>();
    if (!online()) {
      p.deliver(away());
      return p;
    }
    if (std::holds_alternative<sync_query>(q.what)) {
      if (sync.gate.running()) {
        sync.gate.begin();  // books the follow-up
        sync.next.push_back(p);
      } else {
        sync.waiting.push_back(p);
        start_sync();
      }
      return p;
    }
    if (queries.size() >= queries_open_max) {
      host_answer full;
      full.failure = error{ec::rate_limited, "too many questions to this agent are open", "repeat it in a moment", {}};
      p.deliver(std::move(full));
      return p;
    }
    const auto n = ++requests;
    const auto give_number = [n](auto& x) {
      if constexpr (requires { x.request; }) x.request = n;
    };
    std::visit(give_number, q.what);
    queries[n] = {p, now() + query_time_max};
    send(q.what);
    return p;
  }
  template <class T>
  void answer(uint64_t request, T&& what) {
    auto i = queries.find(request);
    if (i == queries.end()) return;
    host_answer a;
    a.what = std::forward<T>(what);
    i->second.answer.deliver(std::move(a));
    queries.erase(i);
  }
  void on_data(data_answer& m) {
    for (const auto& row : m.rows)  // what was seen is also known from now on
      forward(row.id, core::data_seen{row.state, row.bytes});
    answer(m.request, std::move(m));
  }

  caf::result<host_answer> on_forget() {
    auto p = self->make_response_promise<host_answer>();
    host_answer a;
    if (auto servers = world->records.servers_of(id); !servers.empty())
      a.failure = error{ec::wrong_state,
                        "this agent still has " + std::to_string(servers.size()) + " servers",
                        "purge them first: zedctl server ls --all --agent " + (record() ? record()->name : id.value),
                        {}};
    else if (online()) a.failure = error{ec::wrong_state, "this agent is connected", "stop it on its host first", {}};
    if (a.failure) {
      p.deliver(std::move(a));
      return p;
    }
    auto r = record();
    commit({agent_removed{r ? r->name : id.value}}, {cause_kind::request, {}, {}}, [this, p](bool ok) mutable {
      host_answer done;
      if (!ok) done.failure = error{ec::internal, "the journal refused", "repeat the request", {}};
      p.deliver(std::move(done));
      if (ok) self->quit();
    });
    return p;
  }
};

}  // namespace

rt::host_actor spawn_host(caf::actor_system& sys, shared& world, host_handles to, const agent_id& id) {
  return sys.spawn([w = &world, to = std::move(to),
                    id](rt::host_actor::stateful_pointer<host_state> self) mutable -> rt::host_actor::behavior_type {
    rt::install_defaults(self);
    auto& st = self->state;
    st.self = self;
    st.world = w;
    st.to = std::move(to);
    st.id = id;
    st.last_heard = w->clock.now();
    self->delayed_send(self, w->rules().liveness.ping_interval, rt::tick_atom::value);
    return {
        [self](rt::agent_said& m) { self->state.on_said(m); },
        [self](const rt::peer_lost& m) { self->state.on_peer_lost(m.routing_id); },
        [self](const rt::to_host& m) { self->state.send(m.what); },
        [self](const rt::sync_wanted& m) {
          if (self->state.sync.gate.running() || self->state.sync.may_notice(m.server, self->state.now()))
            self->state.start_sync();
        },
        [self](host_query& q) { return self->state.on_query(q); },
        [self](const rt::forget_agent&) { return self->state.on_forget(); },
        [self](rt::tick_atom) { self->state.tick(); },
    };
  });
}

}  // namespace zedops::manager
