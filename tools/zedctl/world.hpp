// What the tool touches outside itself: streams, environment, clock, the manager. main() passes the real ones, tests
// pass scripted ones.
#pragma once
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <string>

#include "messages/base/time.hpp"
#include "tools/zedctl/transport.hpp"

namespace zedops::ctl {

struct world {
  std::ostream& out;  // data only
  std::ostream& err;  // messages: progress, questions, errors
  std::istream& in;
  bool in_tty = false;
  bool out_tty = false;
  bool err_tty = false;
  // Columns of the terminal as it is now; asked only when the stream is one.
  std::function<unsigned()> width = [] { return 80u; };
  bool root = false;
  std::map<std::string, std::string> env{};
  std::function<msg::time_point()> now{};              // wall clock
  std::function<std::chrono::milliseconds()> ticks{};  // from any origin; never goes back
  std::function<void(std::chrono::milliseconds)> pause{};
  std::function<bool()> interrupted{};  // Ctrl-C was pressed
  std::function<std::string()> random_key{};
  std::function<msg::result<std::unique_ptr<transport>>(const endpoints&)> connect{};

  bool has_variable(const std::string& name) const { return env.contains(name); }
  // An unset and an empty variable are the same.
  std::string variable(const std::string& name) const {
    auto found = env.find(name);
    return found == env.end() ? std::string{} : found->second;
  }
};

// The whole program: parses `arguments` (without the program's name), talks to the manager, returns the exit status.
int run(world& w, const std::vector<std::string>& arguments);

}  // namespace zedops::ctl
