// From what was seen to what is true. Rules of the state machine that concern observations only.
#pragma once
#include "actors/core/server/server_machine.hpp"

namespace zedops::core {

// The status that an observation proves, given the status so far; the same when it proves nothing.
msg::server_status status_seen(const msg::server& s, const msg::observation& o);

inline constexpr size_t problem_bytes_max = 1'024;  // of why something could not be looked at; the rest is cut

// What the record says already.
msg::server_observed as_known(const msg::server& s);

// Facts that bring the record in line with what was seen (container, data, health, drift, status). Empty when the
// record says so already. Never for an open operation: the caller decides whether it may be applied.
std::vector<msg::fact> facts_of(const msg::server& s, const msg::observation& o, std::string_view reason);

}  // namespace zedops::core
