#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tools/zedctl/cli/cli.hpp"
#include "tools/zedctl/cli/help.hpp"

namespace zedops::ctl {
namespace {

constexpr msg::duration version_max{1'000};

// `without`: the verbs that change something and cannot plan it. A verb that only reads needs no plan.
bool has_dry_run(std::string_view path) {
  constexpr std::array without = {"op cancel",   "agent recover", "context add",
                                  "context use", "context rm",    "store backup"};
  return std::find(without.begin(), without.end(), path) == without.end();
}

// Of zedctl and of the manager; that no manager answers is no error here.
int version(session& s) {
  s.print(fmt::format("zedctl {}\n", ZEDOPS_VERSION));
  auto status = s.ask<msg::manager_status>("status", msg::get_status{}, version_max);
  if (!status) {
    s.say("manager: " + status.error().message);
    return exit_ok;
  }
  s.print(fmt::format("manager {}\n", status->version));
  if (status->version != ZEDOPS_VERSION) s.tell("warning: the versions differ; install the same version on both sides");
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
  if (call->kind == invocation::what::verb && call->flags.dry_run && !has_dry_run(call->verb->path))
    return s.report({msg::ec::bad_request,
                     "zedctl " + call->verb->path + " has no dry run: it cannot tell beforehand what it would do",
                     "run it without --dry-run",
                     {}});
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
