#include "actors/manager/servers/server_shell.hpp"

#include <caf/all.hpp>
#include <list>

#include "actors/core/operation_facts.hpp"
#include "actors/core/overload.hpp"
#include "actors/core/plan/blueprint.hpp"
#include "actors/manager/doors/refusal_log.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "config/logging.hpp"

namespace zedops::manager {
namespace {

using namespace msg;
using rt::server_call;
using rt::server_reply;
using promise = caf::typed_response_promise<server_reply>;

struct server_shell {
  static inline constexpr const char* name = "server";
  struct queued {
    server_call call;
    promise answer;
  };
  struct in_flight_commit {
    core::decision made;
    promise answer;
  };

  rt::server_actor::stateful_pointer<server_shell> self = nullptr;
  shared* world = nullptr;
  rt::journal_actor journal;
  rt::hosts_actor hosts;
  server_id id;
  server_ptr record;  // null: blank
  // An idle server keeps no room for work: there may be a hundred thousand.
  refusal_log refusals;
  std::list<queued> queue;                    // calls that wait while one decision is being committed
  std::unique_ptr<in_flight_commit> pending;  // at most one decision at the journal
  promise in_hand;                            // of the call being worked on: an exception may not lose its caller

  // Every end of an actor (quit, exception, exit, kill) runs this: nobody waits for a timeout.
  ~server_shell() {
    server_reply gone;
    gone.failure = error{ec::internal, "the server's actor has ended", "repeat the request", {}};
    in_hand.deliver(gone);
    if (pending) pending->answer.deliver(gone);
    for (auto& q : queue) q.answer.deliver(gone);
  }

  const server& model() const {
    static const server blank;
    return record ? *record : blank;
  }

  void submit(server_call call, promise answer) {
    if (queue.size() >= calls_queued_max) {
      server_reply r;
      r.failure = error{ec::busy, "too many requests wait for this server", "repeat it in a moment", {}};
      answer.deliver(std::move(r));
      return;
    }
    queue.push_back({std::move(call), std::move(answer)});
    pump();
  }

  core::context context() const {
    const auto rules = world->rules();
    core::context cx;
    cx.now = world->clock.now();
    cx.term = world->term;
    cx.retention = rules.retention;
    cx.time_max = rules.time_max;
    cx.rules = world->find_template(model().template_name);
    if (cx.rules) core::allow_for_stop(cx.time_max, model(), *cx.rules);
    return cx;
  }

  void pump() {
    while (!pending && !queue.empty()) {
      auto next = std::move(queue.front());
      queue.pop_front();
      in_hand = std::move(next.answer);
      auto cx = context();
      const auto* made = std::get_if<core::created>(&next.call.what);
      const auto a = world->records.agent(made ? made->record.agent : model().agent);
      cx.agent_online = a && is_connected(a->status);
      cx.recovery_held = a && a->held_since != never;
      if (next.call.expires && self->clock().now() >= *next.call.expires) {
        in_hand.deliver(too_late());
        continue;
      }
      const auto begun = std::chrono::steady_clock::now();
      auto d = core::decide(model(), next.call.what, cx);
      measure(begun);
      if (!next.call.dry_run && d.refusal) drop_repeated(d, cx.now);
      if (next.call.dry_run) in_hand.deliver(preview(d));
      else if (d.facts.empty()) settle(std::move(d), nullptr);
      else start_commit(std::move(d), cx.now);
    }
    if (!pending && (!record || record->status == server_status::purged)) self->quit();
  }

  void measure(std::chrono::steady_clock::time_point begun) const {
    auto& load = world->load;
    const auto us = load_gauges::microseconds_since(begun);
    load.decisions.fetch_add(1);
    load.decision_us_total.fetch_add(us);
    load_gauges::raise(load.decision_us_max, us);
  }

  server_reply too_late() const {
    server_reply r;
    r.failure = error{ec::timeout,
                      "the time that was given for this request was over before it was begun",
                      "nothing was done; repeat it",
                      {}};
    r.record = record;
    return r;
  }

  void drop_repeated(core::decision& d, time_point now) {
    if (d.facts.size() != 1) return;
    auto* x = std::get_if<operation_refused>(&d.facts.front());
    if (!x) return;
    auto op = *x->op;
    if (!refusals.record(op, now)) return d.facts.clear();
    if (!op.note.empty()) x->op = std::move(op);
  }

  server_reply preview(const core::decision& d) const {
    server_reply r;
    r.failure = d.refusal;
    r.record = record;
    r.plan = core::plan_text(model(), d);
    r.fresh_start = d.fresh_start;
    return r;
  }

  // The facts go away with the request and come back with the answer: they are not copied on the way.
  void start_commit(core::decision d, time_point now) {
    rt::commit c{rt::entity_kind::server, id.value, model().log_head, core::number(model(), std::move(d.facts)),
                 std::move(d.why),        now};
    pending = std::make_unique<in_flight_commit>(in_flight_commit{std::move(d), std::exchange(in_hand, {})});
    // No timeout: CAF's cost two wake-ups of its clock thread for each request. The journal answers from its destructor
    // whatever ends it, and its end is the end of the process (see node.cpp).
    self->request(journal, caf::infinite, std::move(c))
        .then([this](rt::committed& done) { on_committed(done); },
              [this](caf::error& e) { self->quit(std::move(e)); });  // outcome unknown: begin again from the catalog
  }

  void on_committed(rt::committed& done) {
    auto was = std::move(*pending);
    pending.reset();
    in_hand = std::move(was.answer);
    if (done.failure) {
      server_reply r;
      r.failure = std::move(done.failure);
      if (auto now = world->records.server(id)) record = std::move(now);  // it may have been another actor's to decide
      r.record = record;
      in_hand.deliver(std::move(r));
      pump();
      return;
    }
    if (done.server) record = std::move(done.server);
    settle(std::move(was.made), done.entry.get());
    pump();
  }

  void settle(core::decision d, const log_entry* committed) {
    for (auto& e : d.effects) run(e);
    server_reply r;
    r.failure = std::move(d.refusal);
    r.record = record;
    r.operation = operation_of(committed);
    r.fresh_start = d.fresh_start;
    r.changed = committed != nullptr;
    in_hand.deliver(std::move(r));
  }

  std::optional<operation> operation_of(const log_entry* committed) const {
    std::optional<operation> op;
    if (record) op = record->op;
    if (!committed) return op;
    for (const auto& n : committed->facts) {
      if (const auto* a = std::get_if<operation_accepted>(&n.what)) op = *a->op;
      if (const auto* e = std::get_if<operation_ended>(&n.what); e && op && op->id == e->id) core::end(*op, *e);
    }
    return op;
  }

  void run(const core::effect& e) {
    std::visit(core::overload{
                   [&](const core::send_command& c) { send_command(c); },
                   [&](const core::withdraw_command& c) {
                     self->send(hosts, rt::to_host{model().agent, cancel_command{c.op}});
                   },
                   [&](const core::request_sync&) {
                     self->send(hosts, rt::sync_wanted{model().agent, id});
                   },
                   [&](const core::watch&) {
                     self->send(hosts, rt::to_host{model().agent, watch_servers{{known()}, {}}});
                   },
                   [&](const core::forget&) {
                     self->send(hosts, rt::to_host{model().agent, watch_servers{{}, {id}}});
                   },
               },
               e);
  }

  core::plan_context plan_context(const operation_id& op) const {
    auto a = world->records.agent(model().agent);
    return {world->manager_id, a ? a->name : std::string{}, op};
  }
  known_server known() const {
    return core::known_for(model(), world->find_template(model().template_name), plan_context({}));
  }

  // A move is planned for where it leads; the record follows when it has succeeded.
  result<server_plan> plan_of(const core::send_command& c, const server_template& t) const {
    if (c.data_to.empty()) return core::plan_for(model(), t, plan_context(c.op));
    auto moved = model();
    moved.data_path = c.data_to;
    return core::plan_for(moved, t, plan_context(c.op));
  }

  void send_command(const core::send_command& c) {
    run_command out;
    out.term = world->term;
    out.op = c.op;
    out.attempt = c.attempt;
    out.server = id;
    out.kind = c.kind;
    out.container_id = c.container_id;
    out.demand = c.demand;
    out.remove_data = c.remove_data;
    out.original = c.original;
    out.time_max = c.time_max;
    const auto* t = world->find_template(model().template_name);
    auto plan = t ? plan_of(c, *t)
                  : result<server_plan>(fail(ec::bad_request, "template " + model().template_name + " is not there",
                                             "put it back into the templates folder and restart the manager"));
    // One that was sent before may be done by now, and is not ended by what is missing here: its template may come
    // back with the manager's next start, and its deadline stands.
    if (!plan && c.again) {
      config::log_event(msg::log_level::warn, "command.no-plan",
                        {{"server", id}, {"op", c.op}, {"error", plan.error().message}, {"hint", plan.error().hint}});
      return;
    }
    if (!plan) {  // the operation fails as if the agent had said so
      command_result r;
      r.op = c.op;
      r.attempt = c.attempt;
      r.server = id;
      r.failure = plan.error();
      r.after.server = id;
      caf::anon_send(rt::server_actor(self), server_call{id, core::reported{std::move(r)}, false});
      return;
    }
    out.plan = std::move(*plan);
    if (c.pull) out.plan.pull = *c.pull;
    if (!c.data_from.empty()) out.source = core::layout_at(model(), *t, c.data_from);
    world->commands.fetch_add(1);
    self->send(hosts, rt::to_host{model().agent, std::move(out)});
  }
};

rt::server_actor::behavior_type server_fun(rt::server_actor::stateful_pointer<server_shell> self, shared* world,
                                           rt::journal_actor journal, rt::hosts_actor hosts, server_id id) {
  rt::install_defaults(self);
  auto& st = self->state;
  st.self = self;
  st.world = world;
  st.journal = std::move(journal);
  st.hosts = std::move(hosts);
  st.record = world->records.server(id);
  st.id = std::move(id);
  return {
      [self](server_call& call) -> caf::result<server_reply> {
        auto p = self->make_response_promise<server_reply>();
        self->state.submit(std::move(call), p);
        return p;
      },
  };
}

}  // namespace

rt::server_actor spawn_server(caf::actor_system& sys, shared& world, rt::journal_actor journal, rt::hosts_actor hosts,
                              const server_id& id) {
  return sys.spawn(server_fun, &world, std::move(journal), std::move(hosts), id);
}

}  // namespace zedops::manager
