#include "actors/manager/hosts/host_sync.hpp"

#include <set>

#include "actors/core/server/observe.hpp"
#include "actors/manager/hosts/host_state.hpp"
#include "config/logging/logging.hpp"

namespace zedops::manager {

using namespace msg;

namespace {
const error not_looked_after{ec::data_unknown,
                             "its agent did not know this server",
                             "the agent has just been told of it: the next sync shows what it sees",
                             {}};
}  // namespace

sync_plan plan_sync(const shared& world, const agent_id& agent, const inventory& inv, time_point asked_at) {
  sync_plan plan;
  core::context cx;
  cx.now = world.clock.now();
  cx.agent_online = true;
  cx.term = world.term;
  cx.retention = world.rules().retention;
  cx.time_max = world.rules().time_max;
  if (auto a = world.records.agent(agent)) cx.recovery_held = a->held_since != never;
  const auto consider = [&](const server& s, core::input what) {
    const auto d = core::decide(s, what, cx);
    if (!d.facts.empty()) ++plan.commits;
    if (!s.op) plan.settled.insert(s.id.value);
    if (!d.facts.empty() || !d.effects.empty()) plan.calls.push_back({s.id, std::move(what), false});
  };
  std::set<server_id> named;
  for (const auto& o : inv.servers) named.insert(o.server);
  for (const auto& s : world.records.servers_of(agent)) {
    ++plan.row.servers;
    // One whose last operation failed or was given up, too: what of it the agent has not begun, or was cut short in, is
    // withdrawn.
    const bool failed = s->last_error && !s->last_error->operation.empty();
    if (s->op || failed || s->status == server_status::deleting) plan.ready.push_back(s->id);
    if (inv.failure) consider(*s, core::unseen{*inv.failure});
    else if (!named.contains(s->id) && s->updated_at < asked_at) {
      plan.untold.push_back(s->id);
      consider(*s, core::unseen{not_looked_after});
    }
  }
  if (inv.failure) return plan;
  for (const auto& o : inv.servers) {
    if (o.container == presence::present) ++plan.row.containers;
    auto s = world.records.server(o.server);
    if (!s || s->status == server_status::purged || s->agent != agent) {
      if (o.container == presence::present) plan.row.unclaimed.push_back(o.view.name);
      continue;
    }
    consider(*s, core::seen{o, cause_kind::sync, {}});
  }
  for (const auto& c : inv.unclaimed) {
    ++plan.row.containers;
    plan.row.unclaimed.push_back(c.name);
  }
  return plan;
}

// ---- the sync of one agent, from the question to the last answer ----
void host_state::sync_if_due() {
  if (!session.online()) return;
  if (now() - sync.started >= (sync.gate.running() ? query_time_max : world->rules().sync_interval)) start_sync();
}

void host_state::start_sync() {
  if (!session.online()) return;
  if (sync.gate.running() && now() - sync.started >= query_time_max) sync.gate.reset();  // its answer never came
  if (sync.gate.begin()) ask_for_inventory();
}
void host_state::ask_for_inventory() {
  sync.begun(now(), wall());
  sync.request = ++requests;
  sync_query q;
  q.request = sync.request;
  q.tells_services =
      world->records.knows_all_services();  // else a stray may belong to a service whose record is damaged
  std::set<std::string> projects;
  for (const auto& s : world->records.services_of(id)) {
    q.services.push_back(s->id.value);
    projects.insert(s->project.value);
  }
  q.projects.assign(projects.begin(), projects.end());
  send(std::move(q));
}

// Servers that have, or had, a container, and how many of them are without one: in all, and newly.
struct embodied {
  size_t all = 0, absent = 0, vanished = 0;
};
embodied count_embodied(const shared& world, const inventory& inv) {
  embodied out;
  for (const auto& o : inv.servers) {
    auto s = world.records.server(o.server);
    if (!s || s->op) continue;
    const bool had = s->status == server_status::running || s->status == server_status::stopped;
    if (!had && s->status != server_status::missing) continue;
    ++out.all;
    if (o.container != presence::absent) continue;
    ++out.absent;
    out.vanished += had ? 1 : 0;
  }
  return out;
}

// Many at once are one incident, not many recoveries: another Engine, a wiped disk, an overzealous clean-up.
void host_state::on_inventory(inventory& inv) {
  const auto a = record();
  const auto n = inv.failure || !a ? embodied{} : count_embodied(*world, inv);
  std::optional<fact> news;
  const auto percent = world->rules().hold_recovery_above;
  if (a && a->held_since == never && core::is_mass_loss(n.vanished, n.all, percent))
    news = recovery_held{n.vanished, n.all, wall()};
  else if (a && a->held_since != never && !inv.failure && !core::is_mass_loss(n.absent, n.all, percent))
    news = recovery_released{"most of its servers have a container again"};
  if (!news) return merge(inv);
  if (std::holds_alternative<recovery_held>(*news))
    config::log_event(log_level::warn, "agent.recovery-held", {{"agent", id}, {"gone", n.vanished}, {"of", n.all}});
  // Durable first: the decisions that follow from this inventory take it into account.
  commit({*news}, {cause_kind::sync, {}, {}}, [this, inv = std::move(inv)](bool kept) mutable {
    if (!kept)
      inv.failure =
          error{ec::internal, "the result of this inventory could not be stored", "the next inventory repeats it", {}};
    merge(inv);
  });
}

void host_state::on_recover(const std::string& actor, caf::typed_response_promise<rt::host_answer> p) {
  const auto a = record();
  if (!a || a->held_since == never) {
    rt::host_answer none;
    none.failure = error{
        ec::wrong_state, "the recovery of this agent's servers is not held", "zedctl agent describe shows more", {}};
    p.deliver(std::move(none));
    return;
  }
  commit({recovery_released{"by " + actor}}, {cause_kind::request, {}, actor}, [this, p](bool ok) mutable {
    rt::host_answer done;
    if (!ok) done.failure = error{ec::internal, "the journal refused", "repeat the request", {}};
    p.deliver(std::move(done));
    start_sync();
  });
}

void host_state::merge(inventory& inv) {
  if (!sync.gate.running()) {  // unasked: the agent has reconnected to its Engine
    sync.gate.begin();
    sync.begun(now(), wall());
  }
  if (inv.request != 0 && inv.request != sync.request) return;
  auto todo = plan_sync(*world, id, inv, sync.asked_at);
  sync.row = std::move(todo.row);
  sync.failure = inv.failure;
  sync.took = inv.took;
  sync.open = todo.calls.size();
  sync.ready = std::move(todo.ready);
  sync.settled = std::move(todo.settled);
  sync.diverged = 0;
  if (!todo.untold.empty()) look_after(todo.untold);
  if (sync.open == 0) {
    finish_sync();
    return;
  }
  if (todo.calls.size() > 1) self->send(to.journal, rt::expect_commits{static_cast<uint32_t>(todo.commits)});
  const auto run = ++sync.runs;
  for (auto& call : todo.calls) {
    auto server = call.id;
    self->request(to.registry, settle_time_max, std::move(call))
        .then([this, run, server](rt::entity_reply& r) { settled(run, server, r.changed); },
              [this, run, server](caf::error&) { settled(run, server, false); });
  }
}
// An agent may have forgotten a server that its manager knows: it carried out a purge that a restored backup of the
// store has undone.
void host_state::look_after(const std::vector<server_id>& servers) {
  config::log_event(log_level::warn, "agent.told-again", {{"agent", id}, {"servers", servers.size()}});
  watch_servers all;
  for (const auto& s : servers)
    if (auto record = world->records.server(s)) all.servers.push_back(known(*record));
  send(std::move(all));
}

void host_state::settled(uint64_t run, const std::string& server, bool changed) {
  if (run != sync.runs || sync.open == 0) return;
  if (changed) sync.row.changed.push_back(server);
  // While the agent was away no event could be seen: the first sync of a session proves no missed events.
  if (changed && sync.reported && sync.settled.contains(server)) ++sync.diverged;
  if (--sync.open == 0) finish_sync();
}

void host_state::finish_sync() {
  if (!sync.failure) {
    sync.last = wall();
    sync.last_took = sync.took;
    sync.last_unclaimed = sync.row.unclaimed.size();
    sync.last_diverged = sync.diverged;
  }
  touch(session.silent(now()));
  // Earlier commands are sent again: the agent knows what it has done already.
  for (auto& server : sync.ready) caf::anon_send(to.registry, rt::entity_call{server, core::agent_ready{}, false});
  sync.ready.clear();
  for (const auto& s : world->records.services_of(id))
    if (s->op) forward(s->id, core::agent_ready{});
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
  rt::host_answer done;
  if (auto a = record()) sync.row.agent = a->name;
  sync.row.failure = sync.failure;
  done.sync = sync.row;
  for (auto& p : std::exchange(sync.waiting, {})) p.deliver(done);
  if (sync.gate.done()) {
    sync.waiting = std::exchange(sync.next, {});
    ask_for_inventory();
  }
}

}  // namespace zedops::manager
