// The tables of settings: a new setting is a field in settings.hpp and a row here.
#include "config/detail/settings_table.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace zedops::config {

msg::duration timeout_of(const manager_settings& s, msg::op_kind kind) {
  switch (kind) {
    case msg::op_kind::create: return s.timeout_create;
    case msg::op_kind::start: return s.timeout_start;
    case msg::op_kind::stop: return s.timeout_stop;
    case msg::op_kind::restart: return s.timeout_restart;
    case msg::op_kind::rebuild: return s.timeout_rebuild;
    case msg::op_kind::recreate: return s.timeout_recreate;
    case msg::op_kind::edit:
    case msg::op_kind::create_project:
    case msg::op_kind::edit_project:
    case msg::op_kind::remove_project:
    case msg::op_kind::create_service:
    case msg::op_kind::edit_service: return s.timeout_edit;
    case msg::op_kind::remove_service:
    case msg::op_kind::deploy:
    case msg::op_kind::start_service:
    case msg::op_kind::stop_service:
    case msg::op_kind::rollback: return s.timeout_phase;
    case msg::op_kind::remove: return s.timeout_remove;
    case msg::op_kind::restore: return s.timeout_restore;
    case msg::op_kind::move: return s.timeout_move;
    case msg::op_kind::adopt: return s.timeout_adopt;
    case msg::op_kind::purge: break;
  }
  return s.timeout_purge;
}

namespace detail {

namespace {
constexpr int64_t second = 1000;
constexpr int64_t hour = 3600 * second;
constexpr int64_t day = 24 * hour;

using manager = manager_settings;
using agent = agent_settings;
using enum applies;

constexpr setting<manager> timeout(std::string_view key, msg::duration manager::*field, std::string_view fallback,
                                   std::string_view help) {
  return {key, field, fallback, help, at_once, text_rule::none, second, day};
}

constexpr auto log_level_help = "the least severe log lines that are written";
constexpr auto log_format_help = "log lines as key=value text or as JSON, one object per line";

const std::array manager_rows = {
    setting<manager>{"config", &manager::config, "{config}/zedops/manager.toml",
                     "configuration file; the default one may be absent", at_restart, text_rule::file},
    setting<manager>{"data_dir", &manager::data_dir, "{state}/zedops", "the store: every record and the history",
                     at_restart, text_rule::directory},
    setting<manager>{"runtime_dir", &manager::runtime_dir, "{runtime}/zedops", "ipc sockets", at_restart,
                     text_rule::directory},
    setting<manager>{"clients", &manager::clients, "ipc://{runtime_dir}/clients.ipc",
                     "where clients connect; port 7700 is usual for tcp", at_restart, text_rule::endpoint},
    setting<manager>{"agents", &manager::agents, "ipc://{runtime_dir}/agents.ipc",
                     "where agents connect; port 7701 is usual for tcp", at_restart, text_rule::endpoint},
    setting<manager>{"events", &manager::events, "ipc://{runtime_dir}/events.ipc",
                     "where events are published; port 7702 is usual for tcp", at_restart, text_rule::endpoint},
    setting<manager>{"advertise", &manager::advertise, "{hostname}",
                     "name or address under which other hosts reach this machine, for enrolment tokens", at_restart,
                     text_rule::none},
    setting<manager>{"http", &manager::http, "127.0.0.1:7780",
                     "where the page, REST and live events are served: host:port, tls:host:port or unix:/path; off: "
                     "nowhere",
                     at_restart, text_rule::none},
    setting<manager>{"http_proxies", &manager::http_proxies, "",
                     "addresses of proxies that speak TLS to users and HTTP to the manager: with them http may be an "
                     "address of a network, and only they are answered there",
                     at_restart, text_rule::none},
    setting<manager>{"http_certificate", &manager::http_certificate, "",
                     "PEM file with the certificate and its chain, for tls: addresses of http; SIGHUP reads it again",
                     at_restart, text_rule::none},
    setting<manager>{"http_key", &manager::http_key, "", "PEM file with the private key of http_certificate",
                     at_restart, text_rule::none},
    setting<manager>{"http_url", &manager::http_url, "",
                     "URL under which users reach the page, such as https://zedops.example; empty: the first of http",
                     at_restart, text_rule::none},
    setting<manager>{"sync_interval", &manager::sync_interval, "30s",
                     "how often every agent is asked for its actual state, besides events and reconnects", at_once,
                     text_rule::none, 100, day},
    setting<manager>{"usage_interval", &manager::usage_interval, "15s",
                     "how often every agent reports what its host and containers use; 0s: never", at_restart,
                     text_rule::none, 0, hour},
    setting<manager>{"retention", &manager::retention, "24h",
                     "how long a deleted server can be restored before it is purged with its data", at_once,
                     text_rule::none, second, 3650 * day},
    setting<manager>{"history_max", &manager::history_max, "100000", "events kept for replay; older ones are trimmed",
                     at_once, text_rule::none, 1000, 100'000'000},
    setting<manager>{"audit_max", &manager::audit_max, "1000000",
                     "records kept of who asked for what; a trimmed audit can still be verified", at_once,
                     text_rule::none, 1000, 100'000'000},
    setting<manager>{"hold_recovery_above", &manager::hold_recovery_above, "50",
                     "percent of an agent's servers: when more of them, and five at least, are gone at once, nothing "
                     "recovers by itself until zedctl agent recover; 100: never held",
                     at_once, text_rule::none, 1, 100},
    setting<manager>{"agent_suspect_after", &manager::agent_suspect_after, "2s",
                     "silence after which an agent is suspect", at_once, text_rule::none, 1500, hour},
    setting<manager>{"agent_unreachable_after", &manager::agent_unreachable_after, "3s",
                     "silence after which an agent is unreachable", at_once, text_rule::none, 2000, hour},
    timeout("timeout_create", &manager::timeout_create, "30m",
            "a create that takes longer fails, unless it made progress within two minutes"),
    timeout("timeout_start", &manager::timeout_start, "30m", "the same for start, which may have to pull an image"),
    timeout("timeout_stop", &manager::timeout_stop, "5m", "the same for stop; add the longest stop plan of a template"),
    timeout("timeout_restart", &manager::timeout_restart, "5m", "the same for restart"),
    timeout("timeout_rebuild", &manager::timeout_rebuild, "30m", "the same for rebuild"),
    timeout("timeout_recreate", &manager::timeout_recreate, "30m", "the same for recreate"),
    timeout("timeout_edit", &manager::timeout_edit, "1m", "the same for edit"),
    timeout("timeout_remove", &manager::timeout_remove, "5m", "the same for the container's removal at a soft delete"),
    timeout("timeout_restore", &manager::timeout_restore, "30m", "the same for restore"),
    timeout("timeout_purge", &manager::timeout_purge, "1h", "the same for purge, which may remove much data"),
    timeout("timeout_move", &manager::timeout_move, "6h", "the same for move; its copy has to be done within it"),
    timeout("timeout_adopt", &manager::timeout_adopt, "6h", "the same for adopt"),
    timeout("timeout_phase", &manager::timeout_phase, "5m",
            "a phase of a deployment that makes no progress for this long has failed"),
    setting<manager>{"templates_dir", &manager::templates_dir, "",
                     "directory of server templates (*.toml), added to the built-in ones; the same name replaces one",
                     at_restart, text_rule::optional_directory},
    setting<manager>{"log_level", &manager::log_level, "info", log_level_help, at_once},
    setting<manager>{"log_format", &manager::log_format, "text", log_format_help},
};

const std::array agent_rows = {
    setting<agent>{"config", &agent::config, "{config}/zedops/agent.toml",
                   "configuration file; the default one may be absent", at_restart, text_rule::file},
    setting<agent>{"name", &agent::name, "{hostname}", "the agent's name, unique for its manager", at_restart,
                   text_rule::name},
    setting<agent>{"manager", &agent::manager, "ipc://{runtime}/zedops/agents.ipc",
                   "the manager's endpoint for agents; port 7701 is usual for tcp", at_restart, text_rule::endpoint},
    setting<agent>{"manager_key", &agent::manager_key, "",
                   "the public key of a manager at a tcp:// endpoint, as zedctl key show --manager prints it there",
                   at_restart, text_rule::none},
    setting<agent>{"manager_id", &agent::manager_id, "",
                   "the manager that owns these containers; empty: the first one that answers is kept", at_restart,
                   text_rule::optional_name},
    setting<agent>{"docker_host", &agent::docker_host, "{docker_host}",
                   "the Docker Engine; the default is DOCKER_HOST, else the system socket", at_restart,
                   text_rule::engine},
    setting<agent>{"data_path", &agent::data_path, "{state}/zedops/servers",
                   "the servers' data, a folder for each server", at_restart, text_rule::directory},
    setting<agent>{"state_dir", &agent::state_dir, "{state}/zedops-agent", "the agent's identity and fencing state",
                   at_restart, text_rule::directory},
    setting<agent>{
        "identity", &agent::identity, "",
        "the id of an agent that lost its state folder, as zedctl agent describe shows it: gives it its data "
        "back; empty: the one in state_dir",
        at_restart, text_rule::optional_name},
    setting<agent>{
        "accept_engine", &agent::accept_engine, "",
        "the identity of a Docker Engine that may replace the one before, as the agent's log and zedctl agent "
        "describe show it; empty: the agent refuses another one",
        at_restart, text_rule::none},
    setting<agent>{"bind_paths", &agent::bind_paths, "",
                   "folders of the host that servers may mount besides their own, separated by commas; every user who "
                   "may create servers can read and write what is below them; empty: none",
                   at_restart, text_rule::optional_directory},
    setting<agent>{
        "allow_images", &agent::allow_images, "",
        "images that servers may have, as patterns with * and ?; empty: all. This rule and the next ones are "
        "the host's own: no manager can ask for more",
        at_restart, text_rule::none},
    setting<agent>{"allow_data_roots", &agent::allow_data_roots, "",
                   "folders below which servers may keep their data; empty: wherever the manager says", at_restart,
                   text_rule::optional_directory},
    setting<agent>{"allow_networks", &agent::allow_networks, "",
                   "networks that servers may join, as patterns; empty: all", at_restart, text_rule::none},
    setting<agent>{"allow_ports", &agent::allow_ports, "",
                   "ports of this host that servers may publish, such as 16261-16999, 27015; empty: all", at_restart,
                   text_rule::none},
    setting<agent>{"allow_capabilities", &agent::allow_capabilities, "SYS_NICE",
                   "what servers may add to the capabilities that Docker gives by itself; ALL: whatever they ask for",
                   at_restart, text_rule::none},
    setting<agent>{"server_memory_max", &agent::server_memory_max, "",
                   "memory that one server may have at most, such as 8GiB; empty: no limit", at_restart,
                   text_rule::none},
    setting<agent>{"server_pids_max", &agent::server_pids_max, "0",
                   "processes and threads that one server may have at most; 0: no limit", at_restart, text_rule::none,
                   0, 4'000'000},
    setting<agent>{"impose", &agent::impose, "",
                   "enforced on every new container: no-new-privileges, drop-capabilities (all but what it asks for), "
                   "read-only-root (it can write to its folders only)",
                   at_restart, text_rule::none},
    setting<agent>{"lanes", &agent::lanes, "4", "how many servers are worked on at the same time", at_restart,
                   text_rule::none, 1, 64},
    setting<agent>{"sites_path", &agent::sites_path, "",
                   "folder for the files of static services; empty: .sites in data_path", at_restart,
                   text_rule::optional_directory},
    setting<agent>{"site_image", &agent::site_image, "zedops/project-server:1",
                   "image of the web server that serves a project's static services; tools/images makes it", at_restart,
                   text_rule::none},
    setting<agent>{"caddy_admin", &agent::caddy_admin, "",
                   "admin API of the Caddy that routes visitors to container services: localhost:2019; empty: none",
                   at_restart, text_rule::none},
    setting<agent>{"caddy_server", &agent::caddy_server, "zedops",
                   "which of its HTTP servers gets their routes; created if missing", at_restart, text_rule::none},
    setting<agent>{"caddy_listen", &agent::caddy_listen, ":80,:443",
                   "where a server that is created there listens, separated by commas", at_restart, text_rule::none},
    setting<agent>{"stray_grace", &agent::stray_grace, "1h",
                   "time after which containers of services that the manager does not know are removed; 0s: never",
                   at_restart, text_rule::none, 0, 30 * day},
    setting<agent>{"git_ssh_key", &agent::git_ssh_key, "",
                   "file of the ssh key with which repositories are fetched; empty: those of the agent's user",
                   at_restart, text_rule::optional_directory},
    setting<agent>{"git_credentials", &agent::git_credentials, "",
                   "file with a line https://USER:TOKEN@HOST for each host that repositories are fetched from; empty: "
                   "public repositories only",
                   at_restart, text_rule::optional_directory},
    setting<agent>{"boot_starts", &agent::boot_starts, "4",
                   "how many servers are started at the same time after the host came up", at_restart, text_rule::none,
                   1, 64},
    setting<agent>{"log_level", &agent::log_level, "info", log_level_help, at_once},
    setting<agent>{"log_format", &agent::log_format, "text", log_format_help},
};

bool is_address(const std::string& text) {
  in6_addr any{};
  return ::inet_pton(AF_INET, text.c_str(), &any) == 1 || ::inet_pton(AF_INET6, text.c_str(), &any) == 1;
}

// Empty: nothing is wrong.
std::string problem_of_http(std::string where, bool proxied) {
  if (where.starts_with("unix:/")) return {};
  const bool tls = where.starts_with("tls:");
  if (tls) where.erase(0, 4);
  const auto colon = where.rfind(':');
  const auto host = where.substr(0, colon), port = colon == where.npos ? std::string{} : where.substr(colon + 1);
  uint16_t number = 0;
  const auto [end, wrong] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (host.empty() || port.empty() || wrong != std::errc{} || end != port.data() + port.size())
    return "it is not host:port";
  const bool own = host == "[::1]" || host == "localhost" || (host.starts_with("127.") && is_address(host));
  return own || tls || proxied ? std::string{} : "passwords and tokens would go over a network without TLS";
}

program<manager>::conflict check_manager(const manager& s) {
  if (s.agent_suspect_after >= s.agent_unreachable_after)
    return {"agent_unreachable_after",
            "is " + msg::format_duration(s.agent_unreachable_after) +
                ", not longer than agent_suspect_after = " + msg::format_duration(s.agent_suspect_after),
            "an agent is suspect before it is unreachable: raise agent_unreachable_after"};
  for (const auto& address : s.http_proxies)
    if (!is_address(address))
      return {"http_proxies", "has '" + address + "', which is no IP address", "numbers, such as 127.0.0.1 or fd00::7"};
  for (const auto& where : s.http) {
    if (where == "off") {
      if (s.http.size() > 1) return {"http", "has 'off' beside other addresses", "give off alone, or addresses only"};
    } else if (where.starts_with("tls:") && (s.http_certificate.empty() || s.http_key.empty())) {
      return {"http", "has '" + where + "' without a certificate", "set http_certificate and http_key to PEM files"};
    } else if (auto problem = problem_of_http(where, !s.http_proxies.empty()); !problem.empty()) {
      return {"http", "has '" + where + "': " + problem,
              "use 127.0.0.1:7780, [::1]:7780 or unix:/run/zedops/http.sock; others with TLS: tls:0.0.0.0:7443, or a "
              "proxy in front "
              "(http_proxies)"};
    }
  }
  return {};
}

program<agent>::conflict check_agent(const agent&) { return {}; }
}  // namespace

template <>
const program<manager>& program_of<manager>() {
  static const program<manager> p{"zedops-manager", "Control plane for servers in containers: the source of truth",
                                  manager_rows, check_manager};
  return p;
}

template <>
const program<agent>& program_of<agent>() {
  static const program<agent> p{"zedops-agent", "Carries out a manager's commands on one Docker host", agent_rows,
                                check_agent};
  return p;
}

}  // namespace detail
}  // namespace zedops::config
