// A server's own spec as flags, named as docker run names them where the meaning is the same.
#pragma once
#include <vector>

#include "messages/records/spec.hpp"
#include "tools/zedctl/cli/commands.hpp"

namespace zedops::ctl {

// The flags, and the words after --: the command.
std::vector<parameter> spec_parameters();
// Of these only the limits, such as memory and cores. Errors of both: bad_request with the flag.
msg::result<void> limits_of(const arguments& a, msg::server_spec& out);
msg::result<msg::server_spec> spec_of(const arguments& a);

}  // namespace zedops::ctl
