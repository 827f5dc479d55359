// From a request to an input of its entity's machine.
#include "actors/core/overload.hpp"
#include "actors/core/plan/adoption.hpp"
#include "actors/core/plan/blueprint.hpp"
#include "actors/manager/doors/admission.hpp"
#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/gateway_state.hpp"
#include "actors/manager/records/as_of.hpp"
#include "messages/base/names.hpp"

namespace zedops::manager {

using namespace msg;
using rt::client_call;
using rt::entity_call;
using rt::entity_reply;

namespace {
constexpr size_t container_name_max = 255;
}  // namespace

void gateway_state::operate(const verb_row& row, client_call& call) {
  auto r = std::make_shared<open_request>();
  auto options = options_of(call);
  if (!options) return answer_error(*world, call.who, options.error());
  if (is_of_servers(row.kind)) {
    auto what = request_of(row.kind, call);
    if (!what) return answer_error(*world, call.who, what.error());
    r->what = std::move(*what);
  }
  r->options = std::move(*options);
  r->kind = row.kind;
  r->who.actor = r->options.actor;
  r->who.idempotency_key = call.idempotency_key;
  r->who.request_hash = text_hash(call.verb + "\n" + encoding_free(call.body));
  r->who.refusal = new_operation();
  if (call.deadline) r->expires = self->clock().now() + *call.deadline;
  r->who.op = call.idempotency_key.empty() ? new_operation() : operation_id_from_key(call.by->id, call.idempotency_key);
  if (!call.idempotency_key.empty() && !r->options.dry_run && repeated(*r, call)) return;
  if (!r->options.dry_run) r->asked = audit.of(call, target_named(call));
  r->call = std::move(call);
  if (!is_of_servers(r->kind)) deploy(r);
  else if (auto* c = std::get_if<create_server>(&r->what)) create(r, *c);
  else if (auto* a = std::get_if<adopt_server>(&r->what)) adopt(r, *a);
  else target(r);
}

operation_id gateway_state::new_operation() {
  return {operation_ids.next(world->last_seq.load() + 1, [&] { return world->random.bits(); })};
}

// The same key again: the answer is the same operation.
bool gateway_state::repeated(const open_request& r, client_call& call) {
  if (auto i = by_operation.find(r.who.op.value); i != by_operation.end()) {
    auto& waiting = repeats[r.who.op.value];
    const error many{ec::rate_limited, "too many requests with this key are waiting", "repeat it in a moment", {}};
    if (waiting.size() >= repeats_max) answer_error(*world, call.who, many);
    else waiting.push_back(std::move(call));
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
    answer_error(*world, call.who,
                 {ec::bad_request, "this idempotency key was used for another request", "use a new key", op->id.value});
    return true;
  }
  if (ended(op->status) && op->failure && op->step.empty() && op->started_at == op->ended_at) {  // it was refused
    if (info(op->failure->code).retryable) return false;  // recorded by a version in which such ones used up their key
    answer_error(*world, call.who, *op->failure);
    return true;
  }
  entity_reply known;
  known.record = world->records.find(op->target.value);
  known.operation = op;
  accepted(call, r.options, known);
  return true;
}

// Refused before it reached any entity's actor: the audit record is written all the same.
void gateway_state::refuse(const open_request& r, const std::string& entity, std::string target_name, const error& e) {
  if (r.options.dry_run) return answer_error(*world, r.call.who, e);
  const auto now = world->clock.now();
  operation op;
  op.id = r.who.op;
  op.kind = r.kind;
  op.target.value = entity;
  op.target_name = std::move(target_name);
  op.actor = r.who.actor;
  op.status = op_status::failed;
  op.started_at = op.deadline = op.ended_at = now;
  op.failure = e;
  if (info(e.code).retryable) op.id = r.who.refusal;  // what may succeed later does not use up its key
  else op.idempotency_key = r.who.idempotency_key;
  op.request_hash = r.who.request_hash;
  if (!refusals.record(op, now)) {
    answer_error(*world, r.call.who, e);
    return handle_repeats(r.who.op.value);
  }
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

void gateway_state::target(const request_ptr& r) {
  const auto wanted = std::visit(
      core::overload{[](const create_server&) { return std::string{}; },
                     [](const adopt_server&) { return std::string{}; }, [](const auto& x) { return x.server; }},
      r->what);
  auto s = world->records.resolve(wanted);
  if (!s) return refuse(*r, {}, wanted.substr(0, 80), s.error());
  if (const auto* e = std::get_if<edit_server>(&r->what); e && e->spec && e->spec->ports)
    if (auto ok = ports_free(*world, **s, *e); !ok) return refuse(*r, (*s)->id.value, (*s)->name, ok.error());
  r->target = (*s)->id.value;
  submit(r, entity_call{(*s)->id, core::requested{std::move(r->what), r->who}});  // only a create may be sent again
}

// An adoption begins with a look at the container: it decides image, ports and variables of the record. While its
// agent looks, the same key again has to wait.
void gateway_state::adopt(const request_ptr& r, const adopt_server& a) {
  auto agent = agent_for(*world, a.agent);
  if (!agent) return refuse(*r, {}, a.name.substr(0, 80), agent.error());
  if (a.container.empty() || a.container.size() > container_name_max)
    return refuse(
        *r, {}, a.name.substr(0, 80),
        {ec::bad_request, "no container was given", "give --container NAME; docker ps -a on that host lists them", {}});
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
void gateway_state::adopt_seen(const request_ptr& r, rt::host_answer& got) {
  const auto& a = std::get<adopt_server>(r->what);
  const auto called = a.name.substr(0, 80);
  auto* seen = got.what ? std::get_if<container_answer>(&*got.what) : nullptr;
  if (got.failure) return refuse(*r, {}, called, *got.failure);
  if (!seen) return refuse(*r, {}, called, {ec::internal, "the agent's answer does not fit the question", "", {}});
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
  r->target = record->id.value;
  chosen.take(claim);
  r->reserved.push_back(claim);
  r->steps = std::move(as->steps);
  submit(r, entity_call{server_id{r->target}, core::created{std::move(*record), r->who, seen->view.id}});
}

void gateway_state::create(const request_ptr& r, const create_server& c) {
  auto record = record_of(*world, c, chosen, r->reserved);
  if (!record) return refuse(*r, {}, c.name.substr(0, 80), record.error());
  r->target = record->id.value;
  submit(r, entity_call{server_id{r->target}, core::created{std::move(*record), r->who}});
}

// Of a project or a service. What another entity has to do before is asked of it first; the same key again has to wait
// meanwhile.
void gateway_state::deploy(const request_ptr& r) {
  auto p = prepare(*world, r->kind, r->call, r->who, chosen, r->reserved);
  const auto refused = [this, r](const error& e) {
    chosen.release(r->reserved);
    r->reserved.clear();
    refuse(*r, {}, target_named(r->call).substr(0, 80), e);
  };
  if (!p) return refused(p.error());
  r->target = p->call.id;
  if (!p->first || r->options.dry_run) return submit(r, std::move(p->call));
  asking[r->call.who] = 1;
  by_operation[r->who.op.value] = 0;
  const auto done = [this, r, refused, call = p->call](const std::optional<error>& failure) {
    asking.erase(r->call.who);
    by_operation.erase(r->who.op.value);
    if (failure) refused(*failure);
    else submit(r, call);
  };
  self->request(to.registry, decision_time_max, std::move(*p->first))
      .then([done](entity_reply& reply) { done(reply.failure); },
            [done](caf::error&) {
              done(error{ec::internal, "the project's actor did not answer", "repeat it", {}});
            });
}

}  // namespace zedops::manager
