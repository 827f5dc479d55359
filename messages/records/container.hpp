// What a container has to look like and what was seen of one: shared by the manager, which decides, and the agent,
// which executes.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "messages/base/enums.hpp"
#include "messages/base/time.hpp"

namespace zedops::msg {

ZEDOPS_ENUM(protocol, tcp, udp)

struct port_binding {
  uint16_t host_port = 0;
  uint16_t container_port = 0;
  protocol proto = protocol::tcp;
  std::string host_ip;  // empty: all interfaces
  ZEDOPS_FIELDS(host_port, container_port, proto, host_ip)
  friend bool operator==(const port_binding&, const port_binding&) = default;
};

struct mount {
  std::string source;  // absolute path on the host
  std::string target;  // absolute path in the container
  bool read_only = false;
  ZEDOPS_FIELDS(source, target, read_only)
  friend bool operator==(const mount&, const mount&) = default;
};

struct volume_mount {
  std::string name;    // of a volume that exists already; empty: one of the container's own, with `device` behind it
  std::string device;  // folder on the host; the Engine fills it from the image while it is empty
  std::string target;
  ZEDOPS_FIELDS(name, device, target)
  friend bool operator==(const volume_mount&, const volume_mount&) = default;
};

struct healthcheck {
  std::vector<std::string>
      test;             // as the Engine takes it: {"CMD", ...} or {"CMD-SHELL", "..."}; empty: the image's own
  duration interval{};  // zero: the Engine's default, for all four
  duration timeout{};
  duration start_period{};
  uint32_t retries = 0;
  ZEDOPS_FIELDS(test, interval, timeout, start_period, retries)
  friend bool operator==(const healthcheck&, const healthcheck&) = default;
};

struct ulimit {
  int64_t soft = 0;  // -1: unlimited, for both
  int64_t hard = 0;
  ZEDOPS_FIELDS(soft, hard)
  friend bool operator==(const ulimit&, const ulimit&) = default;
};

ZEDOPS_ENUM(restart_rule, no, always, unless_stopped, on_failure)

struct container_spec {
  std::string name;
  std::string image;  // full reference: repository:tag or repository@digest
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> labels;
  std::vector<port_binding> ports;
  std::vector<mount> mounts;
  std::vector<std::string>
      networks;  // the first is the container's network mode, the rest are connected; empty: default bridge
  restart_rule restart = restart_rule::no;
  uint32_t restart_max = 0;             // for on_failure; zero: no limit
  std::vector<std::string> entrypoint;  // empty: the image's
  std::vector<std::string> command;     // empty: the image's
  std::string user;
  std::string working_dir;
  std::string stop_signal;  // empty: the image's, else SIGTERM
  healthcheck health;
  uint64_t memory_max = 0;  // bytes; zero: no limit
  uint32_t cpu_millis = 0;  // thousandths of a core; zero: no limit
  bool tty = false;
  bool open_stdin = false;
  std::vector<volume_mount> volumes{};
  std::string hostname;
  duration stop_timeout{};  // for a manual stop, or when the Engine itself stops; zero: the Engine's default
  bool init = false;        // false: as the Engine is configured
  uint64_t shm_size = 0;    // bytes; zero: the Engine's default
  std::map<std::string, ulimit> ulimits{};
  std::map<std::string, std::string> tmpfs{};  // place: options
  std::string log_driver;                      // empty: the Engine's default
  std::map<std::string, std::string> log_options{};
  std::vector<std::string> cap_add{};
  std::vector<std::string> cap_drop{};
  uint32_t pids_max = 0;           // processes and threads; zero: no limit
  bool no_new_privileges = false;  // its programs cannot gain rights, by setuid for example
  bool read_only_root = false;     // it can write to its folders only
  ZEDOPS_FIELDS(name, image, env, labels, ports, mounts, networks, restart, restart_max, entrypoint, command, user,
                working_dir, stop_signal, health, memory_max, cpu_millis, tty, open_stdin, volumes, hostname,
                stop_timeout, init, shm_size, ulimits, tmpfs, log_driver, log_options, cap_add, cap_drop, pids_max,
                no_new_privileges, read_only_root)
  friend bool operator==(const container_spec&, const container_spec&) = default;
};

// The Engine's own state words.
ZEDOPS_ENUM(container_state, created, running, paused, restarting, removing, exited, dead)

ZEDOPS_ENUM(health_state, none, starting, healthy, unhealthy)

// One container as it was seen.
struct container_view {
  std::string id;
  std::string name;   // without the Engine's leading slash
  std::string image;  // as given at create
  container_state state = container_state::created;
  health_state health = health_state::none;
  int64_t exit_code = 0;
  uint64_t restarts = 0;
  std::map<std::string, std::string> labels;
  time_point started_at{};
  time_point finished_at{};
  ZEDOPS_FIELDS(id, name, image, state, health, exit_code, restarts, labels, started_at, finished_at)
  friend bool operator==(const container_view&, const container_view&) = default;
};

}  // namespace zedops::msg
