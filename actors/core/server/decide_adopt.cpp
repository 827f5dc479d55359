#include "actors/core/server/decide_adopt.hpp"

namespace zedops::core::detail {

using namespace msg;

bool never_was(const operation& op, const command_result& r) {
  return op.kind == op_kind::adopt && r.failure && r.untouched && r.after.container != presence::present;
}

void forget_adoption(decision& d, const operation& op, const command_result& r, const context& cx) {
  auto why = r.failure.value_or(error{});
  why.operation = op.id.value;
  if (why.code == ec::cancelled)
    d.facts.emplace_back(
        operation_ended{op.id, op_status::cancelled, std::nullopt, std::move(why.message), cx.now, r.calls});
  else d.facts.emplace_back(operation_ended{op.id, op_status::failed, std::move(why), {}, cx.now, r.calls});
  d.facts.emplace_back(server_purged{});
  d.effects.emplace_back(forget{});
}

void leave_to_its_owner(decision& d, const server& s) {
  if (s.desired != desired_state::running) return;
  d.facts.emplace_back(desired_changed{desired_state::stopped});
  d.effects.emplace_back(watch{});
}

}  // namespace zedops::core::detail
