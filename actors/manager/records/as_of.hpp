// An entity's past, read from its chain in the log: what explain shows, and its record as it was at some time.
#pragma once
#include <vector>

#include "actors/manager/deps.hpp"

namespace zedops::manager {

// An operation, open or ended; nothing: there is none. Errors of the store.
msg::result<std::optional<msg::operation>> operation_with(const shared& world, const msg::operation_id& id);

struct recent {
  std::vector<msg::log_entry> entries;  // oldest first
  uint64_t trimmed_before = 0;          // as of walk_back
};
// The newest entries of an entity's chain, at most `limit`.
msg::result<recent> recent_entries(const shared& world, const rt::any_record& now, size_t limit);

// An entity of any kind as it was at `at`; `name` is for people. An error, never a wrong state, when the history does
// not reach back that far.
msg::result<rt::any_record> record_at(const shared& world, const rt::any_record& now, const std::string& name,
                                      msg::time_point at);

msg::result<msg::explanation> explained(const shared& world, const rt::server_ptr& s);

// A server at `at`, as clients see it.
msg::result<msg::server_view> state_at(const shared& world, const rt::server_ptr& s, msg::time_point at);

}  // namespace zedops::manager
