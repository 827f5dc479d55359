// One Docker host as far as zedops can see it: Engine, disk, and what the agent keeps across its own crashes.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "messages/wire/link.hpp"

namespace zedops::sim {

struct container {
  msg::container_view view;
  std::vector<msg::port_binding> ports;
  std::vector<msg::mount> mounts;
  std::map<std::string, std::string> env;
  std::vector<std::string> networks;
  msg::restart_rule restart = msg::restart_rule::no;
  std::string label(std::string_view key) const {
    auto i = view.labels.find(std::string(key));
    return i == view.labels.end() ? std::string{} : i->second;
  }
  std::string server() const;   // of the label
  std::string manager() const;  // of the label
  bool alive() const {
    return view.state == msg::container_state::running || view.state == msg::container_state::paused ||
           view.state == msg::container_state::restarting;
  }
};

class host {
 public:
  explicit host(std::string host_name) : name(std::move(host_name)) {}

  // ---- faults ----
  bool engine_answers = true;
  bool engine_hangs = false;  // calls never come back
  bool registry_answers = true;
  bool disk_mounted = true;
  msg::duration clock_skew{0};
  // An Engine that goes down stops its containers, and restarts those with a restart rule when it is back.
  void engine_goes();
  void engine_comes();

  // ---- what exists ----
  const std::string name;
  std::map<std::string, container> containers;                // by id
  std::map<std::string, msg::data_state, std::less<>> trees;  // by server name
  std::set<std::string> moved_away;                           // servers whose original tree is still to be removed
  std::set<std::string> images;
  std::function<void(const container& c, const char* action)> on_event;  // what the Engine tells a listener
  std::function<void(const std::string& server_name)> on_data_removed;   // for the auditor

  // ---- the agent's state folder ----
  struct journal_entry {
    bool done = false;
    msg::command_result result;
  };
  msg::agent_id agent;
  std::string manager_id;
  uint64_t term = 0;
  std::map<std::pair<std::string, uint32_t>, journal_entry> journal;  // by (operation, attempt)
  std::map<std::string, bool> adopting;  // by operation: did the original run when it began?
  std::set<std::string> adopted;         // operations past the point of no rollback

  // ---- by hand, as `docker` on the host does it ----
  std::string create(const msg::container_spec& spec);
  void start(const std::string& id);
  void stop(const std::string& id, int64_t exit_code = 0);
  void remove(const std::string& id);
  void rename(const std::string& id, const std::string& to);
  container* find(const std::string& id);
  container* by_name(const std::string& name);
  std::vector<container*> of_server(const std::string& server_id, const std::string& manager);
  msg::data_state data_of(const std::string& server_name) const;
  void remove_data(const std::string& server_name);
  // The error of starting it now: a port that another running container has.
  std::optional<msg::error> start_problem(const std::string& id) const;

 private:
  void event(const container& c, const char* action) const;
  uint64_t made_ = 0;
  std::set<std::string> taken_along_;
};

}  // namespace zedops::sim
