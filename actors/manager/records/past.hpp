// One server's past, read from its chain of the log: what explain tells, and its record as it was at some time.
#pragma once
#include <functional>
#include <vector>

#include "actors/manager/deps.hpp"

namespace zedops::manager {

inline constexpr size_t chain_entries_max = 1'000'000;  // of one server that are walked

// Visits the entries of a chain from `head` backwards until `visit` says no. The number of the entry that is no longer
// kept and ended the walk; zero: there was none.
msg::result<uint64_t> walk_back(const store::reader& r, uint64_t head,
                                const std::function<bool(msg::log_entry&&)>& visit);

msg::result<msg::explanation> explained(const shared& world, const rt::server_ptr& s);

// The server as it was at `at`. An error, never a wrong state, when the history does not reach back that far.
msg::result<msg::server_view> state_at(const shared& world, const rt::server_ptr& s, msg::time_point at);

}  // namespace zedops::manager
