// What the agent uses of the outside world besides the Engine. Production and simulation differ only here and in
// docker::engine.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "integration/host/bind_rules.hpp"
#include "integration/host/data/data_dir.hpp"
#include "integration/host/data/data_move.hpp"
#include "integration/host/port_probe.hpp"
#include "integration/rcon/rcon_client.hpp"
#include "messages/wire/link.hpp"

namespace zedops::agent {

// To the manager. Never blocks; false: not connected, or too much is waiting.
class link_port {
 public:
  virtual ~link_port() = default;
  virtual bool send(const msg::from_agent& message, uint64_t session) = 0;
};

// This host's disk and sockets. Blocking: called on worker threads only.
class machine_port {
 public:
  virtual ~machine_port() = default;
  virtual host::data_report check(const host::check_request& request) = 0;
  virtual std::string owner_of_root(const std::string& path) = 0;  // by its marker; empty: there is none
  virtual msg::result<host::root_made> prepare_root(const host::data_root& root) = 0;
  virtual msg::result<unsigned> make_dirs(const host::dirs_request& request) = 0;
  virtual msg::result<host::removed_tree> remove_tree(const host::remove_request& request) = 0;
  // A move; see integration/host/data/data_move.hpp.
  virtual msg::result<uint64_t> free_space_at(const std::string& path) = 0;
  virtual msg::result<void> check_new_root(const std::string& path) = 0;
  virtual msg::result<host::copy_stage> look_at_copy(const host::copy_request& request) = 0;
  virtual msg::result<host::copy_size> check_copy(const host::copy_request& request) = 0;
  virtual msg::result<host::copy_size> copy_tree(const host::copy_request& request,
                                                 const host::copy_progress& progress) = 0;
  virtual msg::result<void> place_copy(const host::copy_request& request) = 0;
  virtual msg::result<std::string> drop_copy(const host::copy_request& request, host::copy_fate fate) = 0;
  virtual msg::result<void> finish_copy(const host::copy_request& request) = 0;
  // Whether a container of ours may mount this path of the host. Errors: forbidden, not_found.
  virtual msg::result<void> check_bind(const std::string& path) = 0;
  virtual host::port_sight sight_of_ports() = 0;
  virtual std::vector<host::port_report> check_ports(const std::vector<host::port_query>& queries) = 0;
};

// The console of a game. Blocking: called on worker threads only.
class console_port {
 public:
  virtual ~console_port() = default;
  virtual msg::result<std::string> execute(const rcon::target& to, const std::vector<std::string>& commands) = 0;
};

// Runs work elsewhere: threads in production, at once in simulation.
class worker_port {
 public:
  virtual ~worker_port() = default;
  virtual void run(std::function<void()> work) = 0;
  // Work on one disk: work that hangs there holds up only work with the same key.
  virtual void run_for(const std::string& key, std::function<void()> work) {
    (void)key;
    run(std::move(work));
  }
};

struct clocks {
  std::function<msg::time_point()> wall;
  std::function<std::chrono::steady_clock::time_point()> steady;
  std::function<void(std::chrono::milliseconds)> pause;  // of a worker thread
};

std::unique_ptr<machine_port> make_machine_port(std::string engine_socket, std::vector<std::string> bind_paths = {});
std::unique_ptr<console_port> make_console_port();
clocks real_clocks();
// An Engine that shuts down stops listening before it kills its containers. True also when that cannot be seen (no unix
// socket); a socket that systemd holds listens for ever.
bool engine_listens(const std::string& socket);

}  // namespace zedops::agent
