#include "actors/manager/hosts/host.hpp"

#include <utility>

#include "actors/core/agent/agent_machine.hpp"
#include "actors/core/overload.hpp"
#include "actors/manager/hosts/host_state.hpp"
#include "actors/runtime/caf_setup.hpp"

namespace zedops::manager {

using namespace msg;

namespace {
bool is_service(const server_id& id) { return !id.empty() && id.value.front() == core::entity<service>::letter; }
}  // namespace

host_state::~host_state() {
  answer_queries(away());
  for (auto& p : sync.waiting) p.deliver(away());
  for (auto& p : sync.next) p.deliver(away());
}

// One commit at a time: each is numbered from the record that the one before has left.
void host_state::commit(std::vector<fact> facts, cause why, std::function<void(bool)> then) {
  commits.push_back({std::move(facts), std::move(why), std::move(then)});
  if (commits.size() == 1) next_commit();
}
void host_state::next_commit() {
  const auto a = world->records.agent_ever(id);
  const agent blank;
  auto& c = commits.front();
  rt::commit out{&rt::kind_of<agent>, id.value, a ? a->log_head : 0, core::number(a ? *a : blank, std::move(c.facts)),
                 std::move(c.why),    wall()};
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
void host_state::note(fact f, cause_kind kind) {
  commit({std::move(f)}, {kind, {}, {}}, [](bool) {});
}

void host_state::on_said(rt::agent_said& said) {
  if (auto* h = std::get_if<hello>(&said.what)) return on_hello(said.routing_id, std::move(*h));
  if (auto* m = std::get_if<welcome_refused>(&said.what)) return on_declined(said.routing_id, *m);
  heard(said.routing_id, said.what);
  const auto* live = session.online();
  if (!live || live->routing_id != said.routing_id) return;  // of an ended session
  std::visit(core::overload{
                 [](hello&) {},
                 [](welcome_refused&) {},
                 [](goodbye&) {},
                 [](heartbeat&) {},
                 [&](inventory& m) { on_inventory(m); },
                 [&](observed& m) {
                   forward(m.what.server, core::seen{m.what, cause_kind::container_event, m.hint});
                 },
                 [&](command_progress& m) {
                   if (is_service(m.server)) forward({m.server.value}, core::phase_progressed{m});
                   else forward(m.server, core::progressed{m});
                 },
                 [&](command_result& m) {
                   if (is_service(m.server)) forward({m.server.value}, core::phase_reported{m});
                   else forward(m.server, core::reported{m});
                 },
                 [&](data_answer& m) { on_data(m); },
                 [&](port_answer& m) { answer(m.request, std::move(m)); },
                 [&](logs_answer& m) { answer(m.request, std::move(m)); },
                 [&](container_answer& m) { answer(m.request, std::move(m)); },
                 [&](stray_answer& m) { answer(m.request, std::move(m)); },
                 [&](layer_answer& m) { answer(m.request, std::move(m)); },
                 [&](incidents& m) { on_incidents(std::move(m.list)); },
                 [&](usage& m) { on_usage(std::move(m)); },
                 [&](fetch_upload& m) { on_fetch(std::move(m)); },
                 [&](service_seen& m) {
                   const auto whose = m.service;
                   forward(whose, core::service_observed{std::move(m)});
                 },
             },
             said.what);
}

// ---- what it sees and says ----
void host_state::forward(const server_id& server, core::input what) {
  auto s = world->records.server(server);
  if (!s || s->agent != id) return;  // not a server of this agent
  caf::anon_send(to.registry, rt::entity_call{server, std::move(what)});
}

void host_state::forward(const service_id& service, core::service_input what) {
  auto s = world->records.service(service);
  if (!s || s->agent != id) return;
  caf::anon_send(to.registry, rt::entity_call{service.value, std::any(std::move(what))});
}

// Only uploads that a deployment on this host is made from.
void host_state::on_fetch(fetch_upload f) {
  const auto* live = session.online();
  for (const auto& s : world->records.services_of(id))
    for (const auto& d : s->deployments)
      if (d.source.upload == f.id && d.ended_at == never) {
        caf::anon_send(to.uploads, rt::piece_wanted{live->routing_id, live->number, std::move(f)});
        return;
      }
  send(upload_piece{f.request, {}, error{ec::forbidden, "no open deployment of this host uses that upload", "", {}}});
}

// ---- what the agent did by itself ----
void host_state::on_incidents(std::vector<incident> list) {
  if (taking.open > 0) return;  // it repeats what was not acknowledged
  auto plan = plan_intake(*world, id, std::move(list));
  taking = {plan.calls.size(), plan.upto};
  if (taking.open == 0) send(incidents_taken{taking.upto});
  for (auto& [first, call] : plan.calls)
    self->request(to.registry, settle_time_max, std::move(call))
        .then([this, first = first](rt::entity_reply& r) { kept(first, is_settled(r)); },
              [this, first = first](caf::error&) { kept(first, false); });
}
void host_state::kept(uint64_t first, bool settled) {
  if (taking.last(first, settled) && taking.upto > 0) send(incidents_taken{taking.upto});
}

// Only of the agent's own servers.
void host_state::on_usage(usage u) {
  if (!world->usage) return;
  std::erase_if(u.servers, [&](const usage_row& row) {
    const auto s = world->records.server(row.server);
    return !s || s->agent != id;
  });
  world->usage->take(id, u, wall());
}

// Once per ping interval, by way of the actor that routes messages to hosts: behind everything that was sent before.
void host_state::tick() {
  expire_queries();
  take(core::beat{});
  sync_if_due();
}

rt::host_actor spawn_host(caf::actor_system& sys, shared& world, host_handles to, const agent_id& id) {
  return sys.spawn([w = &world, to = std::move(to),
                    id](rt::host_actor::stateful_pointer<host_state> self) mutable -> rt::host_actor::behavior_type {
    rt::install_defaults(self);
    auto& st = self->state;
    st.self = self;
    st.world = w;
    st.to = std::move(to);
    st.id = id;
    st.session = core::agent_session(st.now());
    return {
        [self](rt::agent_said& m) { self->state.on_said(m); },
        [self](const rt::peer_lost& m) { self->state.take(core::hung_up{m.routing_id}); },
        [self](const rt::to_host& m) { self->state.send(m.what); },
        [self](const rt::sync_wanted& m) {
          if (self->state.sync.gate.running() || self->state.sync.may_notice(m.server, self->state.now()))
            self->state.start_sync();
        },
        [self](rt::host_query& q) { return self->state.on_query(q); },
        [self](const rt::forget_agent& f) { return self->state.on_forget(f.lost); },
        [self](const rt::release_recovery& r) -> caf::result<rt::host_answer> {
          auto p = self->make_response_promise<rt::host_answer>();
          self->state.on_recover(r.actor, p);
          return p;
        },
        [self](rt::tick_atom) { self->state.tick(); },
    };
  });
}

}  // namespace zedops::manager
