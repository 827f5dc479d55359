// To an entity's actor, and back to the client.
#include "actors/manager/doors/admission.hpp"
#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/deploy_views.hpp"
#include "actors/manager/doors/gateway_state.hpp"
#include "actors/manager/records/as_of.hpp"
#include "actors/runtime/caf_setup.hpp"

namespace zedops::manager {

using namespace msg;
using rt::client_call;
using rt::entity_call;
using rt::entity_reply;

void gateway_state::submit(const request_ptr& r, entity_call call) {
  const auto n = ++last;
  r->deadline = self->clock().now() + decision_time_max;
  open.emplace_hint(open.end(), n, r);
  if (!r->options.dry_run) by_operation[r->who.op.value] = n;
  // No timeout of CAF's: it costs two wake-ups of the clock thread for each request. An entity's actor answers even
  // when it ends; should it hang, the next request finds this one overdue.
  call.dry_run = r->options.dry_run;
  call.expires = r->expires;
  call.asked = r->asked;
  // Past the registry when the actor exists, unless that would overtake an earlier request for the same entity.
  const auto actor = by_registry.contains(r->target) ? std::nullopt : world->actors.find(r->target);
  r->by_registry = !actor;
  if (actor) return ask(*actor, n, std::move(call));
  ++by_registry[r->target];
  ask(to.registry, n, std::move(call));
}
template <class Handle>
void gateway_state::ask(const Handle& whom, uint64_t n, entity_call call) {
  self->request(whom, caf::infinite, std::move(call))
      .then([this, n](entity_reply& reply) { decided(n, reply); },
            [this, n](caf::error& e) { unanswered(n, self->system().render(e)); });
}
void gateway_state::unanswered(uint64_t n, const std::string& why) {
  entity_reply lost;
  lost.failure =
      error{ec::internal, "its actor did not answer: " + why, "check its state, then repeat the request", {}};
  decided(n, lost);
}
void gateway_state::give_up_overdue() {
  while (!open.empty() && open.begin()->second->deadline <= self->clock().now())
    unanswered(open.begin()->first, "no decision within " + format_duration(decision_time_max));
}

void gateway_state::decided(uint64_t n, entity_reply& reply) {
  auto i = open.find(n);
  if (i == open.end()) return;
  auto r = i->second;
  open.erase(i);
  if (!r->options.dry_run) by_operation.erase(r->who.op.value);
  if (r->by_registry)
    if (auto b = by_registry.find(r->target); b != by_registry.end() && --b->second == 0) by_registry.erase(b);
  chosen.release(r->reserved);
  r->reserved.clear();
  const auto* c = r->kind == op_kind::create ? std::get_if<create_server>(&r->what) : nullptr;
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
void gateway_state::settled(const open_request& r, const entity_reply& reply) {
  accepted(r.call, r.options, reply);
  handle_repeats(r.who.op.value);
}
void gateway_state::handle_repeats(const std::string& op) {
  auto again = repeats.find(op);
  if (again == repeats.end()) return;
  auto calls = std::move(again->second);
  repeats.erase(again);
  for (auto& call : calls) handle(call);
}

operation_reply gateway_state::reply_of(const entity_reply& reply) const {
  operation_reply out;
  if (reply.operation) out.operation = view_of(*reply.operation);
  if (auto s = reply.record.as<server>()) out.server = view_in(*world, s);
  out.plan = reply.plan;
  out.fresh_start = reply.fresh_start;
  return out;
}
template <class F>
void gateway_state::with_reply(const client_call& call, const entity_reply& reply, F f) const {
  if (is_of_servers(verb_table[call.row].kind)) return f(reply_of(reply));
  auto out = deploy_reply_of(*world, reply.record, reply.operation);
  out.plan = reply.plan;
  f(out);
}
void gateway_state::answer_plan(const client_call& call, const entity_reply& reply) {
  if (reply.failure) return answer_error(*world, call.who, *reply.failure);
  with_reply(call, reply, [&](const auto& out) { answer_result(call.who, out); });
}
void gateway_state::accepted(const client_call& call, const request_options& options, const entity_reply& reply) {
  if (reply.failure) return answer_error(*world, call.who, *reply.failure);
  const bool over = !reply.operation || ended(reply.operation->status);
  const bool waits = options.wait && !over;
  with_reply(call, reply, [&](const auto& out) {
    call.who.via->reply(call.who, waits ? rt::answer::accepted : rt::answer::result, pack_map(out));
  });
  if (waits) self->send(to.hub, rt::watch_operation{reply.operation->id, call.who, false});
}

}  // namespace zedops::manager
