// Moving a server's data to another data root of its host. Two commands, with a durable fact between them, so that at
// every instant one complete copy is where the record says:
//
//   request -> [move: stop, copy, verify, replace the container, prove] -> fact: data_path is the new one
//                    | failure, cancel                                       |
//                    v                                                       v
//              rolled back; the record was never changed        [drop_source: remove the old tree] -> ended
//
// Which of the two an open operation stands for follows from the record alone. Private to the core.
#pragma once
#include "actors/core/server/server_machine.hpp"

namespace zedops::core::detail {

// The record names the new root already: only the old tree is left to be removed.
inline bool switched(const msg::server& s, const msg::operation& op) {
  return op.kind == msg::op_kind::move && s.data_path == op.data_to;
}

// Why this server's data cannot be moved there, as far as that is known without looking.
std::optional<msg::error> check_move(const msg::server& s, const std::string& to);
// A path as it is kept: without doubled and trailing slashes.
std::string tidy_path(const std::string& path);

// The agent's report of the first command, successful: the new root counts from now on, the old tree may be removed.
void settle_switch(decision& d, const msg::server& s, const msg::operation& op, const msg::command_result& r,
                   const context& cx);
// How the second command ended: the move itself has succeeded whatever became of the old tree.
std::string leftover_note(const msg::server& s, const msg::operation& op, const msg::error& why);
// A move that was given up here, but had switched when its agent heard of it: the record follows the data.
void follow_late_switch(decision& d, const msg::server& s, const msg::command_result& r);
// What a move would do, for a dry run.
void describe_move(std::vector<std::string>& out, const msg::server& s, const msg::operation& op);
// While nothing is switched a move, like an adoption, can be cancelled: its agent rolls everything back. Until it has,
// this is the operation's step, whatever the agent is doing: an agent that comes back is sent the cancellation again.
inline constexpr std::string_view step_cancelling = "cancelling";
decision cancel_at_work(const msg::server& s, const msg::operation& op, const std::string& actor, const context& cx);

}  // namespace zedops::core::detail
