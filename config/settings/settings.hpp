// The settings of the daemons. One table per program (settings_table.cpp) gives TOML keys, ZEDOPS_<KEY> variables,
// flags, --help, the sample file and docs/settings.md. Precedence: flag, environment, file, default.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "config/logging/log_words.hpp"
#include "messages/base/error.hpp"
#include "messages/base/time.hpp"
#include "messages/records/server.hpp"

namespace zedops::config {

// Exit status for a configuration that is refused: a supervisor must not restart the program.
inline constexpr int exit_configuration = 78;
inline constexpr size_t settings_bytes_max = 64 * 1024;

struct manager_settings {
  std::string config;
  std::string data_dir;
  std::string runtime_dir;
  std::vector<std::string> clients;  // ZeroMQ endpoints, each ipc:///path or tcp://host:port
  std::vector<std::string> agents;
  std::vector<std::string> events;
  std::string advertise;          // under which other hosts reach this machine; empty: its own name
  std::vector<std::string> http;  // host:port, unix:/path; or "off" alone
  std::vector<std::string> http_proxies;
  std::string http_certificate, http_key;  // PEM files
  std::string http_url;                    // under which people reach the page; empty: the first address of http
  msg::duration sync_interval{};
  msg::duration usage_interval{};
  msg::duration retention{};
  uint32_t history_max = 0;          // events kept for replay
  uint32_t audit_max = 0;            // records of the audit kept
  uint32_t hold_recovery_above = 0;  // percent
  msg::duration agent_suspect_after{};
  msg::duration agent_unreachable_after{};
  msg::duration timeout_create{};
  msg::duration timeout_start{};
  msg::duration timeout_stop{};
  msg::duration timeout_restart{};
  msg::duration timeout_rebuild{};
  msg::duration timeout_recreate{};
  msg::duration timeout_edit{};
  msg::duration timeout_remove{};
  msg::duration timeout_restore{};
  msg::duration timeout_purge{};
  msg::duration timeout_move{};
  msg::duration timeout_adopt{};
  msg::duration timeout_phase{};
  std::string templates_dir;  // empty: built-in templates only
  msg::log_level log_level = msg::log_level::info;
  msg::log_format log_format = msg::log_format::text;
  friend bool operator==(const manager_settings&, const manager_settings&) = default;
};

// Without progress for this long, an operation fails.
msg::duration timeout_of(const manager_settings& settings, msg::op_kind kind);

struct agent_settings {
  std::string config;
  std::string name;
  std::string manager;      // ZeroMQ endpoint
  std::string manager_key;  // public, of a manager on the network
  std::string manager_id;   // empty: the first manager that answers is kept
  std::string docker_host;
  std::string data_path;
  std::string state_dir;
  std::string identity;       // empty: what the state folder holds, made at first use
  std::string accept_engine;  // identity of a Docker Engine that may replace the one before; empty: no other may
  std::vector<std::string> bind_paths;  // folders of the host that servers may mount; an empty one is none
  // What the host's owner permits, whatever a manager asks for; empty: everything, but for capabilities.
  std::vector<std::string> allow_images;        // patterns
  std::vector<std::string> allow_data_roots;    // folders
  std::vector<std::string> allow_networks;      // patterns
  std::vector<std::string> allow_ports;         // "16261", "27015-27030"
  std::vector<std::string> allow_capabilities;  // beyond those that Docker gives by itself
  std::string server_memory_max;                // of one server: "8GiB"; empty: no limit
  uint32_t server_pids_max = 0;                 // of one server; zero: no limit
  std::vector<std::string> impose;              // no-new-privileges, drop-capabilities, read-only-root
  uint32_t lanes = 0;                           // servers worked on at the same time
  std::string sites_path;
  std::string site_image;
  std::string caddy_admin;
  std::string caddy_server;
  std::string caddy_listen;
  msg::duration stray_grace{};
  std::string git_ssh_key;
  std::string git_credentials;
  uint32_t boot_starts = 0;  // servers started at the same time after the host came up
  msg::log_level log_level = msg::log_level::info;
  msg::log_format log_format = msg::log_format::text;
  friend bool operator==(const agent_settings&, const agent_settings&) = default;
};

// All that loading depends on besides the configuration file.
struct surroundings {
  std::vector<std::string> arguments;  // without the program's name
  std::map<std::string, std::string> environment;
  std::string hostname;
  bool root = false;
};
surroundings surroundings_of_process(int argc, const char* const* argv);

struct setting_value {
  std::string text;    // as a user would write it
  std::string origin;  // "flag --x", "environment variable ZEDOPS_X", "file:line:column" or "default"
  friend bool operator==(const setting_value&, const setting_value&) = default;
};

template <class S>
struct loaded {
  S settings;
  std::string print;  // not empty (--help, --version, --check-config): write it to stdout and exit with 0
  std::map<std::string, setting_value> values;
  std::vector<std::string> warnings;  // worth a log line, e.g. a ZEDOPS_ variable that no program reads
  surroundings from;
};

// Errors name file, line and column, the variable or the flag; what was got and what is allowed. Never throws.
// S is manager_settings or agent_settings.
template <class S>
msg::result<loaded<S>> load_settings(surroundings from);

inline msg::result<loaded<manager_settings>> load_manager_settings(int argc, const char* const* argv) {
  return load_settings<manager_settings>(surroundings_of_process(argc, argv));
}
inline msg::result<loaded<agent_settings>> load_agent_settings(int argc, const char* const* argv) {
  return load_settings<agent_settings>(surroundings_of_process(argc, argv));
}

template <class S>
struct reloaded {
  loaded<S> now;                     // holds from now on: `settings` keeps the old value of what needs a restart
  std::vector<std::string> changed;  // applied
  std::vector<std::string> restart;  // changed in the file, but only a restart will apply them
};

// Reads the file again with the flags and environment of the first time; on any error nothing changes. For SIGHUP.
template <class S>
msg::result<reloaded<S>> reload(const loaded<S>& current);

// config/samples/<program>.toml: every key commented out, with its default for root.
template <class S>
std::string sample_file();
// docs/settings.md, both programs.
std::string settings_reference();

}  // namespace zedops::config
