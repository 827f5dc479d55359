#include "actors/manager/entities/registry.hpp"

#include <caf/all.hpp>
#include <unordered_map>

#include "actors/runtime/caf_setup.hpp"
#include "config/logging/logging.hpp"

namespace zedops::manager {
namespace {

using namespace msg;
using rt::entity_call;
using rt::entity_reply;

struct registry_state {
  static inline constexpr const char* name = "registry";

  rt::registry_actor::stateful_pointer<registry_state> self = nullptr;
  shared* world = nullptr;
  rt::journal_actor journal;
  rt::hosts_actor hosts;
  std::unordered_map<caf::actor_addr, std::string> ids;
  entity_book::actors leaving;  // not needed between the last two ticks: if not until the next one either, they rest
  std::unordered_map<std::string, core::restart_tracker> crashes;            // only of those that crashed
  std::unordered_map<std::string, std::chrono::milliseconds> resting_until;  // after too many

  ~registry_state() {  // children end with their supervisor
    for (const auto& all : {world->actors.take(), leaving})
      for (const auto& [id, a] : all) caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
  }

  std::chrono::milliseconds now() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(self->clock().now().time_since_epoch());
  }

  rt::entity_actor start(const kind_row& kind, const std::string& id) {
    auto a = kind.spawn(self->system(), *world, journal, hosts, id);
    self->monitor(a);
    ids[a.address()] = id;
    return a;
  }

  std::optional<rt::entity_actor> running(const std::string& id) {
    if (auto known = leaving.extract(id)) world->actors.put(id, std::move(known.mapped()));
    return world->actors.find(id);
  }

  // An entity is its record; its actor is needed only while something happens to it. Those that rest were last looked
  // up at least a whole interval ago: whoever did so then has sent its message since.
  void let_rest() {
    for (const auto& [id, a] : leaving) self->send(a, rt::rest_atom::value);
    leaving = world->actors.take_unused();
    self->delayed_send(self, rest_after, rt::tick_atom::value);
  }

  static entity_reply refusal(error e) {
    entity_reply r;
    r.failure = std::move(e);
    return r;
  }

  caf::result<entity_reply> route(entity_call& call) {
    if (auto a = running(call.id)) return self->delegate(*a, std::move(call));
    if (auto rest = resting_until.find(call.id); rest != resting_until.end() && now() < rest->second)
      return refusal({ec::internal,
                      "this server's actor crashed and is being restarted",
                      "repeat the request in a moment; the manager's log says why it crashed",
                      {}});
    const auto* kind = world->kinds.of_id(call.id);
    const auto known = world->records.find(call.id);
    if (!kind || !kind->spawn || (!call.makes && (!known || known.gone())))
      return refusal({ec::not_found, "there is no such server", "zedctl server ls --all", {}});
    if (!call.makes &&
        known.log_head() == 0) {  // its record is damaged: nothing can be decided on it, and it is kept as evidence
      const auto s = known.as<server>();
      return refusal(s && s->last_error ? error(*s->last_error) : error{ec::internal, "its record is damaged", "", {}});
    }
    const auto id = call.id;
    auto a = start(*kind, id);
    auto answer = self->delegate(a, std::move(call));
    world->actors.put(id, std::move(a));  // from now on requests bypass us: not before this one
    return answer;
  }

  void on_down(const caf::down_msg& dm) {
    auto i = ids.find(dm.source);
    if (i == ids.end()) return;
    const auto id = std::move(i->second);
    ids.erase(i);
    if (auto a = leaving.find(id); a != leaving.end() && a->second.address() == dm.source) leaving.erase(a);
    if (auto a = world->actors.find(id); a && a->address() == dm.source) world->actors.erase(id);
    if (!dm.reason || dm.reason == caf::exit_reason::user_shutdown) {
      if (const auto r = world->records.find(id); !r || r.gone()) crashes.erase(id);
      return;
    }
    world->actor_restarts.fetch_add(1);
    auto [t, fresh] = crashes.try_emplace(id, world->rules().restarts);
    const auto wait = t->second.on_crash(now());
    const auto rest = wait.value_or(world->rules().restarts.window);
    config::log_event(log_level::error, wait ? "actor.restart" : "actor.restart-given-up",
                      {{"entity", id}, {"reason", self->system().render(dm.reason)}, {"again_in", rest}});
    if (!wait) give_up(id, self->system().render(dm.reason));
    resting_until[id] = now() + rest;
    self->delayed_send(self, rest, rt::warm_atom::value, id);
  }

  // It rests now. Record and event report that to the user: reading the log should not be necessary for it. Nothing is
  // known to have changed in its container, so its status stays.
  void give_up(const std::string& id, const std::string& reason) {
    const auto r = world->records.find(id);
    if (!r || r.gone()) return;
    const error why{ec::internal,
                    "its actor crashed too often (" + reason + ") and rests for " +
                        msg::format_duration(world->rules().restarts.window),
                    "it is restarted automatically; report this with the manager's log",
                    {}};
    auto facts = r.of().rests(why);
    if (facts.empty()) return;
    rt::commit c{&r.of(),
                 id,
                 r.log_head(),
                 r.of().number(r.get(), std::move(facts)),
                 {cause_kind::timer, "supervision", {}},
                 world->clock.now()};
    // If this fails, at least the log has it.
    self->request(journal, caf::infinite, std::move(c)).then([](rt::committed&) {}, [](caf::error&) {});
  }

  // What it was about to send when it crashed still has to be sent.
  void start_again(const std::string& id) {
    resting_until.erase(id);
    const auto* kind = world->kinds.of_id(id);
    auto known = world->records.find(id);
    if (world->actors.find(id) || !known || known.gone()) return;
    auto a = start(*kind, id);
    auto resume = kind->of->resume();
    caf::anon_send(a, entity_call{id, resume.has_value() ? std::move(resume) : kind->of->tick()});
    world->actors.put(id, std::move(a));
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
  self->delayed_send(self, rest_after, rt::tick_atom::value);
  self->set_down_handler([self](caf::down_msg& dm) { self->state.on_down(dm); });
  return {
      [self](entity_call& call) { return self->state.route(call); },
      [self](rt::warm_atom, const std::string& id) { self->state.start_again(id); },
      [self](rt::tick_atom) { self->state.let_rest(); },
  };
}

}  // namespace

rt::registry_actor spawn_registry(caf::actor_system& sys, shared& world, rt::journal_actor journal,
                                  rt::hosts_actor hosts) {
  return sys.spawn(registry, &world, std::move(journal), std::move(hosts));
}

}  // namespace zedops::manager
