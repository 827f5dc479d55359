// Texts made from the table of commands: help, the reference page, and the error for a mistyped command line.
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

// "'strat' is not a verb of 'server'", hint "did you mean 'start'?", for a command line that could not be parsed;
// `why` is the parser's own message, used when nothing better is found.
msg::error usage_error(const std::vector<std::string>& arguments, std::string why);

// A command line as far as it was understood: noun, verb, and which value comes next.
struct command_line {
  std::string noun;
  const command* verb = nullptr;
  std::string unknown;  // the first word that is neither noun nor verb where one was expected
  std::string unknown_flag;
  const parameter* pending = nullptr;  // the option whose value comes next
  std::vector<std::string> values;     // positionals of the verb so far
};
command_line read_line(const std::vector<std::string>& arguments);

// The words that may follow a noun, or come first when it is empty.
std::vector<std::string> verbs_of(const std::string& noun);

}  // namespace zedops::ctl
