// The parts of the server machine that answer requests, one overload per operation, and that take in what an agent did
// by itself. Private to the core.
#pragma once
#include "actors/core/server/server_machine.hpp"

namespace zedops::core::detail {

decision decide_created(const msg::server& s, const created& in, const context& cx);
decision decide_request(const msg::server& s, const requested& in, const context& cx);
decision decide_seen(const msg::server& s, const seen& in, const context& cx);
decision decide_reported(const msg::server& s, const reported& in, const context& cx);
decision decide_acted(const msg::server& s, const acted& in, const context& cx);
decision decide_cancel(const msg::server& s, const cancel_requested& in, const context& cx);
decision decide_given_up(const msg::server& s, const given_up& in, const context& cx);

// The open operation is over, and its agent has not reported how it went.
decision end_without_report(const msg::server& s, msg::error why, decision d, const context& cx);

// Opens an operation and, when the agent is there, sends its command; else the operation waits for it.
void open(decision& d, const msg::server& s, msg::operation op, const context& cx);
// The edit that changes nothing, for those that change a part.
inline msg::server_edited edited_as_is(const msg::server& s) {
  return {s.image, s.image_tag, s.env, s.data_path, s.recovery, s.pending_rebuild, s.crash, s.priority, s.spec};
}

msg::operation new_operation(const msg::server& s, msg::op_kind kind, const request_info& who, const context& cx);
// An operation of the manager's own: "system:recovery", "system:retention", "system:reconcile".
msg::operation system_operation(const msg::server& s, msg::op_kind kind, std::string actor, const context& cx);

}  // namespace zedops::core::detail
