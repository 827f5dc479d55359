#include "actors/core/claims.hpp"

#include <algorithm>
#include <array>

namespace zedops::core {

using namespace msg;

std::string name_claim(const agent_id& agent, std::string_view name) {
  return "name/" + agent.value + "/" + std::string(name);
}

std::string port_claim(const agent_id& agent, protocol proto, uint16_t number) {
  return "port/" + agent.value + "/" + std::string(name_of(proto)) + "/" + std::to_string(number);
}

std::vector<std::string> claims_of(const server& s) {
  std::vector<std::string> out{name_claim(s.agent, s.name)};
  for (const auto& p : s.ports) out.push_back(port_claim(s.agent, p.proto, p.number));
  return out;
}

error claim_taken(std::string_view claim, std::string_view owner_name, server_status status) {
  const std::string owner = std::string(owner_name) + " (" + std::string(name_of(status)) + ")";
  if (claim.starts_with("name/"))
    return {ec::already_exists,
            "this agent already has a server named " + owner,
            status == server_status::deleted ? "restore it or purge it first" : "choose another name",
            {}};
  auto rest = claim.substr(claim.find('/', 5) + 1);  // proto/number
  auto slash = rest.find('/');
  return {ec::port_conflict,
          "port " + std::string(rest.substr(slash + 1)) + "/" + std::string(rest.substr(0, slash)) +
              " is reserved by server " + owner,
          "choose another one: zedctl port suggest",
          {}};
}

namespace {

constexpr std::array roles = {port_role::game, port_role::udp, port_role::rcon};

protocol proto_of(const server_template& t, port_role role) {
  for (const auto& p : t.ports)
    if (role_of(p) == role) return p.proto;
  return role == port_role::rcon ? protocol::tcp : protocol::udp;
}

uint16_t wanted_for(const wanted_ports& w, port_role role) {
  switch (role) {
    case port_role::game: return w.game;
    case port_role::udp: return w.udp;
    case port_role::rcon: return w.rcon;
  }
  return 0;
}

// The n-th candidate of a role; zero: the range is over.
uint32_t candidate(const port_plan& plan, uint32_t n, uint32_t game) {
  if (plan.game_offset != 0) return game == 0 ? 0 : game + plan.game_offset;
  const uint32_t number = plan.first + n * std::max<uint32_t>(plan.step, 1);
  return number <= plan.last ? number : 0;
}

bool clashes(const std::vector<reserved_port>& ports) {
  for (size_t i = 0; i < ports.size(); ++i)
    for (size_t j = i + 1; j < ports.size(); ++j)
      if (ports[i].proto == ports[j].proto && ports[i].number == ports[j].number) return true;
  return false;
}

}  // namespace

result<std::vector<reserved_port>> choose_ports(const server_template& t, const wanted_ports& wanted,
                                                const port_taken& taken) {
  for (auto role : roles)
    if (wanted_for(wanted, role) != 0 && plan_of(t, role).rule == port_rule::none)
      return fail(ec::bad_request, "template " + t.name + " has no " + std::string(name_of(role)) + " port",
                  "leave --" + std::string(name_of(role)) + "-port away");
  for (uint32_t n = 0; n <= 65535; ++n) {
    std::vector<reserved_port> out;
    bool free = true;
    bool chosen = false;
    uint32_t game = 0;
    for (auto role : roles) {
      const auto& plan = plan_of(t, role);
      uint32_t number = wanted_for(wanted, role);
      const bool fixed = number != 0;
      if (!fixed && plan.rule != port_rule::assigned) continue;
      if (!fixed) {
        number = candidate(plan, n, game);
        if (number == 0 || number > 65535)
          return fail(ec::port_conflict,
                      "no free " + std::string(name_of(role)) + " port is left: range exhausted (" +
                          std::to_string(plan.first) + "-" + std::to_string(plan.last) + ")",
                      "name a port yourself, or purge servers that are no longer needed");
        // A port that follows from a named game port does not move on: there is nothing to search.
        chosen = chosen || plan.game_offset == 0 || wanted.game == 0;
        free = free && !taken(proto_of(t, role), static_cast<uint16_t>(number));
      }
      if (role == port_role::game) game = number;
      out.push_back({role, proto_of(t, role), static_cast<uint16_t>(number)});
    }
    const bool clash = clashes(out);
    if (clash && !chosen) return fail(ec::bad_request, "two of the ports are the same", "give each its own number");
    if ((free && !clash) || !chosen) return out;
  }
  return fail(ec::port_conflict, "no free ports are left: range exhausted", "name the ports yourself");
}

}  // namespace zedops::core
