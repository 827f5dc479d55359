#include "tools/zedctl/cli/commands.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace zedops::ctl {

std::string parameter::key() const {
  if (positional()) return flags;
  auto at = flags.find("--");
  return at == std::string::npos ? flags.substr(1) : flags.substr(at + 2);
}

const std::vector<std::string>& arguments::all(const std::string& key) const {
  static const std::vector<std::string> none;
  auto found = values_.find(key);
  return found == values_.end() ? none : found->second;
}

std::string arguments::one(const std::string& key, const std::string& otherwise) const {
  const auto& list = all(key);
  return list.empty() ? otherwise : list.back();
}

uint64_t arguments::number(const std::string& key, uint64_t otherwise) const {
  auto text = one(key);
  uint64_t n = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

uint32_t arguments::count(const std::string& key, uint32_t otherwise) const {
  return static_cast<uint32_t>(std::min<uint64_t>(number(key, otherwise), std::numeric_limits<uint32_t>::max()));
}

std::optional<msg::duration> arguments::time(const std::string& key) const {
  return has(key) ? msg::parse_duration(one(key)) : std::nullopt;
}
int32_t arguments::integer(const std::string& key, int32_t otherwise) const {
  auto text = one(key);
  int32_t n = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

std::span<const noun> nouns() {
  static constexpr std::array list = {
      noun{"server", "Servers: what runs, and what is to be done with it"},
      noun{"agent", "Agents: the Docker hosts"},
      noun{"project", "Projects: services that belong together"},
      noun{"service", "Services of projects: what is deployed to"},
      noun{"deploy", "Deployments: versions of a service"},
      noun{"upload", "Archives that deployments are made of"},
      noun{"stray", "Containers of services that are not there"},
      noun{"port", "Ports of an agent's host"},
      noun{"op", "Operations: what was asked for and how far it is"},
      noun{"event", "Events: what happens and what happened"},
      noun{"context", "Managers by name, in your own file"},
      noun{"audit", "The audit: who asked for what, and whether it was allowed"},
      noun{"user", "People who sign in to the page"},
      noun{"token", "Services that come in by HTTP"},
      noun{"key", "Your key, and who may come in over a network"},
      noun{"store", "The manager's store, looked at from outside"},
  };
  return list;
}

const std::vector<command>& commands() {
  static const std::vector<command> all = [] {
    std::vector<command> out;
    for (auto* part :
         {server_commands, logs_commands, usage_commands, apply_commands, operation_commands, agent_commands,
          op_commands, event_commands, manager_commands, context_commands, key_commands, audit_commands,
          access_commands, project_commands, deploy_commands, stray_commands, store_commands, completion_commands})
      for (auto& c : part()) out.push_back(std::move(c));
    return out;
  }();
  return all;
}

std::vector<parameter> global_parameters() {
  using enum value_kind;
  return {
      {"--endpoint", text, "URI", "The manager's socket for clients; ZEDCTL_ENDPOINT"},
      {"--context", context, "NAME", "A manager by name (zedctl context); ZEDCTL_CONTEXT"},
      {"-o,--output",
       choice,
       "FORM",
       "table, wide, json, yaml or name; ZEDCTL_OUTPUT",
       arity::optional,
       {"table", "wide", "json", "yaml", "name"}},
      {"-y,--yes", none, "", "Do not ask; needed for dangerous verbs when stdin is not a terminal"},
      {"--dry-run", none, "", "Say what would be done and change nothing; refused where that cannot be said"},
      {"--wait,!--no-wait,!--detach", none, "",
       "Wait for the end of an operation (default), or print its id and return"},
      {"--timeout", text, "TIME", "Wait no longer than this: 90s, 2m; ZEDCTL_TIMEOUT"},
      {"--no-headers", none, "", "Tables without their first line"},
      {"-q,--quiet", none, "", "Ids only, and no talk"},
      {"--color",
       choice,
       "WHEN",
       "auto, always or never; NO_COLOR and CLICOLOR_FORCE hold, too",
       arity::optional,
       {"auto", "always", "never"}},
      {"--time", choice, "FORM", "relative (3d4h) or iso (RFC 3339)", arity::optional, {"relative", "iso"}},
      {"-v,--verbose", none, "", "Tell what is asked of the manager"},
  };
}

}  // namespace zedops::ctl
