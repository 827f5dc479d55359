// Operations that are cancelled, and servers that are given up with their host.
#include "actors/core/server/decide_move.hpp"
#include "actors/core/server/decide_request.hpp"

namespace zedops::core::detail {

using namespace msg;

namespace {

decision refusal(decision d, ec code, std::string message, std::string hint, const operation_id& op) {
  d.refusal = error{code, std::move(message), std::move(hint), op.value};
  return d;
}

// Back to where it stood before: nothing, or nothing that counts, was done for it.
void take_back(decision& d, const server& s, const std::string& actor, const context& cx) {
  const auto& op = *s.op;
  if (op.kind == op_kind::remove) d.facts.emplace_back(server_restored{cx.now});
  // Its retention begins anew: a restore that was cancelled may not cost a server its time.
  if (op.kind == op_kind::restore) d.facts.emplace_back(server_deleted{cx.now, cx.now + cx.retention});
  if (op.prior_desired != s.desired) {
    d.facts.emplace_back(desired_changed{op.prior_desired});
    d.effects.emplace_back(watch{});  // its agent may have come back with the purge that is withdrawn
  }
  if (op.prior != s.status) d.facts.emplace_back(status_changed{s.status, op.prior, "cancelled by " + actor});
}

}  // namespace

decision decide_cancel(const server& s, const cancel_requested& in, const context& cx) {
  decision d;
  d.why = {cause_kind::request, in.op.value, in.actor};
  if (!s.op || s.op->id != in.op)
    return refusal(std::move(d), ec::wrong_state, "the operation has ended", "zedctl op get " + in.op.value, in.op);
  const auto& op = *s.op;
  const bool was_gone = op.prior == server_status::deleting || op.prior == server_status::deleted;
  const bool can_go_back = op.kind == op_kind::stop || op.kind == op_kind::restore ||
                           (op.kind == op_kind::remove && !was_gone) ||
                           (op.kind == op_kind::purge && op.prior != server_status::deleting);
  if (op.step == step_waiting && !cx.agent_online && !never_sent(op)) {
    // Its agent may have done it, a part of it, or nothing: what is seen on its return counts, and the command is
    // withdrawn then. No user has to wait for a host that may never come back.
    error why{ec::cancelled,
              "given up by " + in.actor + " while its agent was away: what the agent had done shows on its return",
              "zedctl server get " + s.name + ", once the agent is back", op.id.value};
    if (!can_go_back) return end_without_report(s, std::move(why), std::move(d), cx);
    take_back(d, s, in.actor, cx);
    d.facts.emplace_back(error_changed{why});
    d.facts.emplace_back(operation_ended{op.id, op_status::cancelled, std::nullopt, why.message, cx.now});
    return d;
  }
  if (op.kind == op_kind::move || op.kind == op_kind::adopt) return cancel_at_work(s, op, in.actor, cx);
  if (!never_sent(op) || !can_go_back)
    return refusal(std::move(d), ec::wrong_state, "the agent is already carrying it out",
                   "it ends by itself, at the latest at its deadline: zedctl op wait " + op.id.value, op.id);
  take_back(d, s, in.actor, cx);
  d.facts.emplace_back(operation_ended{op.id, op_status::cancelled, std::nullopt, "cancelled by " + in.actor, cx.now});
  return d;
}

decision decide_given_up(const server& s, const given_up& in, const context& cx) {
  decision d;
  d.why = {cause_kind::request, "agent.forget", in.actor};
  if (s.id.empty() || s.status == server_status::purged) return d;
  if (cx.agent_online)
    return refusal(std::move(d), ec::wrong_state, "agent " + in.agent + " is connected: its host is not lost",
                   "purge its servers one by one", {});
  if (s.op)
    d.facts.emplace_back(
        operation_ended{s.op->id,
                        op_status::failed,
                        error{ec::agent_unreachable, "the host of agent " + in.agent + " was given up by " + in.actor,
                              "create the server on another host", s.op->id.value},
                        {},
                        cx.now});
  if (s.desired != desired_state::purged) d.facts.emplace_back(desired_changed{desired_state::purged});
  d.facts.emplace_back(server_purged{false, {}, s.data_bytes});
  d.effects.emplace_back(forget{});
  return d;
}

}  // namespace zedops::core::detail
