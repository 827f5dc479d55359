#include "actors/core/plan/claims.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace zedops::core {

using namespace msg;

namespace detail {

void write_name_claim(std::string& out, const agent_id& agent, std::string_view name) {
  out.assign("name/").append(agent.value).append("/").append(name);
}

void write_port_claim(std::string& out, const agent_id& agent, protocol proto, uint16_t number) {
  char digits[8];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
  out.assign("port/").append(agent.value).append("/").append(name_of(proto)).append("/").append(digits, end);
}

}  // namespace detail

std::string name_claim(const agent_id& agent, std::string_view name) {
  std::string out;
  detail::write_name_claim(out, agent, name);
  return out;
}

std::string port_claim(const agent_id& agent, protocol proto, uint16_t number) {
  std::string out;
  detail::write_port_claim(out, agent, proto, number);
  return out;
}

std::vector<std::string> claims_of(const server& s) {
  std::vector<std::string> out;
  each_claim(s, [&](std::string_view claim) { out.emplace_back(claim); });
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

constexpr uint32_t port_max = 65535;
constexpr std::array roles = {port_role::game, port_role::udp, port_role::rcon};

// A role may be published for both protocols; then its number is reserved for both.
std::vector<protocol> protocols_of(const server_template& t, port_role role) {
  std::vector<protocol> out;
  for (const auto& p : t.ports)
    if (role_of(p) == role && std::find(out.begin(), out.end(), p.proto) == out.end()) out.push_back(p.proto);
  if (out.empty()) out.push_back(role == port_role::rcon ? protocol::tcp : protocol::udp);
  return out;
}

uint16_t wanted_for(const wanted_ports& w, port_role role) {
  switch (role) {
    case port_role::game: return w.game;
    case port_role::udp: return w.udp;
    case port_role::rcon: return w.rcon;
    case port_role::other: break;
  }
  return 0;
}

// The port of a role that leaves nothing to search: named, or following from a named game port. Zero: there is none.
uint32_t fixed_for(const server_template& t, const wanted_ports& w, port_role role) {
  if (auto named = wanted_for(w, role)) return named;
  const auto& plan = plan_of(t, role);
  const bool follows = plan.rule == port_rule::assigned && plan.game_offset != 0 && w.game != 0;
  return follows ? uint32_t{w.game} + plan.game_offset : 0;
}

// The n-th candidate of a role; zero: the range is over.
uint32_t candidate(const port_plan& plan, uint32_t n, uint32_t game) {
  const uint32_t number =
      plan.game_offset != 0 ? game + plan.game_offset : plan.first + n * std::max<uint32_t>(plan.step, 1);
  const uint32_t last = plan.game_offset != 0 ? port_max : plan.last;
  return number <= last && (plan.game_offset == 0 || game != 0) ? number : 0;
}

void reserve(std::vector<reserved_port>& out, const server_template& t, port_role role, uint32_t number) {
  for (auto proto : protocols_of(t, role)) out.push_back({role, proto, static_cast<uint16_t>(number)});
}

// A number that the template names itself: of two such servers on one host the second is refused at once.
void reserve_fixed(std::vector<reserved_port>& out, const server_template& t) {
  for (const auto& p : t.ports) {
    uint16_t number = 0;
    const auto end = p.host.data() + p.host.size();
    if (!p.published || role_of(p) || std::from_chars(p.host.data(), end, number).ptr != end || number == 0) continue;
    out.push_back({port_role::other, p.proto, number});
  }
}

bool clashes(const std::vector<reserved_port>& ports) {
  for (size_t i = 0; i < ports.size(); ++i)
    for (size_t j = i + 1; j < ports.size(); ++j)
      if (ports[i].proto == ports[j].proto && ports[i].number == ports[j].number) return true;
  return false;
}

// What was asked for must make sense by itself, before anything is searched.
result<void> check_fixed(const server_template& t, const wanted_ports& wanted) {
  std::vector<reserved_port> out;
  for (auto role : roles) {
    const std::string word(name_of(role));
    if (wanted_for(wanted, role) != 0 && plan_of(t, role).rule == port_rule::none)
      return fail(ec::bad_request, "template " + t.name + " has no " + word + " port",
                  "leave out the option --" + word + "-port");
    const auto number = fixed_for(t, wanted, role);
    if (number > port_max)
      return fail(ec::bad_request,
                  "the " + word + " port would follow the game port " + std::to_string(wanted.game) +
                      " past the last port number",
                  "name a lower game port, or the " + word + " port as well");
    if (number != 0) reserve(out, t, role, number);
  }
  if (clashes(out)) return fail(ec::bad_request, "two of the ports are the same", "give each its own number");
  return {};
}

}  // namespace

result<std::vector<reserved_port>> choose_ports(const server_template& t, const wanted_ports& wanted,
                                                const port_taken& taken) {
  if (auto ok = check_fixed(t, wanted); !ok) return fail(ok.error());
  for (uint32_t n = 0; n <= port_max; ++n) {
    std::vector<reserved_port> out;
    bool free = true;
    uint32_t game = 0;
    for (auto role : roles) {
      const auto& plan = plan_of(t, role);
      uint32_t number = fixed_for(t, wanted, role);
      if (number == 0) {
        if (plan.rule != port_rule::assigned) continue;
        number = candidate(plan, n, game);
        if (number == 0)
          return fail(ec::port_conflict,
                      "no free " + std::string(name_of(role)) + " port is left: range exhausted (" +
                          std::to_string(plan.first) + "-" + std::to_string(plan.last) + ")",
                      "name a port yourself, or purge servers that are no longer needed");
        for (auto proto : protocols_of(t, role)) free = free && !taken(proto, static_cast<uint16_t>(number));
      }
      if (role == port_role::game) game = number;
      reserve(out, t, role, number);
    }
    if (free && !clashes(out)) {
      reserve_fixed(out, t);
      return out;
    }
  }
  return fail(ec::port_conflict, "no free ports are left: range exhausted", "name the ports yourself");
}

}  // namespace zedops::core
