// Writes a store as if a manager had made N servers, all running: snapshots and history agree.
#pragma once
#include <filesystem>
#include <string>

#include "messages/error.hpp"

namespace zedops::load {

struct fill_options {
  std::filesystem::path data_dir;  // created when missing
  size_t servers = 1'000;
  size_t agents = 10;
  std::string name_prefix = "load-";  // of the agents; the servers' names follow
};

// Errors: wrong_state (the store has servers already), and those of the store.
msg::result<void> fill_store(const fill_options& options);

}  // namespace zedops::load
