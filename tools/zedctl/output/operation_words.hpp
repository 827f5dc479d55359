// The arguments of each operation on the command line, and its help.
#pragma once
#include <string>
#include <vector>

#include "messages/api/operations.hpp"
#include "tools/zedctl/cli/commands.hpp"

namespace zedops::ctl {

std::vector<parameter> parameters_of(msg::op_kind kind);
std::vector<std::string> examples_of(msg::op_kind kind);
std::string more_of(const msg::verb_row& row);

}  // namespace zedops::ctl
