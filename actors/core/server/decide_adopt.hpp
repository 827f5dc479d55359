// A container that zedops did not make becomes a server. Its record, name and ports exist from the beginning, like
// those of a create; its agent copies the data, makes a container of ours on the copy and proves it before the original
// is removed:
//
//   request -> [creating] -- adopt: pull, stop, copy, verify, make, prove, drop the original --> [running] or [stopped]
//                   | failure, cancel: everything is rolled back
//                   v
//               [purged]: nothing of it is on the host, name and ports are free again
//
// Private to the core.
#pragma once
#include "actors/core/server/server_machine.hpp"

namespace zedops::core::detail {

// An adoption that failed and left nothing: the server never was.
bool never_was(const msg::operation& op, const msg::command_result& r);
void forget_adoption(decision& d, const msg::operation& op, const msg::command_result& r, const context& cx);
// It failed and left something, or may have: a user looks first, nothing starts it before.
void leave_to_its_owner(decision& d, const msg::server& s);

}  // namespace zedops::core::detail
