#include "actors/manager/doors/admission.hpp"
#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/gateway_state.hpp"
#include "actors/manager/records/as_of.hpp"
#include "actors/runtime/caf_setup.hpp"

namespace zedops::manager {

using namespace msg;
using rt::client_call;
using rt::entity_call;
using rt::entity_reply;

gateway_state::~gateway_state() {
  const error gone{ec::internal, "the manager is stopping", "repeat the request", {}};
  audit.close();
  for (auto& [n, r] : open) answer_error(*world, r->call.who, gone);
  for (auto& [op, calls] : repeats)
    for (auto& call : calls) answer_error(*world, call.who, gone);
  for (auto& [who, n] : asking) answer_error(*world, who, gone);
}

namespace {
constexpr size_t piece_frame_max = 1'024;  // the rest of the request around the bytes of a piece
bool is_piece(const client_call& call) {
  return call.row != verb_not_found && verb_table[call.row].verb == "upload.chunk" &&
         call.body.size() <= upload_chunk_max + piece_frame_max;
}

// Of the changes that are no operations, one can tell beforehand what it would do. Any other would be carried out.
result<void> check_dry_run(const verb_row& row, const client_call& call) {
  const auto options = options_of(call);
  if (!options) return fail(options.error());
  if (!options->dry_run || !is_audited(row) || row.verb == "agent.forget") return {};
  return fail(ec::bad_request, std::string(row.verb) + " cannot tell beforehand what it would do", "leave out dry_run");
}
}  // namespace

// For requests that wait for a disk: another actor does the waiting.
template <class Actor>
void gateway_state::pass_on(const Actor& whom, client_call& call, std::function<void()> done) {
  asking[call.who] = 1;
  const auto who = call.who;
  self->request(whom, caf::infinite, std::move(call))
      .then(
          [this, who, done](rt::kept& k) {
            if (done) done();
            asking.erase(who);
            if (k.kind == rt::answer::error) world->refused.fetch_add(1);
            who.via->reply(who, k.kind, std::move(k.body));
          },
          [this, who, done](caf::error&) {
            if (done) done();
            asking.erase(who);
            answer_error(*world, who, {ec::internal, "the component that stores this did not answer", "repeat it", {}});
          });
}

// Pieces of uploads are many and large on purpose: bounded by their number, not by the pace of large requests.
void gateway_state::take_piece(client_call& call) {
  if (pieces >= pieces_open_max)
    return answer_error(*world, call.who,
                        {ec::rate_limited, "too many pieces of uploads are in progress", "repeat it in a moment", {}});
  ++pieces;
  pass_on(to.uploads, call, [this] { --pieces; });
}

// Each passes the gate once; large ones wait their turn.
void gateway_state::take(client_call& call) {
  if (call.paced) asking.erase(call.who);
  else if (auto ok = admit(*world, call); !ok) return turn_away(call, ok.error());
  if (!call.paced && is_piece(call)) return take_piece(call);
  const auto wait = call.paced ? std::chrono::milliseconds{0} : large.admit(call.body.size(), self->clock().now());
  if (!wait) return answer_error(*world, call.who, wait.error());
  if (*wait == std::chrono::milliseconds{0}) return handle(call);
  call.paced = true;
  asking[call.who] = 1;
  if (call.deadline) *call.deadline = std::max(*call.deadline - *wait, duration{1});
  self->delayed_send(self, *wait, std::move(call));
}

// The caller has no right to this.
void gateway_state::turn_away(const client_call& call, const error& e) {
  if (!auditor::wants(call)) return answer_error(*world, call.who, e);
  asking[call.who] = 1;
  audit.keep(audit.of(call, target_named(call)), e, [this, who = call.who, e, credit = call.credit] {
    asking.erase(who);
    answer_error(*world, who, e);
  });
}

void gateway_state::handle(client_call& call) {
  give_up_overdue();
  if (open.size() >= requests_open_max)
    return answer_error(*world, call.who,
                        {ec::rate_limited, "too many requests are open", "repeat it in a moment", {}});
  const auto& row = verb_table[call.row];
  if (is_operation(row)) return operate(row, call);
  if (auto ok = check_dry_run(row, call); !ok) return answer_error(*world, call.who, ok.error());
  if (auditor::wants(call)) audit.watch(call, target_named(call));
  if (row.served == served_by::keys) return pass_on(to.keeper, call);
  if (row.served == served_by::uploads) return pass_on(to.uploads, call);
  if (row.served == served_by::agent) return ask_agents(self, *world, to.hosts, to.registry, asking, call);
  cancel(call);
}

void gateway_state::cancel(const client_call& call) {
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
            // One that its agent is still rolling back stays open.
            auto op = operation_with(*world, id);
            if (op && *op) answer_result(who, view_of(**op));
            else answer_error(*world, who, {ec::internal, "the operation's record is missing", "", id.value});
          },
          [this, key, who = call.who](caf::error&) {
            asking.erase(key);
            answer_error(*world, who, {ec::internal, "the server's actor did not answer", "repeat it", {}});
          });
}

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
