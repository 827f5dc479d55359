// Writes a store as if a manager had created N servers, all running: snapshots and history agree.
#pragma once
#include <filesystem>
#include <string>

#include "messages/base/error.hpp"
#include "messages/base/time.hpp"
#include "persistence/store.hpp"

namespace zedops::load {

struct fill_options {
  std::filesystem::path data_dir;  // created when missing
  size_t servers = 1'000;
  size_t agents = 10;
  std::string name_prefix = "load-";  // of the agents; the servers' names follow
  bool deleted = false;               // not running: soft-deleted, their retention over, their agents lost
  msg::time_point at{};               // when all that happened; zero: now
};

// Errors: wrong_state (the store has servers already), and those of the store.
msg::result<void> fill_store(const fill_options& options);
// The same into a store that is open; `data_dir` is ignored.
msg::result<void> fill_store(store::store& into, const fill_options& options);

}  // namespace zedops::load
