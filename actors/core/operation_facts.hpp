// What the facts of an operation do to its record, for everyone who keeps or shows one.
#pragma once
#include "messages/facts.hpp"

namespace zedops::core {

inline void progress(msg::operation& op, const msg::operation_progressed& x) {
  op.status = x.status;
  op.step = x.step;
  op.progress = x.progress;
  op.note = x.note;
  op.attempt = x.attempt;
  op.deadline = x.deadline;
}

inline void end(msg::operation& op, const msg::operation_ended& x) {
  op.status = x.status;
  op.failure = x.failure;
  op.ended_at = x.ended_at;
  op.calls = x.calls;
  if (!x.note.empty()) op.note = x.note;
  if (x.status == msg::op_status::succeeded) op.progress = 100;
}

}  // namespace zedops::core
