// Which manager: flag, ZEDCTL_* variable, context in the user's file, default — in this order.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "tools/zedctl/world.hpp"

namespace zedops::ctl {

struct context {
  std::string endpoint;
  std::string events;         // empty: beside `endpoint`
  bool production = false;    // shown in questions; interrupting verbs ask, too
  std::string manager_key{};  // of a tcp:// endpoint: the public key that has to answer there
  std::string key_file{};     // empty: default_key_file
};

struct context_file {
  std::string current;  // empty: none
  std::map<std::string, context> contexts;
};

// $XDG_CONFIG_HOME/zedops/config.toml
std::filesystem::path context_path(const world& w);
// An absent file is an empty one. Errors: bad_request naming file, line and column; forbidden.
msg::result<context_file> read_contexts(const std::filesystem::path& path);
// Replaces the file as a whole; only its owner may read it.
msg::result<void> write_contexts(const std::filesystem::path& path, const context_file& file);

struct target {
  endpoints where;
  std::string context;  // empty: none
  bool production = false;
  std::string origin;  // "flag --endpoint", "ZEDCTL_ENDPOINT", "context prod", "default"
};
// not_found: the named context does not exist.
msg::result<target> find_target(const world& w, const std::string& endpoint_flag, const std::string& context_flag);

// "ipc:///run/zedops/clients.ipc" → "ipc:///run/zedops/events.ipc"; for tcp the port two above, as is usual
std::string events_beside(const std::string& clients);
// $XDG_CONFIG_HOME/zedops/key
std::filesystem::path default_key_file(const world& w);
// Where a manager keeps its store by default.
std::filesystem::path default_data_dir(const world& w);

}  // namespace zedops::ctl
