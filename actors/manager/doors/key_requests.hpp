// Requests about the manager itself: keys, users, tokens, its log level.
#pragma once
#include "actors/manager/deps.hpp"

namespace zedops::manager {

// Answers the call. Keys change seldom and by hand: the caller waits for the disk.
void serve_keys(shared& world, const rt::client_call& call);

}  // namespace zedops::manager
