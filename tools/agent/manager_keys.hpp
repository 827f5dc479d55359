// The keys that the manager may answer with: the one in the settings, or one that it has announced since over a
// connection that it had answered with an accepted key.
#pragma once
#include <filesystem>
#include <string>

#include "messages/base/error.hpp"

namespace zedops::agent {

class manager_keys {
 public:
  // Remembered keys count as long as the settings name the same key as then. Errors: those of reading the file.
  static msg::result<manager_keys> open(const std::filesystem::path& state_dir, std::string configured);

  const std::string& current() const { return current_; }
  const std::string& next() const { return next_; }  // empty: none
  // The manager announces `next` (empty: none) and has answered with `answered`. Durable when it returns; false: it
  // could not be written, and all is as before.
  bool learn(const std::string& next, const std::string& answered);

 private:
  manager_keys(std::filesystem::path file, std::string configured)
      : file_(std::move(file)), configured_(std::move(configured)), current_(configured_) {}

  std::filesystem::path file_;
  std::string configured_, current_, next_;
};

}  // namespace zedops::agent
