// Texts made from the table of commands: help, the reference page, and what to say to a mistyped command line.
#pragma once
#include <string>
#include <vector>

#include "tools/zedctl/cli/commands.hpp"

namespace zedops::ctl {

std::string help_of_tool();
std::string help_of_noun(const std::string& word);
std::string help_of_command(const command& c);

// docs/zedctl.md
std::string reference_page();

// "unknown verb 'strat'; did you mean 'start'?" for a command line that could not be parsed; `why` is the parser's own
// word, used when nothing better is found.
msg::error usage_error(const std::vector<std::string>& arguments, std::string why);

// A word of the command line, split off: what it completes, and how far the verb is known.
struct command_line {
  std::string noun;
  const command* verb = nullptr;
  std::string unknown;  // the first word that is neither noun nor verb, where one had to be
  std::string unknown_flag;
  const parameter* pending = nullptr;  // the option whose value comes next
  std::vector<std::string> values;     // positionals of the verb so far
};
command_line read_line(const std::vector<std::string>& arguments);

// The words that may follow a noun, or stand first when it is empty.
std::vector<std::string> verbs_of(const std::string& noun);

}  // namespace zedops::ctl
