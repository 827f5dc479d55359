#include "bus/security/invitation.hpp"

#include <algorithm>

#include "messages/base/names.hpp"

namespace zedops::bus {

namespace {
constexpr std::string_view scheme = "zedops://";
constexpr size_t line_bytes_max = 1'024;

bool is_port(std::string_view text) {
  const auto n = msg::parse_decimal(text);
  return n && *n > 0 && *n <= 65'535;
}
}  // namespace

std::string to_line(const invitation& i) {
  return std::string(scheme) + i.agent + ':' + i.secret + '@' + i.host + ':' + i.clients_port + '/' + i.agents_port +
         '#' + i.manager_key;
}

msg::result<invitation> parse_line(std::string_view line) {
  const auto bad = [](std::string what) {
    return msg::fail(msg::ec::bad_request, "this is not the line of zedctl agent token: " + std::move(what),
                     "paste the whole line, in quotes: it begins with zedops:// and ends with the manager's key");
  };
  if (line.size() > line_bytes_max) return bad("it is too long");
  if (!line.starts_with(scheme)) return bad("it does not begin with zedops://");
  line.remove_prefix(scheme.size());
  const auto take = [&](char end) -> std::string {  // up to the next `end`; empty: there is none
    const auto at = line.find(end);
    if (at == std::string_view::npos) return {};
    std::string part(line.substr(0, at));
    line.remove_prefix(at + 1);
    return part;
  };
  invitation i;
  i.agent = take(':');
  i.secret = take('@');
  if (line.starts_with('[')) i.host = take(']').append("]"), take(':');
  else i.host = take(':');
  i.clients_port = take('/');
  i.agents_port = take('#');
  i.manager_key = std::string(line);
  if (!msg::check_agent_name(i.agent)) return bad("the agent's name is missing");
  if (!is_public_key(i.secret)) return bad("the secret is missing or cut");
  if (i.host.empty() || i.host == "]") return bad("the manager's address is missing");
  if (!is_port(i.clients_port) || !is_port(i.agents_port)) return bad("the manager's ports are missing");
  if (!is_public_key(i.manager_key)) return bad("the manager's key is missing or cut");
  return i;
}

}  // namespace zedops::bus
