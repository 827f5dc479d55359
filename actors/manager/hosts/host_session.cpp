// What the machine of the session asks for: commits, messages, and answers to those who wait when it ends.
#include "actors/core/overload.hpp"
#include "actors/core/plan/blueprint.hpp"
#include "actors/manager/hosts/host_state.hpp"
#include "config/logging/logging.hpp"

namespace zedops::manager {

using namespace msg;

namespace {
constexpr auto touch_every = std::chrono::milliseconds(500);
constexpr size_t engine_problem_max = 1'024;  // bytes of it that are kept
constexpr size_t key_text_max = 64;
// Sessions are numbered below the term.
constexpr uint64_t term_max = uint64_t{1} << 39;

agent_connected arrival(const hello& h, time_point at) {
  return {h.hostname, h.data_path, h.software, h.engine_version, h.api_version, h.engine_ok, at, h.engine_problem};
}
}  // namespace

void host_state::send(const std::string& routing_id, uint64_t number, const to_agent& what) {
  if (!world->agents.send(routing_id, number, what))
    config::log_limited(log_level::warn, "agent.send-failed", {{"agent", id}});
}
void host_state::send(const to_agent& what) {
  if (const auto* live = session.online()) send(live->routing_id, live->number, what);
}

void host_state::take(core::session_input in) {
  core::session_context cx{now(), world->rules().liveness, world->term, std::nullopt, false, {}};
  if (const auto a = record()) {
    cx.status = a->status;
    cx.engine_ok = a->engine_ok;
    cx.engine_problem = a->engine_problem;
  }
  for (auto& e : session.take(std::move(in), cx)) carry_out(e);
}

// An agent that has obeyed a higher term, or this one from another life, was led by a manager whose store has since
// been replaced by a backup. It would obey only a newer term.
void host_state::on_hello(const std::string& routing_id, hello h) {
  const bool of_another_life = h.term == world->term && !session.welcomed_before();
  if (h.term < world->term || (h.term == world->term && !of_another_life)) return take(core::greeted{routing_id, h});
  if (h.term >= term_max)
    return send(
        routing_id, 0,
        refused{{ec::bad_request,
                 "this agent reports term " + std::to_string(h.term) + ", which no manager can have had",
                 "its state folder is damaged: stop it, set the folder aside and start it with --identity " + id.value,
                 {}},
                true});
  if (std::exchange(raising, true)) return;  // it repeats itself
  config::log_event(log_level::warn, "term.raised",
                    {{"agent", id},
                     {"obeyed", h.term},
                     {"term", world->term.load()},
                     {"reason", "this store was restored from a backup, or another manager led"}});
  self->request(to.journal, std::chrono::seconds(30), rt::raise_term{h.term})
      .then(
          [this, routing_id, h = std::move(h)](rt::committed& done) mutable {
            raising = false;
            if (!done.failure) take(core::greeted{std::move(routing_id), std::move(h)});
          },
          [this](caf::error&) { raising = false; });
}

void host_state::on_declined(const std::string& routing_id, const welcome_refused& m) {
  config::log_limited(log_level::warn, "agent.declines",
                      {{"agent", id}, {"error", m.why.message}, {"hint", m.why.hint}, {"obeyed", m.term}});
  take(core::declined{routing_id, m.session});
}

void host_state::heard(const std::string& routing_id, const from_agent& what) {
  if (std::holds_alternative<goodbye>(what)) return take(core::left{routing_id});
  core::spoke said{routing_id, 0, std::nullopt, {}};
  if (const auto* m = std::get_if<heartbeat>(&what)) {
    said.nonce = m->nonce;
    if (m->next_key != next_key) {
      next_key = m->next_key.substr(0, key_text_max);
      touched = {};  // a key rotation may wait for it
    }
    said.engine_ok = m->engine_ok;
    said.engine_problem = m->engine_ok ? std::string{} : m->engine_problem.substr(0, engine_problem_max);
    const auto* live = session.online();
    if (live && live->routing_id == routing_id && m->engine_ok != live->greeting.engine_ok)
      config::log_event(m->engine_ok ? log_level::info : log_level::warn, m->engine_ok ? "engine.back" : "engine.lost",
                        {{"agent", id}, {"problem", m->engine_problem}});
  }
  take(std::move(said));
  if (now() - touched < touch_every) return;  // the lock is shared by all
  touched = now();
  touch(session.silent(touched));
}

void host_state::touch(msg::duration silent) {
  world->records.touch(id,
                       {wall() - silent, sync.last, sync.last_took, sync.last_unclaimed, sync.last_diverged, next_key});
}

void host_state::carry_out(core::session_effect& e) {
  std::visit(core::overload{
                 [&](core::write_arrival& x) { write_arrival(x.greeting); },
                 [&](core::write_suspected& x) {
                   write_status({agent_suspected{wall() - x.silent}}, {cause_kind::timer, {}, {}});
                 },
                 [&](core::write_lost& x) {
                   config::log_event(log_level::warn, "agent.lost", {{"agent", id}, {"silent", x.silent}});
                   write_status({agent_lost{wall() - x.silent}}, {cause_kind::link, {}, {}});
                 },
                 [&](core::send_welcome& x) { welcome(x); },
                 [&](core::session_begun&) { begin_session(); },
                 [&](core::session_over& x) { end_session(x.why); },
                 [&](core::send_ping& x) {
                   send(x.routing_id, x.session, ping{x.nonce, world->keys ? world->keys->next_key() : std::string{}});
                 },
                 [&](core::refuse_rival& x) {
                   const auto* live = session.session();
                   const error why{ec::already_exists,
                                   "another agent named " + x.greeting.name + " is connected already (host " +
                                       (live ? live->greeting.hostname : std::string{}) + ")",
                                   "give this agent a name of its own, or stop the other one",
                                   {}};
                   config::log_event(log_level::warn, "agent.refused",
                                     {{"agent", id}, {"name", x.greeting.name}, {"host", x.greeting.hostname}});
                   send(x.routing_id, 0, refused{why, true});
                 },
                 [&](core::send_goodbye& x) { send(x.routing_id, 0, goodbye{"this session is over: say hello"}); },
             },
             e);
}

void host_state::write_status(std::vector<fact> facts, cause why) {
  commit(std::move(facts), std::move(why), [this](bool ok) { take(core::written{ok}); });
}

void host_state::write_arrival(const hello& h) {
  std::vector<fact> facts;
  if (!record()) {
    agent a;
    a.id = id;
    a.name = h.name;
    a.created_at = wall();
    facts.emplace_back(agent_registered{std::move(a)});
  }
  facts.emplace_back(arrival(h, wall()));
  write_status(std::move(facts), {cause_kind::link, h.instance, h.hostname});
}

void host_state::begin_session() {
  const auto& g = session.session()->greeting;
  config::log_event("agent.online",
                    {{"agent", id}, {"name", g.name}, {"host", g.hostname}, {"engine", g.engine_version}});
  sync.gate.reset();
  sync.gate.begin();  // the inventory that follows unasked
  sync.begun(now(), wall());
}

known_server host_state::known(const server& s) const {
  const auto a = record();
  const core::plan_context cx{world->manager_id, a ? a->name : std::string{}, {}};
  return core::known_for(s, world->find_template(s.template_name), cx);
}

void host_state::welcome(const core::send_welcome& to_whom) {
  msg::welcome w;
  w.id = id;
  w.manager_id = world->manager_id;
  w.term = world->term;
  w.session = to_whom.session;
  if (world->usage) w.usage_every = world->rules().usage_interval;
  for (const auto& s : world->records.servers_of(id)) w.servers.push_back(known(*s));
  send(to_whom.routing_id, to_whom.session, std::move(w));
}

void host_state::end_session(std::string_view why) {
  config::log_event(log_level::warn, why, {{"agent", id}, {"silent", session.silent(now())}});
  sync.abort(away());
  answer_queries(away());
}

}  // namespace zedops::manager
