#include <array>
#include <caf/all.hpp>
#include <deque>
#include <set>

#include "actors/core/overload.hpp"
#include "actors/manager/hosts/host.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "config/logging/logging.hpp"
#include "messages/base/names.hpp"

namespace zedops::manager {
namespace {

using namespace msg;
using rt::host_answer;

// The id that an agent gives becomes part of subjects, topics and keys.
bool is_agent_id(std::string_view text) {
  return text.size() == id_length && text.front() == 'a' &&
         text.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz") == std::string_view::npos;
}

constexpr uint32_t beat_slices = 10;        // hosts tick in ten groups, spread over the ping interval
constexpr size_t routes_per_agent_max = 8;  // connections of one agent whose end was not reported
constexpr size_t hello_text_max = 4'096;    // bytes of each text in an agent's hello

struct hosts_state {
  static inline constexpr const char* name = "hosts";

  rt::hosts_actor::stateful_pointer<hosts_state> self = nullptr;
  shared* world = nullptr;
  std::shared_ptr<host_handles> to;
  std::map<agent_id, rt::host_actor> hosts;
  std::map<caf::actor_addr, agent_id> ids;
  std::map<std::string, agent_id> routes;              // by connection
  std::map<agent_id, std::deque<std::string>> routed;  // the same by agent, the oldest first
  std::map<std::string, agent_id> names;               // of agents that are being registered
  std::array<std::set<agent_id>, beat_slices> beats;   // which agents are due in which part of a ping interval

  ~hosts_state() {
    for (auto& [id, h] : hosts) caf::anon_send_exit(h, caf::exit_reason::user_shutdown);
  }

  rt::host_actor host(const agent_id& id) {
    auto i = hosts.find(id);
    if (i != hosts.end()) return i->second;
    auto h = spawn_host(self->system(), *world, *to, id);
    self->monitor(h);
    ids[h.address()] = id;
    hosts[id] = h;
    beats[slice_of(id)].insert(id);
    return h;
  }
  static size_t slice_of(const agent_id& id) { return std::hash<std::string>{}(id.value) % beat_slices; }

  // All ticks come this way, behind the messages before them: a backlog here does not count as agents' silence.
  void beat(uint32_t slice) {
    const auto interval = world->rules().liveness.ping_interval;
    self->delayed_send(self, interval, rt::tick_atom::value, slice);
    for (const auto& id : beats[slice]) self->send(hosts.at(id), rt::tick_atom::value);
  }
  void begin_beats() {
    const auto interval = world->rules().liveness.ping_interval;
    for (uint32_t i = 0; i < beat_slices; ++i)
      self->delayed_send(self, interval * (i + 1) / beat_slices, rt::tick_atom::value, i);
  }

  void route(const std::string& routing_id, const agent_id& id) {
    auto [i, fresh] = routes.insert_or_assign(routing_id, id);
    if (!fresh) return;
    auto& list = routed[id];
    list.push_back(routing_id);
    if (list.size() <= routes_per_agent_max) return;
    routes.erase(list.front());
    list.pop_front();
  }
  void unroute(const std::string& routing_id) {
    auto i = routes.find(routing_id);
    if (i == routes.end()) return;
    if (auto r = routed.find(i->second); r != routed.end()) std::erase(r->second, routing_id);
    routes.erase(i);
  }

  // Agents of the last run: those that do not come back are lost from now on.
  void start_known() {
    for (const auto& a : world->records.agents()) host(a->id);
  }

  // Who says hello? The name is the identity; an agent that lost its state folder gets its id again.
  result<agent_id> identify(const hello& h) {
    if (h.version != link_version)
      return fail(ec::bad_request,
                  "this agent speaks link version " + std::to_string(h.version) + ", the manager " +
                      std::to_string(link_version),
                  "install the same version on both ends");
    if (auto ok = check_agent_name(h.name); !ok) return fail(ok.error());
    for (const auto* text :
         {&h.instance, &h.hostname, &h.data_path, &h.software, &h.engine_version, &h.api_version, &h.engine_problem})
      if (text->size() > hello_text_max)
        return fail(ec::too_large,
                    "a text in this agent's hello has more than " + std::to_string(hello_text_max) + " bytes",
                    "check the agent's settings and its host's name");
    if (!h.manager_id.empty() && h.manager_id != world->manager_id)
      return fail(ec::forbidden, "this agent belongs to another manager (" + h.manager_id + ")",
                  "to move it for good, remove its state folder");
    if (auto a = world->records.agent_named(h.name)) {
      names.erase(h.name);
      return a->id;
    }
    if (auto a = world->records.agent(h.id))
      return fail(ec::already_exists, "this agent's id is that of " + a->name,
                  "keep its name, or remove its state folder to start over");
    if (auto i = names.find(h.name); i != names.end()) return i->second;
    return names[h.name] = is_agent_id(h.id.value) ? h.id : agent_id{world->random.id('a')};
  }

  void on_said(rt::agent_said& said) {
    const auto* h = std::get_if<hello>(&said.what);
    if (!h) {
      auto i = routes.find(said.routing_id);
      if (i != routes.end()) self->send(host(i->second), std::move(said));
      else world->agents.send(said.routing_id, 0, goodbye{"unknown session: say hello"});
      return;
    }
    auto id = identify(*h);
    if (!id) {
      config::log_limited(log_level::warn, "agent.refused", {{"name", h->name}, {"error", id.error().message}});
      world->agents.send(said.routing_id, 0, refused{id.error(), true});
      return;
    }
    route(said.routing_id, *id);
    self->send(host(*id), std::move(said));
  }

  void on_peer_lost(const rt::peer_lost& m) {
    auto i = routes.find(m.routing_id);
    if (i == routes.end()) return;
    self->send(host(i->second), m);
    unroute(m.routing_id);
  }

  void on_down(const caf::down_msg& dm) {
    auto i = ids.find(dm.source);
    if (i == ids.end()) return;
    config::log_event(dm.reason ? log_level::error : log_level::info, "host.ended",
                      {{"agent", i->second}, {"reason", self->system().render(dm.reason)}});
    hosts.erase(i->second);  // the next message starts it again; the agent then says hello
    beats[slice_of(i->second)].erase(i->second);
    for (const auto& r : routed[i->second]) routes.erase(r);
    routed.erase(i->second);
    std::erase_if(names, [&](const auto& n) { return n.second == i->second; });
    ids.erase(i);
  }

  template <class Query>
  caf::result<host_answer> ask(const agent_id& id, Query& q) {
    if (!world->records.agent(id)) {
      host_answer a;
      a.failure = error{ec::not_found, "there is no such agent", "zedctl agent ls", {}};
      return a;
    }
    return self->delegate(host(id), std::move(q));
  }
};

}  // namespace

rt::hosts_actor spawn_hosts(caf::actor_system& sys, shared& world, std::shared_ptr<host_handles> to) {
  return sys.spawn([w = &world, to = std::move(to)](
                       rt::hosts_actor::stateful_pointer<hosts_state> self) mutable -> rt::hosts_actor::behavior_type {
    rt::install_defaults(self);
    self->state.self = self;
    self->state.world = w;
    self->state.to = std::move(to);
    self->state.begin_beats();
    self->set_down_handler([self](caf::down_msg& dm) { self->state.on_down(dm); });
    return {
        [self](rt::agent_said& m) {
          load_gauges::out(self->state.world->load.agents);
          self->state.on_said(m);
        },
        [self](const rt::peer_lost& m) { self->state.on_peer_lost(m); },
        [self](rt::to_host& m) { self->send(self->state.host(m.agent), std::move(m)); },
        [self](rt::warm_atom) { self->state.start_known(); },
        [self](const rt::sync_wanted& m) { self->send(self->state.host(m.agent), m); },
        [self](rt::host_query& q) { return self->state.ask(q.agent, q); },
        [self](rt::forget_agent& f) { return self->state.ask(f.agent, f); },
        [self](rt::release_recovery& r) { return self->state.ask(r.agent, r); },
        [self](rt::tick_atom, uint32_t slice) { self->state.beat(slice); },
    };
  });
}

}  // namespace zedops::manager
