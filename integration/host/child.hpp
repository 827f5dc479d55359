// A program of this host as a child: no shell, a clean environment, a process group of its own that ends with it.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/error.hpp"

namespace zedops::host {

struct child_request {
  std::vector<std::string> argv;         // the first is looked up in the path
  std::vector<std::string> environment;  // "NAME=value"; it has no others
  std::string folder;                    // where it runs
  std::string output;  // file for what it writes to standard output, made or emptied; empty: /dev/null
  std::function<void(std::string_view line)> said;  // each line of its standard error; a carriage return ends one, too
  std::function<bool()> cancelled;                  // looked at ten times a second; may be empty
};

// Its exit status. What it leaves running in its group is killed. Errors: not_found (no such program), cancelled,
// internal.
msg::result<int> run_child(const child_request& r);

}  // namespace zedops::host
