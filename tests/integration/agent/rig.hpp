// The agent's core on a real Engine and a real disk, with the test in the manager's place.
#pragma once
#include <caf/all.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "actors/agent/engine/engine_watcher.hpp"
#include "actors/agent/lanes/workers.hpp"
#include "actors/agent/session/agent_core.hpp"
#include "persistence/memory_store.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/engine_fixture.hpp"

namespace zedops::test {

using namespace std::chrono_literals;

// A short settle time for containers that surely stay up, many times over. One that fails ends its proof itself.
inline constexpr msg::duration soon_proven{200};

struct temporary_dir {
  std::filesystem::path path;
  temporary_dir();
  ~temporary_dir();
};

class rig {
 public:
  explicit rig(const std::string& docker_host = test::docker_host());
  ~rig();

  docker::engine& engine() { return *engine_; }
  agent::step_env& env() { return *env_; }
  const std::string& manager_id() const { return manager_id_; }
  std::string data_root() const { return dir_.path / "root"; }

  // ---- as the manager ----
  void say(msg::to_agent m);
  // Dials, is greeted, welcomes, and waits for the first inventory.
  msg::inventory welcome(std::vector<msg::known_server> servers = {});
  // The first message of this kind since `mark` that `matches`; fails the test when none comes.
  template <class T>
  T heard(std::function<bool(const T&)> matches, size_t since = 0, std::chrono::milliseconds within = 30s);
  size_t mark();
  std::vector<msg::from_agent> all() { return said_.value(); }
  msg::command_result run(const msg::run_command& c);
  // Runs the command without the core, as its lane would, and dies at the n-th effect. The name of that effect, or
  // nothing when the command ended before.
  std::optional<std::string> run_until(const msg::run_command& c, int n, std::optional<msg::command_result>& result);
  // The same, at the first effect of this name; the command has to reach it.
  void run_until(const msg::run_command& c, std::string_view effect);
  std::chrono::steady_clock::time_point observed_at(size_t since);  // when the first observation after it was sent

  // ---- a server as a template would make it ----
  msg::server_plan zomboid(const std::string& name);
  msg::server_plan busybox(const std::string& name, std::vector<std::string> command);
  msg::run_command command(msg::command_kind kind, const std::string& name, msg::server_plan plan);
  msg::known_server known(const std::string& name, const msg::server_plan& plan, const std::string& container = {});
  msg::server_id server(const std::string& name) const { return {"s-" + name + "-" + manager_id_}; }

  docker::container_details inspect(const std::string& id);
  std::vector<docker::container_summary> containers(const std::string& name);  // of that server
  std::string docker(const std::string& command);                              // runs the client on this Engine
  bool gone(const std::string& id);

 private:
  std::optional<msg::command_result> run_as_lane(const msg::run_command& c,
                                                 std::function<bool(std::string_view)> dies_at);
  struct to_test final : agent::link_port {
    rig* owner = nullptr;
    bool send(const msg::from_agent& m, uint64_t session) override;
  };

  std::string host_, manager_id_ = unique_name("mgr");
  temporary_dir dir_;
  std::unique_ptr<docker::engine> engine_;
  std::optional<cleanup> cleanup_;
  store::memory_store store_;
  std::unique_ptr<agent::agent_state> state_;
  std::unique_ptr<agent::machine_port> machine_;
  std::unique_ptr<agent::console_port> console_;
  std::optional<agent::step_env> env_;
  to_test link_;
  watched<std::vector<msg::from_agent>> said_;
  std::vector<std::chrono::steady_clock::time_point> said_at_;  // guarded by said_
  struct config : caf::actor_system_config {
    config();
  } config_;
  caf::actor_system system_{config_};
  agent::worker_pool lanes_{"lane", 8}, slow_{"sizes", 1}, keeper_{"keeper", 1};
  agent::keyed_workers disks_{"data"};
  agent::core_actor core_;
  agent::watcher_actor watcher_;
  uint64_t operations_ = 0;
};

template <class T>
T rig::heard(std::function<bool(const T&)> matches, size_t since, std::chrono::milliseconds within) {
  std::optional<T> found;
  said_.wait(
      [&](const std::vector<msg::from_agent>& all) {
        for (size_t i = since; i < all.size(); ++i)
          if (auto m = std::get_if<T>(&all[i]); m && matches(*m)) {
            found = *m;
            return true;
          }
        return false;
      },
      within);
  if (!found) FAIL("the agent did not say what was expected");
  return *found;
}

}  // namespace zedops::test
