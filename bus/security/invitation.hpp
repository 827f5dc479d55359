// What a host needs to enrol its agent, as one line that can be pasted:
//   zedops://NAME:SECRET@HOST:CLIENTS_PORT/AGENTS_PORT#MANAGER_KEY
#pragma once
#include <string>
#include <string_view>

#include "bus/security/keys.hpp"
#include "messages/base/error.hpp"

namespace zedops::bus {

struct invitation {
  std::string agent;   // name that it will have
  std::string secret;  // secret half of a key that can be used once
  std::string host;    // name or address; an IPv6 address in brackets
  std::string clients_port, agents_port;
  std::string manager_key;
  friend bool operator==(const invitation&, const invitation&) = default;
};

std::string to_line(const invitation& i);
// Errors: bad_request saying which part is missing.
msg::result<invitation> parse_line(std::string_view line);

}  // namespace zedops::bus
