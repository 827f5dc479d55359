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
      noun{"server", "Servers: create, run, change and inspect them"},
      noun{"agent", "Agents: the Docker hosts"},
      noun{"project", "Projects: services that belong together"},
      noun{"service", "Services: the parts of a project that versions are deployed to"},
      noun{"deploy", "Deployments: versions of a service"},
      noun{"upload", "Uploads: the archives that deployments are made from"},
      noun{"stray", "Stray containers: those whose service no longer exists"},
      noun{"port", "Ports of an agent's host"},
      noun{"op", "Operations: what was requested and how far it has got"},
      noun{"event", "Events: live as they happen, and stored"},
      noun{"context", "Contexts: managers by name, in your own configuration file"},
      noun{"audit", "The audit: who requested what, and whether it was allowed"},
      noun{"user", "Users who sign in to the web page"},
      noun{"token", "Tokens for programs that use the HTTP API"},
      noun{"key", "Keys: your own, and those that may connect over the network"},
      noun{"store", "The manager's store: verify, dump, back up and restore it"},
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
      {"--dry-run", none, "", "Print what would be done and change nothing; refused by verbs that cannot tell"},
      {"--wait,!--no-wait,!--detach", none, "",
       "Wait for the end of an operation (default), or print its id and return"},
      {"--timeout", text, "TIME", "Wait at most this long: 90s, 2m; ZEDCTL_TIMEOUT"},
      {"--no-headers", none, "", "Tables without their header line"},
      {"-q,--quiet", none, "", "Ids only, and no messages"},
      {"--color",
       choice,
       "WHEN",
       "auto, always or never; auto honours NO_COLOR and CLICOLOR_FORCE",
       arity::optional,
       {"auto", "always", "never"}},
      {"--time", choice, "FORM", "relative (3d4h) or iso (RFC 3339)", arity::optional, {"relative", "iso"}},
      {"-v,--verbose", none, "", "Print the requests sent to the manager"},
  };
}

}  // namespace zedops::ctl
