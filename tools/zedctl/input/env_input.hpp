// The variables of a server as a user gives them: on the command line, from files, from zedctl's own environment. The
// last two keep secrets out of argv, which everybody on the machine can read, and out of the shell's history.
#pragma once
#include <map>
#include <string>

#include "messages/base/error.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/world.hpp"

namespace zedops::ctl {

// --env K=V, --env K (its value in zedctl's environment) and --env-file FILE (as docker's: one K=V or K per line, # for
// comments). For the same key --env wins, then the later file. Errors: bad_request with file and line, or the variable
// that is not set.
msg::result<std::map<std::string, std::string>> environment_of(const world& w, const arguments& a);

}  // namespace zedops::ctl
