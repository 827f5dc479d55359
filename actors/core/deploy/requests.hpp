// What the machines of projects and services share: an operation that ends where it begins, and a refusal.
#pragma once
#include "actors/core/server/server_machine.hpp"

namespace zedops::core::detail {

inline msg::operation operation_for(msg::op_kind kind, const std::string& id, std::string name, const request_info& who,
                                    msg::time_point now) {
  msg::operation op;
  op.id = who.op;
  op.kind = kind;
  op.target = {id};
  op.target_name = std::move(name);
  op.actor = who.actor;
  op.started_at = op.deadline = now;
  op.idempotency_key = who.idempotency_key;
  op.request_hash = who.request_hash;
  return op;
}

// Its audit record; what may succeed later, unchanged, does not use up its key.
template <class Decision>
Decision refused(msg::operation op, const request_info& who, msg::error why) {
  if (msg::info(why.code).retryable && !who.refusal.empty()) {
    op.id = who.refusal;
    op.idempotency_key.clear();
  }
  op.status = msg::op_status::failed;
  op.ended_at = op.started_at;
  op.failure = why;
  Decision d;
  d.why = {msg::cause_kind::request, op.id.value, op.actor};
  d.facts.emplace_back(msg::operation_refused{std::move(op)});
  d.refusal = std::move(why);
  return d;
}

// Done with the decision itself.
template <class Decision>
Decision at_once(msg::operation op, std::vector<msg::fact> what) {
  Decision d;
  d.why = {msg::cause_kind::request, op.id.value, op.actor};
  const auto id = op.id;
  const auto now = op.started_at;
  d.facts.emplace_back(msg::operation_accepted{std::move(op)});
  for (auto& f : what) d.facts.push_back(std::move(f));
  d.facts.emplace_back(msg::operation_ended{id, msg::op_status::succeeded, {}, {}, now, {}});
  return d;
}

}  // namespace zedops::core::detail
