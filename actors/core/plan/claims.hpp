// Names and ports that a server holds from the transaction that creates it until the one that purges it. They follow
// from the records: the journal judges each change against the index of all of them and the rest of its batch, so two
// creates can never get the same one.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/api/requests.hpp"
#include "messages/api/views.hpp"
#include "messages/records/server.hpp"
#include "messages/records/template.hpp"

namespace zedops::core {

std::string name_claim(const msg::agent_id& agent, std::string_view name);
std::string port_claim(const msg::agent_id& agent, msg::protocol proto, uint16_t number);
std::vector<std::string> claims_of(const msg::server& s);

namespace detail {
void write_name_claim(std::string& out, const msg::agent_id& agent, std::string_view name);
void write_port_claim(std::string& out, const msg::agent_id& agent, msg::protocol proto, uint16_t number);
}  // namespace detail

// Calls f(std::string_view) with each claim of a server, in one buffer: an index of very many is built with it.
template <class F>
void each_claim(const msg::server& s, F f) {
  std::string claim;
  claim.reserve(64);
  detail::write_name_claim(claim, s.agent, s.name);
  f(std::string_view(claim));
  for (const auto& p : s.ports) {
    detail::write_port_claim(claim, s.agent, p.proto, p.number);
    f(std::string_view(claim));
  }
  if (!s.spec || !s.spec->ports) return;
  for (const auto& p : *s.spec->ports) {
    detail::write_port_claim(claim, s.agent, p.proto, p.host_port);
    f(std::string_view(claim));
  }
}

// The error for a claim that `owner` holds already; `status` is the owner's.
msg::error claim_taken(std::string_view claim, std::string_view owner_name, msg::server_status status);

struct wanted_ports {  // zero: choose
  uint16_t game = 0;
  uint16_t udp = 0;
  uint16_t rcon = 0;
};
using port_taken = std::function<bool(msg::protocol, uint16_t)>;

// The ports of a new server by its template, the fixed ones too. Those not named are the first free tuple of the
// template's ranges, all roles in lock-step. Errors: bad_request (two roles on one port, a role the template has not),
// port_conflict (range exhausted).
msg::result<std::vector<msg::reserved_port>> choose_ports(const msg::server_template& t, const wanted_ports& wanted,
                                                          const port_taken& taken);

}  // namespace zedops::core
