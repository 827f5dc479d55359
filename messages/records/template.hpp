// A server template: how all servers of one kind look, as data. The manager decides with it, the agent executes what
// follows from it; neither knows any game by name.
//
// Patterns are texts with placeholders: {name} {id} {agent} of the server, {game_port} {udp_port} {rcon_port} of its
// reserved ports. A list entry whose pattern names a port that the server does not have is left out.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/records/container.hpp"
#include "messages/records/server.hpp"

namespace zedops::msg {

inline constexpr std::string_view masked_value = "***";  // stands for a secret wherever it is shown

inline constexpr std::array<std::string_view, 6> template_placeholders = {"name",      "id",       "agent",
                                                                          "game_port", "udp_port", "rcon_port"};

// none: such a server has no port of this role. optional: only when the user names one. assigned: always; unless the
// user names one it is the first free one of the range.
ZEDOPS_ENUM(port_rule, none, optional, assigned)

struct port_plan {
  port_rule rule = port_rule::none;
  uint16_t first = 0;  // the range, both ends included
  uint16_t last = 0;
  uint16_t step = 1;
  uint16_t game_offset = 0;  // not zero: the default is the game port plus this, the range is not used
  ZEDOPS_FIELDS(rule, first, last, step, game_offset)
  friend bool operator==(const port_plan&, const port_plan&) = default;
};

struct template_port {
  std::string name;  // "game", "udp", "rcon" or any other word
  protocol proto = protocol::udp;
  std::string host;             // pattern or number: the port on the host
  uint16_t container_port = 0;  // zero: the same number as on the host
  bool published = true;        // false: reserved, but reached inside the container's network only
  ZEDOPS_FIELDS(name, proto, host, container_port, published)
  friend bool operator==(const template_port&, const template_port&) = default;
};

struct template_dir {
  std::string name;
  std::string target;          // absolute path in the container
  std::string path;            // below {data path}/{server name}/
  bool counts_as_data = true;  // content here means that the server has data
  bool read_only = false;
  ZEDOPS_FIELDS(name, target, path, counts_as_data, read_only)
  friend bool operator==(const template_dir&, const template_dir&) = default;
};

// Commands sent over RCON before the stop signal. A failure is logged and the stop goes on.
struct rcon_step {
  std::vector<std::string> commands;
  duration dial_timeout{5000};
  duration wait{};                        // after the commands, for the game to write its files
  std::vector<std::string> password_env;  // the first of these keys that the server's environment has
  ZEDOPS_FIELDS(commands, dial_timeout, wait, password_env)
  friend bool operator==(const rcon_step&, const rcon_step&) = default;
};

// What applies to a server unless its template or its own spec says otherwise: logs do not fill the disk, and no
// container has a capability that games do not need (MKNOD, NET_RAW, AUDIT_WRITE).
server_spec default_spec();

ZEDOPS_ENUM(pull_policy, always, if_missing)

struct server_template {
  std::string name;
  std::string description;
  std::string image;  // repository; empty: each server names its own
  std::string image_tag = "latest";
  pull_policy pull = pull_policy::always;
  std::string container_name;                     // pattern
  std::map<std::string, std::string> labels;      // values are patterns
  std::map<std::string, std::string> env;         // defaults, under the server's own
  std::map<std::string, std::string> inject_env;  // patterns, over everything: ports reach the game by these
  std::vector<std::string> env_required;          // keys that a server must have
  std::vector<std::string> env_immutable;         // keys that keep their first value
  std::vector<std::string> env_secret;            // keys whose values are masked wherever they are shown
  port_plan game_port;
  port_plan udp_port;
  port_plan rcon_port;
  std::vector<template_port> ports;
  std::vector<template_dir> dirs;
  std::vector<std::string> networks;
  std::string rcon_network;  // where the agent reaches RCON: the container's address in this network
  restart_rule restart = restart_rule::unless_stopped;
  uint32_t restart_max = 0;
  server_spec spec = default_spec();  // for servers whose own spec does not say otherwise; folders and ports are above
  std::vector<std::string> locked;    // fields of a server's own spec that are refused; "all": every one
  std::vector<rcon_step> stop_steps;  // in order, before the stop signal
  crash_rules crash{};
  duration settle{2'000};  // a container that was started has to stay up this long, or to be healthy before
  ZEDOPS_FIELDS(name, description, image, image_tag, pull, container_name, labels, env, inject_env, env_required,
                env_immutable, env_secret, game_port, udp_port, rcon_port, ports, dirs, networks, rcon_network, restart,
                restart_max, spec, locked, stop_steps, crash, settle)
  friend bool operator==(const server_template&, const server_template&) = default;
};

const port_plan& plan_of(const server_template& t, port_role role);
// The role whose number a template port carries; nothing for a fixed number.
std::optional<port_role> role_of(const template_port& port);

// Replaces each {placeholder} with what `value_of` gives. Nothing when one has no value or a brace is not closed; text
// that comes from a value is not expanded again.
std::optional<std::string> expand(std::string_view pattern,
                                  const std::function<std::optional<std::string>(std::string_view)>& value_of);

}  // namespace zedops::msg
