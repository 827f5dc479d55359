// Arguments to a command: the table of commands.hpp as a CLI11 tree. Usage errors name the word and what was meant.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tools/zedctl/cli/commands.hpp"

namespace zedops::ctl {

struct invocation {
  enum class what : uint8_t { verb, help, version, nothing };
  what kind = what::verb;
  const command* verb = nullptr;  // of help: the verb it was asked for, when there is one
  std::string topic;              // of help: the noun
  arguments values;
  global_flags flags;
};

// Errors: bad_request (exit status 2).
msg::result<invocation> parse(const world& w, const std::vector<std::string>& arguments);

// `deploy shop/web` as what it means: `deploy create shop/web`.
std::vector<std::string> with_create(const std::vector<std::string>& list);

// Whether errors are to be JSON even when parsing fails.
form wanted_form(const std::vector<std::string>& arguments);

}  // namespace zedops::ctl
