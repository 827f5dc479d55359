#include "messages/records/template.hpp"

namespace zedops::msg {

server_spec default_spec() {
  server_spec s;
  s.stop_grace = duration{30'000};
  s.log_driver = "json-file";
  s.log_options = {{"max-file", "3"}, {"max-size", "10m"}};
  s.cap_drop = {"AUDIT_WRITE", "MKNOD", "NET_RAW"};
  return s;
}

const port_plan& plan_of(const server_template& t, port_role role) {
  switch (role) {
    case port_role::game: return t.game_port;
    case port_role::udp: return t.udp_port;
    case port_role::rcon:
    case port_role::other: break;
  }
  return t.rcon_port;
}

std::optional<port_role> role_of(const template_port& port) {
  if (port.host == "{game_port}") return port_role::game;
  if (port.host == "{udp_port}") return port_role::udp;
  if (port.host == "{rcon_port}") return port_role::rcon;
  return std::nullopt;
}

std::optional<std::string> expand(std::string_view pattern,
                                  const std::function<std::optional<std::string>(std::string_view)>& value_of) {
  std::string out;
  while (!pattern.empty()) {
    auto open = pattern.find('{');
    out += pattern.substr(0, open);
    if (open == std::string_view::npos) break;
    auto close = pattern.find('}', open);
    if (close == std::string_view::npos) return std::nullopt;
    auto value = value_of(pattern.substr(open + 1, close - open - 1));
    if (!value) return std::nullopt;
    out += *value;
    pattern.remove_prefix(close + 1);
  }
  return out;
}

}  // namespace zedops::msg
