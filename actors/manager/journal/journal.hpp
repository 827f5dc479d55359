// The one writer. Everything queued when it looks is put into one transaction: facts to the log, the folded record to
// its table, ended operations to theirs. After the commit the catalog changes, then the hub, then callers are notified.
#pragma once
#include "actors/manager/deps.hpp"
#include "actors/runtime/caf_setup.hpp"

namespace zedops::manager {

inline constexpr size_t commits_per_batch_max = 1'000;
inline constexpr uint32_t commit_failures_max = 8;  // transactions in a row that the disk refused, before giving up

rt::journal_actor spawn_journal(caf::actor_system& sys, shared& world, rt::hub_actor hub, rt::spawn_mode mode);

}  // namespace zedops::manager
