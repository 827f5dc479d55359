#include "actors/manager/doors/gateway.hpp"

#include <caf/all.hpp>
#include <map>
#include <unordered_map>

#include "actors/core/overload.hpp"
#include "actors/core/plan/adoption.hpp"
#include "actors/core/plan/blueprint.hpp"
#include "actors/manager/audit/auditor.hpp"
#include "actors/manager/doors/admission.hpp"
#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/large_requests.hpp"
#include "actors/manager/doors/new_server.hpp"
#include "actors/manager/doors/questions.hpp"
#include "actors/manager/doors/refusal_log.hpp"
#include "actors/manager/records/as_of.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "messages/base/names.hpp"

namespace zedops::manager {
namespace {

using namespace msg;
using rt::client_call;
using rt::entity_call;
using rt::entity_reply;

constexpr size_t container_name_max = 255;

// One operation on its way to its server's actor.
struct open_request {
  client_call call;
  request_options options;
  core::request_info who;
  server_request what;
  auditor::record asked;  // null: a dry run
  server_id target;
  std::vector<std::string> reserved;  // claims chosen for a create that is not durable yet
  int port_choices = 0;
  std::vector<std::string> steps;  // of an adoption: what will be done
  bool by_registry = false;
  caf::actor_clock::time_point deadline{};
  std::optional<caf::actor_clock::time_point> expires;  // its client waits no longer
};

struct gateway_state {
  static inline constexpr const char* name = "gateway";

  rt::gateway_actor::stateful_pointer<gateway_state> self = nullptr;
  shared* world = nullptr;
  gateway_handles to;
  std::map<uint64_t, std::shared_ptr<open_request>>
      open;  // what is in flight lives here, not in closures; oldest first
  std::unordered_map<std::string, uint64_t> by_operation;
  std::unordered_map<std::string, std::vector<client_call>> repeats;  // the same key again, while the first is open
  choices chosen;
  std::unordered_map<std::string, int> by_registry;  // requests on their way through it, by server
  asking_clients asking;                             // questions to agents, cancellations, large ones that wait
  refusal_log refusals;
  auditor audit;
  large_requests large;
  ordered_ids operation_ids{'o'};
  uint64_t last = 0;

  ~gateway_state() {
    const error gone{ec::internal, "the manager is stopping", "repeat the request", {}};
    audit.close();
    for (auto& [n, r] : open) answer_error(*world, r->call.who, gone);
    for (auto& [op, calls] : repeats)
      for (auto& call : calls) answer_error(*world, call.who, gone);
    for (auto& [who, n] : asking) answer_error(*world, who, gone);
  }

  // Each passes the gate once; large ones wait their turn.
  void take(client_call& call) {
    if (call.paced) asking.erase(call.who);
    else if (auto ok = admit(*world, call); !ok) return turn_away(call, ok.error());
    const auto wait = call.paced ? std::chrono::milliseconds{0} : large.admit(call.body.size(), self->clock().now());
    if (!wait) return answer_error(*world, call.who, wait.error());
    if (*wait == std::chrono::milliseconds{0}) return handle(call);
    call.paced = true;
    asking[call.who] = 1;
    if (call.deadline) *call.deadline = std::max(*call.deadline - *wait, duration{1});
    self->delayed_send(self, *wait, std::move(call));
  }

  // Not the right of whoever asks.
  void turn_away(const client_call& call, const error& e) {
    if (!auditor::wants(call)) return answer_error(*world, call.who, e);
    asking[call.who] = 1;
    audit.keep(audit.of(call, target_named(call)), e, [this, who = call.who, e, credit = call.credit] {
      asking.erase(who);
      answer_error(*world, who, e);
    });
  }

  void handle(client_call& call) {
    give_up_overdue();
    if (open.size() >= requests_open_max)
      return answer_error(*world, call.who,
                          {ec::rate_limited, "too many requests are open", "repeat it in a moment", {}});
    const auto& row = verb_table[call.row];
    if (is_operation(row)) return operate(row, call);
    if (auditor::wants(call)) audit.watch(call, target_named(call));
    if (row.served == served_by::keys) return keep(call);
    if (row.served == served_by::agent) return ask_agents(self, *world, to.hosts, to.registry, asking, call);
    cancel(call);
  }

  // What is kept in files: somebody else waits for the disk.
  void keep(client_call& call) {
    asking[call.who] = 1;
    const auto who = call.who;
    self->request(to.keeper, caf::infinite, std::move(call))
        .then(
            [this, who](rt::kept& k) {
              asking.erase(who);
              if (k.kind == rt::answer::error) world->refused.fetch_add(1);
              who.via->reply(who, k.kind, std::move(k.body));
            },
            [this, who](caf::error&) {
              asking.erase(who);
              answer_error(*world, who,
                           {ec::internal, "the manager's keys and users cannot be reached", "repeat it", {}});
            });
  }

  // ---- operations ----
  void operate(const verb_row& row, client_call& call) {
    auto r = std::make_shared<open_request>();
    auto options = options_of(call);
    if (!options) return answer_error(*world, call.who, options.error());
    auto what = request_of(row.kind, call);
    if (!what) return answer_error(*world, call.who, what.error());
    r->options = std::move(*options);
    r->what = std::move(*what);
    r->who.actor = r->options.actor;
    r->who.idempotency_key = call.idempotency_key;
    r->who.request_hash = text_hash(call.verb + "\n" + encoding_free(call.body));
    r->who.refusal = new_operation();
    if (call.deadline) r->expires = self->clock().now() + *call.deadline;
    r->who.op =
        call.idempotency_key.empty() ? new_operation() : operation_id_from_key(call.by->id, call.idempotency_key);
    if (!call.idempotency_key.empty() && !r->options.dry_run && repeated(*r, call)) return;
    if (!r->options.dry_run) r->asked = audit.of(call, target_named(call));
    r->call = std::move(call);
    if (auto* c = std::get_if<create_server>(&r->what)) create(r, *c);
    else if (auto* a = std::get_if<adopt_server>(&r->what)) adopt(r, *a);
    else target(r);
  }

  operation_id new_operation() {
    return {operation_ids.next(world->last_seq.load() + 1, [&] { return world->random.bits(); })};
  }

  // The same key again: the answer is the same operation.
  bool repeated(const open_request& r, client_call& call) {
    if (auto i = by_operation.find(r.who.op.value); i != by_operation.end()) {
      repeats[r.who.op.value].push_back(std::move(call));
      return true;
    }
    auto found = operation_with(*world, r.who.op);
    if (!found) {
      answer_error(*world, call.who, found.error());
      return true;
    }
    const auto& op = *found;
    if (!op) return false;
    if (op->request_hash != r.who.request_hash && op->request_hash != text_hash(call.verb + "\n" + call.body)) {
      answer_error(
          *world, call.who,
          {ec::bad_request, "this idempotency key was used for another request", "use a new key", op->id.value});
      return true;
    }
    if (ended(op->status) && op->failure && op->step.empty() && op->started_at == op->ended_at) {  // it was refused
      if (info(op->failure->code).retryable) return false;  // recorded before such ones left their key free
      answer_error(*world, call.who, *op->failure);
      return true;
    }
    entity_reply known;
    known.record = world->records.find(op->target.value);
    known.operation = op;
    accepted(call, r.options, known);
    return true;
  }

  // Refused before any server's actor heard of it: the audit record is written all the same.
  void refuse(const open_request& r, const std::string& entity, std::string target_name, const error& e) {
    if (r.options.dry_run) return answer_error(*world, r.call.who, e);
    const auto now = world->clock.now();
    operation op;
    op.id = r.who.op;
    op.kind = static_cast<op_kind>(r.what.index());
    op.target.value = entity;
    op.target_name = std::move(target_name);
    op.actor = r.who.actor;
    op.status = op_status::failed;
    op.started_at = op.deadline = op.ended_at = now;
    op.failure = e;
    if (info(e.code).retryable) op.id = r.who.refusal;  // what may succeed later does not use up its key
    else op.idempotency_key = r.who.idempotency_key;
    op.request_hash = r.who.request_hash;
    if (!refusals.record(op, now)) return answer_error(*world, r.call.who, e);
    rt::commit c;
    c.id = entity;
    c.why = {cause_kind::request, op.id.value, op.actor};
    c.at = now;
    c.asked = r.asked;
    c.facts.push_back({"operation." + op.id.value, 1, operation_refused{std::move(op)}});
    const auto key = r.call.who;
    asking[key] = 1;
    by_operation[r.who.op.value] = 0;  // until it is durable, the same key again has to wait
    auto answer = [this, op = r.who.op.value, key, who = r.call.who, e] {
      asking.erase(key);
      by_operation.erase(op);
      answer_error(*world, who, e);
      handle_repeats(op);
    };
    self->request(to.journal, decision_time_max, std::move(c))
        .then([answer](rt::committed&) { answer(); }, [answer](caf::error&) { answer(); });
  }

  void target(const std::shared_ptr<open_request>& r) {
    const auto wanted = std::visit(
        core::overload{[](const create_server&) { return std::string{}; },
                       [](const adopt_server&) { return std::string{}; }, [](const auto& x) { return x.server; }},
        r->what);
    auto s = world->records.resolve(wanted);
    if (!s) return refuse(*r, {}, wanted.substr(0, 80), s.error());
    if (const auto* e = std::get_if<edit_server>(&r->what); e && e->spec && e->spec->ports)
      if (auto ok = ports_free(*world, **s, *e); !ok) return refuse(*r, (*s)->id.value, (*s)->name, ok.error());
    r->target = (*s)->id;
    submit(r, core::requested{std::move(r->what), r->who});  // only a create may have to be sent again
  }

  // An adoption begins with a look at the container: it decides image, ports and variables of the record. While its
  // agent looks, the same key again has to wait.
  void adopt(const std::shared_ptr<open_request>& r, const adopt_server& a) {
    auto agent = agent_for(*world, a.agent);
    if (!agent) return refuse(*r, {}, a.name.substr(0, 80), agent.error());
    if (a.container.empty() || a.container.size() > container_name_max)
      return refuse(*r, {}, a.name.substr(0, 80),
                    {ec::bad_request, "no container was named", "--container NAME; docker ps -a on that host", {}});
    const auto key = r->call.who;
    asking[key] = 1;
    if (!r->options.dry_run) by_operation[r->who.op.value] = 0;
    auto looked = [this, r, key](rt::host_answer& got) {
      asking.erase(key);
      if (!r->options.dry_run) by_operation.erase(r->who.op.value);
      adopt_seen(r, got);
      handle_repeats(r->who.op.value);
    };
    self->request(to.hosts, agent_time_max, rt::host_query{(*agent)->id, container_query{0, a.container}})
        .then(looked, [looked](caf::error&) {
          rt::host_answer late;
          late.failure = error{ec::timeout, "the agent did not answer in time", "repeat the request", {}};
          looked(late);
        });
  }
  void adopt_seen(const std::shared_ptr<open_request>& r, rt::host_answer& got) {
    const auto& a = std::get<adopt_server>(r->what);
    const auto called = a.name.substr(0, 80);
    auto* seen = got.what ? std::get_if<container_answer>(&*got.what) : nullptr;
    if (got.failure) return refuse(*r, {}, called, *got.failure);
    if (!seen) return refuse(*r, {}, called, {ec::internal, "the agent gave another answer", "", {}});
    if (seen->failure) return refuse(*r, {}, called, *seen->failure);
    const auto* t = world->find_template(a.template_name);
    if (!t) return refuse(*r, {}, called, no_template(*world, a.template_name));
    const auto claim = "container/" + seen->view.id;
    if (chosen.contains(claim) || world->records.adopter_of(seen->view.id))
      return refuse(*r, {}, called,
                    {ec::busy, "container " + seen->view.name + " is being adopted already", "zedctl op ls", {}});
    auto as = core::adoption_of(a, *seen, *t, world->manager_id);
    if (!as) return refuse(*r, {}, called, as.error());
    auto record = record_of(*world, as->as, chosen, r->reserved);
    if (!record) return refuse(*r, {}, called, record.error());
    record->desired = as->runs ? desired_state::running : desired_state::stopped;
    r->target = record->id;
    chosen.take(claim);
    r->reserved.push_back(claim);
    r->steps = std::move(as->steps);
    submit(r, core::created{std::move(*record), r->who, seen->view.id});
  }

  void create(const std::shared_ptr<open_request>& r, const create_server& c) {
    auto record = record_of(*world, c, chosen, r->reserved);
    if (!record) return refuse(*r, {}, c.name.substr(0, 80), record.error());
    r->target = record->id;
    submit(r, core::created{std::move(*record), r->who});
  }

  void submit(const std::shared_ptr<open_request>& r, core::input what) {
    const auto n = ++last;
    r->deadline = self->clock().now() + decision_time_max;
    open.emplace_hint(open.end(), n, r);
    if (!r->options.dry_run) by_operation[r->who.op.value] = n;
    // No timeout of CAF's: it costs two wake-ups of the clock thread for each request. A server's actor answers
    // whatever ends it; should it hang, the next request finds this one overdue.
    entity_call call{r->target, std::move(what), r->options.dry_run};
    call.expires = r->expires;
    call.asked = r->asked;
    // Past the registry when the actor is there, unless that would overtake an earlier request for the same server.
    const auto actor = by_registry.contains(r->target.value) ? std::nullopt : world->actors.find(r->target.value);
    r->by_registry = !actor;
    if (actor) return ask(*actor, n, std::move(call));
    ++by_registry[r->target.value];
    ask(to.registry, n, std::move(call));
  }
  template <class Handle>
  void ask(const Handle& whom, uint64_t n, entity_call call) {
    self->request(whom, caf::infinite, std::move(call))
        .then([this, n](entity_reply& reply) { decided(n, reply); },
              [this, n](caf::error& e) { unanswered(n, self->system().render(e)); });
  }
  void unanswered(uint64_t n, const std::string& why) {
    entity_reply lost;
    lost.failure = error{
        ec::internal, "the server's actor did not answer: " + why, "look first, then repeat: zedctl server get", {}};
    decided(n, lost);
  }
  void give_up_overdue() {
    while (!open.empty() && open.begin()->second->deadline <= self->clock().now())
      unanswered(open.begin()->first, "no decision within " + format_duration(decision_time_max));
  }

  void decided(uint64_t n, entity_reply& reply) {
    auto i = open.find(n);
    if (i == open.end()) return;
    auto r = i->second;
    open.erase(i);
    if (!r->options.dry_run) by_operation.erase(r->who.op.value);
    if (r->by_registry)
      if (auto b = by_registry.find(r->target.value); b != by_registry.end() && --b->second == 0) by_registry.erase(b);
    chosen.release(r->reserved);
    r->reserved.clear();
    const auto* c = std::get_if<create_server>(&r->what);
    const bool any_ports = c && c->game_port == 0 && c->udp_port == 0 && c->rcon_port == 0;
    if (reply.failure && reply.failure->code == ec::port_conflict && any_ports && ++r->port_choices < port_choices_max)
      return create(r, *c);
    if (r->options.dry_run) {
      reply.plan.insert(reply.plan.end(), r->steps.begin(), r->steps.end());
      answer_plan(r->call, reply);
      return;
    }
    if (reply.audited) return settled(*r, reply);
    asking[r->call.who] = 1;
    audit.keep(r->asked, reply.failure, [this, r, reply] {
      asking.erase(r->call.who);
      settled(*r, reply);
    });
  }
  void settled(const open_request& r, const entity_reply& reply) {
    accepted(r.call, r.options, reply);
    handle_repeats(r.who.op.value);
  }
  void handle_repeats(const std::string& op) {
    auto again = repeats.find(op);
    if (again == repeats.end()) return;
    auto calls = std::move(again->second);
    repeats.erase(again);
    for (auto& call : calls) handle(call);
  }

  operation_reply reply_of(const entity_reply& reply) const {
    operation_reply out;
    if (reply.operation) out.operation = view_of(*reply.operation);
    if (auto s = reply.record.as<server>()) out.server = view_in(*world, s);
    out.plan = reply.plan;
    out.fresh_start = reply.fresh_start;
    return out;
  }
  void answer_plan(const client_call& call, const entity_reply& reply) {
    if (reply.failure) answer_error(*world, call.who, *reply.failure);
    else answer_result(call.who, reply_of(reply));
  }
  void accepted(const client_call& call, const request_options& options, const entity_reply& reply) {
    if (reply.failure) return answer_error(*world, call.who, *reply.failure);
    const auto out = reply_of(reply);
    const bool over = !reply.operation || ended(reply.operation->status);
    if (!options.wait || over) return answer_result(call.who, out);
    call.who.via->reply(call.who, rt::answer::accepted, pack_map(out));
    self->send(to.hub, rt::watch_operation{reply.operation->id, call.who, false});
  }

  void cancel(const client_call& call) {
    auto q = body_of<cancel_operation>(call);
    if (!q) return answer_error(*world, call.who, q.error());
    const operation_id id{q->id};
    const auto owner = world->records.operation_owner(id);
    if (!owner) {
      auto op = world->history.operation(id);
      const bool known = op && *op;
      return answer_error(
          *world, call.who,
          known ? error{ec::wrong_state, "the operation has ended", "zedctl op get " + q->id, q->id}
                : error{ec::not_found, "there is no operation '" + q->id.substr(0, 40) + "'", "zedctl op ls", {}});
    }
    auto options = options_of(call);
    if (!options) return answer_error(*world, call.who, options.error());
    const auto key = call.who;
    asking[key] = 1;
    self->request(to.registry, decision_time_max, entity_call{owner.id(), owner.of().cancel(id, options->actor)})
        .then(
            [this, id, key, who = call.who](entity_reply& r) {
              asking.erase(key);
              if (r.failure) return answer_error(*world, who, *r.failure);
              // One that its agent is putting back is still open.
              auto op = operation_with(*world, id);
              if (op && *op) answer_result(who, view_of(**op));
              else answer_error(*world, who, {ec::internal, "the operation's record is not there", "", id.value});
            },
            [this, key, who = call.who](caf::error&) {
              asking.erase(key);
              answer_error(*world, who, {ec::internal, "the server's actor did not answer", "repeat it", {}});
            });
  }
};

}  // namespace

rt::gateway_actor spawn_gateway(caf::actor_system& sys, shared& world, gateway_handles to) {
  return sys.spawn([w = &world, to = std::move(to)](rt::gateway_actor::stateful_pointer<gateway_state> self) mutable
                   -> rt::gateway_actor::behavior_type {
    rt::install_defaults(self);
    self->state.self = self;
    self->state.world = w;
    self->state.to = std::move(to);
    self->state.audit.begin(self, *w, self->state.to.journal);
    return {[self](rt::client_call& call) {
      if (!call.paced) load_gauges::out(self->state.world->load.gateway);
      self->state.take(call);
    }};
  });
}

}  // namespace zedops::manager
