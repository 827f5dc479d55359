// The agent's actors under simulated time, with a fake Engine, disk and manager.
#pragma once
#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "actors/agent/engine/engine_watcher.hpp"
#include "actors/agent/session/agent_core.hpp"
#include "persistence/memory_store.hpp"
#include "tests/sim/agent/fake_docker.hpp"
#include "tests/support/catch.hpp"

namespace zedops::test {

using namespace std::chrono_literals;

struct fake_host final : agent::machine_port {
  const fake_docker* docker = nullptr;          // its running containers hold their ports
  std::map<std::string, msg::data_state> data;  // by server name; else absent
  bool mounted = true;
  std::string kept_backups;  // what a removal reports as left
  host::data_report check(const host::check_request& r) override {
    host::data_report out;
    auto i = data.find(r.name);
    out.state = !mounted ? msg::data_state::unknown : i == data.end() ? msg::data_state::absent : i->second;
    if (!mounted) out.error = "not mounted";
    return out;
  }
  std::string root_owner;
  std::string owner_of_root(const std::string&) override { return root_owner; }
  msg::result<host::root_made> prepare_root(const host::data_root&) override { return host::root_made::existed; }
  msg::result<unsigned> make_dirs(const host::dirs_request& r) override {
    data.emplace(r.name, msg::data_state::empty);
    return 1u;
  }
  msg::result<host::removed_tree> remove_tree(const host::remove_request& r) override {
    data.erase(r.name);
    return host::removed_tree{42, kept_backups};
  }
  // A move: `copy` is what exists at the target, `data` is what counts, by name.
  host::copy_stage copy = host::copy_stage::none;
  std::optional<msg::error> copy_fails;
  std::function<void()> while_copying;
  std::vector<std::string> copying;  // what was done, in order
  std::vector<std::string> dropped;  // ids of operations whose copy was removed or kept
  msg::result<uint64_t> free_space_at(const std::string&) override { return uint64_t{1} << 40; }
  msg::result<void> check_new_root(const std::string&) override { return {}; }
  msg::result<void> check_bind(const std::string&) override { return {}; }
  msg::result<host::copy_stage> look_at_copy(const host::copy_request&) override { return copy; }
  bool stopped = false;  // from then on `size_after_stop` is what is left to copy
  std::optional<host::copy_size> size_after_stop;
  msg::result<host::copy_size> check_copy(const host::copy_request&) override {
    return stopped && size_after_stop ? *size_after_stop : host::copy_size{1000, 3};
  }
  msg::result<host::copy_size> copy_tree(const host::copy_request&, const host::copy_progress& progress) override {
    copying.push_back("copy");
    copy = host::copy_stage::partial;
    if (while_copying) while_copying();
    if (copy_fails) return msg::fail(*copy_fails);
    for (auto phase : {host::copy_phase::copying, host::copy_phase::verifying})
      if (!progress(phase, 500)) return msg::fail(msg::ec::cancelled, "the copy was ended");
    return host::copy_size{1000, 3};
  }
  msg::result<void> place_copy(const host::copy_request&) override {
    copying.push_back("place");
    copy = host::copy_stage::placed;
    return {};
  }
  msg::result<std::string> drop_copy(const host::copy_request& r, host::copy_fate fate) override {
    dropped.push_back(r.id);
    copying.push_back(fate == host::copy_fate::keep ? "keep" : "drop");
    copy = host::copy_stage::none;
    return fate == host::copy_fate::keep ? std::string("/aside/tree") : std::string{};
  }
  msg::result<void> finish_copy(const host::copy_request&) override {
    copying.push_back("finish");
    copy = host::copy_stage::none;
    return {};
  }
  host::port_sight sight_of_ports() override { return {host::visibility::visible, {}}; }
  std::vector<host::port_report> check_ports(const std::vector<host::port_query>& all) override {
    std::vector<host::port_report> out;
    for (auto& q : all) {
      auto row = host::port_report{q.port, q.proto, host::port_state::free, {}};
      if (docker && docker->holds(q.port)) row.state = host::port_state::taken, row.by = "pid 1 (docker-proxy)";
      out.push_back(row);
    }
    return out;
  }
};

struct fake_console final : agent::console_port {
  fake_docker& docker;
  bool refuses = false;
  explicit fake_console(fake_docker& d) : docker(d) {}
  msg::result<std::string> execute(const rcon::target& to, const std::vector<std::string>& commands) override {
    if (refuses) return msg::fail(msg::ec::agent_unreachable, "no connection to " + to.host);
    for (auto& c : commands) docker.calls.push_back("console " + c + " at " + to.host + ":" + std::to_string(to.port));
    return std::string{};
  }
};

// Does the work at once, or holds it until release().
struct manual_worker final : agent::worker_port {
  bool hold = false;
  std::deque<std::function<void()>> held;
  void run(std::function<void()> work) override {
    if (hold) held.push_back(std::move(work));
    else work();
  }
  std::string hung;  // a key whose work does not progress
  void run_for(const std::string& key, std::function<void()> work) override {
    if (!hung.empty() && key == hung) held.push_back(std::move(work));
    else run(std::move(work));
  }
  void release() {
    auto all = std::exchange(held, {});
    for (auto& w : all) w();
  }
};

struct recorder final : agent::link_port {
  std::vector<msg::from_agent> said;
  bool full = false;
  bool send(const msg::from_agent& m, uint64_t) override {
    if (full) return false;
    said.push_back(m);
    return true;
  }
};

struct agent_config : caf::actor_system_config {
  agent_config() { set("scheduler.policy", caf::atom("testing")); }
};

struct agent_world {
  fake_docker docker;
  fake_host host;
  fake_console console{docker};
  store::memory_store store;
  std::unique_ptr<agent::agent_state> state;
  recorder link;
  manual_worker lanes, others;
  std::string accepts_engine;
  std::optional<agent::engine_identity> engine_is;
  std::optional<agent::step_env> env;
  std::optional<msg::error> final;
  bool listens = true;
  std::optional<host::machine_usage> machine;  // its usage; empty: it cannot be read
  std::string boot_id = "boot-1";
  size_t boot_starts = 4;
  agent::site_world* serves = nullptr;  // from the next spawn on
  agent_config config;
  caf::actor_system sys{config};
  caf::scheduler::test_coordinator& sched = dynamic_cast<caf::scheduler::test_coordinator&>(sys.scheduler());
  agent::core_actor core;
  agent::watcher_actor watcher;

  agent_world();
  ~agent_world();
  void spawn();  // a new process with the same state
  void kill();

  void settle() { sched.run(); }
  void advance(std::chrono::milliseconds d);
  void pass(std::chrono::seconds d);  // the same, with a manager that is never silent
  void link_is(bool up);
  void say(msg::to_agent m, uint64_t session = 7);
  void welcome(std::vector<msg::known_server> servers = {}, uint64_t term = 1);

  template <class T>
  std::vector<T> all(size_t since = 0) const {
    std::vector<T> out;
    for (size_t i = since; i < link.said.size(); ++i)
      if (auto m = std::get_if<T>(&link.said[i])) out.push_back(*m);
    return out;
  }
  size_t mark() const { return link.said.size(); }

  static docker::labels labels_of(const std::string& server);
  static msg::known_server known(const std::string& server, const std::string& container = {});
  // A server that its agent guards: it should run, and is restarted after crashes.
  static msg::known_server guarded(const std::string& server, const std::string& container,
                                   msg::crash_policy policy = msg::crash_policy::on_failure);
  msg::time_point wall();
  static msg::run_command command(const std::string& op, const std::string& server,
                                  msg::command_kind kind = msg::command_kind::run);
};

}  // namespace zedops::test
