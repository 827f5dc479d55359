#include "actors/manager/servers/registry.hpp"

#include <caf/all.hpp>
#include <unordered_map>

#include "actors/manager/servers/server_shell.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "config/logging.hpp"

namespace zedops::manager {
namespace {

using namespace msg;
using rt::server_call;
using rt::server_reply;

struct registry_state {
  static inline constexpr const char* name = "registry";

  rt::registry_actor::stateful_pointer<registry_state> self = nullptr;
  shared* world = nullptr;
  rt::journal_actor journal;
  rt::hosts_actor hosts;
  std::unordered_map<caf::actor_addr, std::string> ids;
  std::unordered_map<std::string, core::restart_tracker> crashes;            // only of those that crashed
  std::unordered_map<std::string, std::chrono::milliseconds> resting_until;  // after too many

  ~registry_state() {  // children end with their supervisor
    for (auto& [id, a] : world->actors.take()) caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
  }

  std::chrono::milliseconds now() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(self->clock().now().time_since_epoch());
  }

  rt::server_actor start(const server_id& id) {
    auto a = spawn_server(self->system(), *world, journal, hosts, id);
    self->monitor(a);
    ids[a.address()] = id.value;
    return a;
  }

  caf::result<server_reply> route(server_call& call) {
    if (auto a = world->actors.find(call.id)) return self->delegate(*a, std::move(call));
    if (auto rest = resting_until.find(call.id.value); rest != resting_until.end() && now() < rest->second) {
      server_reply r;
      r.failure = error{ec::internal,
                        "this server's actor crashed and is being started again",
                        "repeat the request in a moment; the manager's log says why it crashed",
                        {}};
      return r;
    }
    auto known = world->records.server(call.id);
    const bool create = std::holds_alternative<core::created>(call.what);
    if (!create && (!known || known->status == server_status::purged)) {
      server_reply r;
      r.failure = error{ec::not_found, "there is no such server", "zedctl server ls --all", {}};
      return r;
    }
    if (!create && known->log_head == 0) {  // its record is damaged: nothing follows from it, and it is evidence
      server_reply r;
      r.failure = known->last_error;
      return r;
    }
    const auto id = call.id;
    auto a = start(id);
    auto answer = self->delegate(a, std::move(call));
    world->actors.put(id, std::move(a));  // from now on requests come to it past us: not before this one
    return answer;
  }

  void on_down(const caf::down_msg& dm) {
    auto i = ids.find(dm.source);
    if (i == ids.end()) return;
    const auto id = std::move(i->second);
    ids.erase(i);
    if (auto a = world->actors.find({id}); a && a->address() == dm.source) world->actors.erase({id});
    if (!dm.reason || dm.reason == caf::exit_reason::user_shutdown) {
      crashes.erase(id);
      return;
    }
    world->actor_restarts.fetch_add(1);
    auto [t, fresh] = crashes.try_emplace(id, world->rules().restarts);
    const auto wait = t->second.on_crash(now());
    const auto rest = wait.value_or(world->rules().restarts.window);
    config::log_event(log_level::error, wait ? "actor.restart" : "actor.restart-given-up",
                      {{"server", id}, {"reason", self->system().render(dm.reason)}, {"again_in", rest}});
    if (!wait) give_up(id, self->system().render(dm.reason));
    resting_until[id] = now() + rest;
    self->delayed_send(self, rest, rt::warm_atom::value, id);
  }

  // It rests now. Its owner is told by the record and an event: nobody should have to read the log for that. What its
  // server does meanwhile is not known to have changed, so its status stays.
  void give_up(const std::string& id, const std::string& reason) {
    const auto s = world->records.server({id});
    if (!s || s->status == server_status::purged) return;
    const error why{ec::internal,
                    "its actor crashed too often (" + reason + ") and rests for " +
                        msg::format_duration(world->rules().restarts.window),
                    "it is started again by itself; report it with the manager's log",
                    {}};
    rt::commit c{rt::entity_kind::server,
                 id,
                 s->log_head,
                 core::number(*s, {error_changed{why}}),
                 {cause_kind::timer, "supervision", {}},
                 world->clock.now()};
    // Failing is no worse than the silence before; the log has it.
    self->request(journal, caf::infinite, std::move(c)).then([](rt::committed&) {}, [](caf::error&) {});
  }

  // Starts one that crashed, or (empty `from`: all) the next batch in the order of ids.
  void warm(const std::string& from) {
    if (crashes.contains(from)) {
      resting_until.erase(from);
      auto known = world->records.server({from});
      if (!world->actors.find({from}) && known && known->status != server_status::purged) {
        auto a = start({from});
        // Whatever it was about to send when it crashed is still to be sent.
        caf::anon_send(a, server_call{{from}, core::agent_ready{}, false});
        world->actors.put({from}, std::move(a));
      }
      return;
    }
    auto batch = world->records.page(from, warm_batch_max, [](const server&) { return true; });
    for (const auto& s : batch)
      if (s->log_head != 0 && !world->actors.find(s->id)) world->actors.put(s->id, start(s->id));
    if (batch.size() == warm_batch_max) self->send(self, rt::warm_atom::value, batch.back()->id.value);
    else config::log_event("registry.ready", {{"servers", world->actors.size()}});
  }
};

rt::registry_actor::behavior_type registry(rt::registry_actor::stateful_pointer<registry_state> self, shared* world,
                                           rt::journal_actor journal, rt::hosts_actor hosts) {
  rt::install_defaults(self);
  auto& st = self->state;
  st.self = self;
  st.world = world;
  st.journal = std::move(journal);
  st.hosts = std::move(hosts);
  self->set_down_handler([self](caf::down_msg& dm) { self->state.on_down(dm); });
  return {
      [self](server_call& call) { return self->state.route(call); },
      [self](rt::warm_atom, const std::string& from) { self->state.warm(from); },
  };
}

}  // namespace

rt::registry_actor spawn_registry(caf::actor_system& sys, shared& world, rt::journal_actor journal,
                                  rt::hosts_actor hosts) {
  return sys.spawn(registry, &world, std::move(journal), std::move(hosts));
}

}  // namespace zedops::manager
