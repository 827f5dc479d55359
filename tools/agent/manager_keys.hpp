// The keys that the manager may answer with: the one in the settings, or what it has told since over a connection that
// it had answered with a key that counts.
#pragma once
#include <filesystem>
#include <string>

#include "messages/base/error.hpp"

namespace zedops::agent {

class manager_keys {
 public:
  // What is remembered counts as long as the settings name the same key as then. Errors: those of reading the file.
  static msg::result<manager_keys> open(const std::filesystem::path& state_dir, std::string configured);

  const std::string& current() const { return current_; }
  const std::string& next() const { return next_; }  // empty: none
  // The manager says `next` (empty: none) and has answered with `answered`. Durable when it returns; false: the disk
  // did not keep it, and all is as before.
  bool learn(const std::string& next, const std::string& answered);

 private:
  manager_keys(std::filesystem::path file, std::string configured)
      : file_(std::move(file)), configured_(std::move(configured)), current_(configured_) {}

  std::filesystem::path file_;
  std::string configured_, current_, next_;
};

}  // namespace zedops::agent
