#include <fmt/format.h>

#include "tools/zedctl/cli.hpp"
#include "tools/zedctl/help.hpp"

namespace zedops::ctl {
namespace {

constexpr msg::duration version_max{1'000};

// Both ends; a manager that is not there is no error here.
int version(session& s) {
  s.print(fmt::format("zedctl {}\n", ZEDOPS_VERSION));
  auto status = s.ask<msg::manager_status>("status", msg::get_status{}, version_max);
  if (!status) {
    s.say("manager: " + status.error().message);
    return exit_ok;
  }
  s.print(fmt::format("manager {}\n", status->version));
  if (status->version != ZEDOPS_VERSION) s.tell("warning: the versions differ; install the same on both sides");
  return exit_ok;
}

}  // namespace

int run(world& w, const std::vector<std::string>& arguments) {
  auto call = parse(w, arguments);
  if (!call) {
    global_flags plain;
    plain.output = wanted_form(arguments);
    return session(w, plain).report(call.error());
  }
  session s(w, call->flags);
  switch (call->kind) {
    case invocation::what::verb: return call->verb->run(s, call->values);
    case invocation::what::version: return version(s);
    case invocation::what::help:
      s.print(call->verb            ? help_of_command(*call->verb)
              : call->topic.empty() ? help_of_tool()
                                    : help_of_noun(call->topic));
      return exit_ok;
    case invocation::what::nothing: break;
  }
  s.tell(help_of_tool());
  return exit_usage;
}

}  // namespace zedops::ctl
