// What the facts of an operation do to its record, for everyone who keeps or shows one; and how facts get their
// numbers.
#pragma once
#include <string>
#include <vector>

#include "messages/records/facts.hpp"

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

// The one open operation of an entity, `slot`, after a fact. True: it has ended with this one, and is still in `slot`.
template <class Slot>
bool fold_operation(Slot& slot, const msg::fact& f) {
  if (const auto* x = std::get_if<msg::operation_accepted>(&f)) slot = *x->op;
  if (const auto* x = std::get_if<msg::operation_progressed>(&f); x && slot && slot->id == x->id) progress(*slot, *x);
  const auto* x = std::get_if<msg::operation_ended>(&f);
  if (!x || !slot || slot->id != x->id) return false;
  end(*slot, *x);
  return true;
}

// The operation that a fact is about; null: it is about something else.
const msg::operation_id* operation_of(const msg::fact& f);

// An entry that only records a request that was refused.
inline bool is_refusal(const msg::log_entry& e) {
  for (const auto& n : e.facts)
    if (!std::holds_alternative<msg::operation_refused>(n.what)) return false;
  return true;
}

// Gives each fact its subject and number. Those of operations are counted apart, beginning at 1; `seq` is the last
// number of the entity, `open` and `waiting` the operations that are so before them.
std::vector<msg::numbered_fact> number_facts(std::string_view kind, const std::string& id, uint64_t seq,
                                             const msg::operation* open, std::vector<msg::fact> facts,
                                             const msg::operation* waiting = nullptr);

}  // namespace zedops::core
