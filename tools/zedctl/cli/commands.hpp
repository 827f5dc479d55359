// THE table of verbs: parsing, help, docs/zedctl.md and completion all follow from it. The verbs that change a server
// come from msg::operation_table.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/zedctl/session.hpp"

namespace zedops::ctl {

// What a value is: checked when parsing, offered when completing.
enum class value_kind : uint8_t {
  none,  // a switch
  text,
  server,
  agent,
  operation,
  context,
  number,     // zero or more
  integer,    // may be negative; 32 bits
  duration,   // 90s, 1h30m, 7d
  port,       // 1-65535
  port_spec,  // 16261, 16261/udp
  pair,       // KEY=VALUE, or KEY alone: its value in zedctl's environment
  choice,
  path,
  template_name,
};

enum class arity : uint8_t { optional, one, any, some };  // 0..1, 1, 0..n, 1..n

struct parameter {
  std::string flags;  // "--agent", "-f,--follow", or capitals: a positional
  value_kind kind = value_kind::text;
  std::string value;  // what help calls the value: "K=V"
  std::string help;
  arity count = arity::optional;
  std::vector<std::string> choices = {};

  bool positional() const { return flags.front() != '-'; }
  // "agent" of "--agent", "follow" of "-f,--follow", "NAME" of "NAME"
  std::string key() const;
};

class arguments {
 public:
  bool has(const std::string& key) const { return values_.contains(key); }
  const std::vector<std::string>& all(const std::string& key) const;
  std::string one(const std::string& key, const std::string& otherwise = {}) const;
  uint64_t number(const std::string& key, uint64_t otherwise) const;  // of a value that parsing has checked
  uint32_t count(const std::string& key,
                 uint32_t otherwise) const;  // the same; more than 32 bits: their largest value
  int32_t integer(const std::string& key, int32_t otherwise) const;  // the same
  std::optional<msg::duration> time(const std::string& key) const;  // the same; nothing when it was not given
  void set(const std::string& key, std::vector<std::string> values) { values_[key] = std::move(values); }

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

struct command {
  std::string path;  // "server start"
  std::string help;
  std::vector<parameter> parameters;
  std::function<int(session&, const arguments&)> run;
  std::vector<std::string> examples = {};
  std::string shortcut = {};  // a top-level word that means the same
  std::string more = {};      // further help
};

struct noun {
  std::string_view word;
  std::string_view help;
};
std::span<const noun> nouns();
const std::vector<command>& commands();
std::vector<parameter> global_parameters();

// One per file of verbs.
std::vector<command> operation_commands();
std::vector<command> server_commands();
std::vector<command> apply_commands();
std::vector<command> logs_commands();
std::vector<command> usage_commands();
std::vector<command> agent_commands();
std::vector<command> op_commands();
std::vector<command> event_commands();
std::vector<command> manager_commands();
std::vector<command> context_commands();
std::vector<command> store_commands();
std::vector<command> key_commands();
std::vector<command> audit_commands();
std::vector<command> access_commands();
std::vector<command> project_commands();
std::vector<command> stray_commands();
std::vector<command> deploy_commands();
std::vector<command> completion_commands();

}  // namespace zedops::ctl
