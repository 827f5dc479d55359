// Many simulated agents over the real bus, all in the calling thread: a DEALER each, one poll.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <string>

#include "tools/loadgen/sim_agent.hpp"

namespace zedops::load {

inline constexpr size_t agents_max = 10'000;  // two file descriptors each

struct fleet_options {
  std::string manager_uri;
  std::string manager_key{};  // the manager's public key, for tcp://; the agents have those of key_of_agent
  size_t agents = 1;
  size_t first = 0;  // number of the first agent; several fleets can make up one
  std::string name_prefix = "load-";
  msg::duration work{};                 // how long each command takes
  double mishaps_per_second = 0;        // spread over all servers with a container
  mishap kind = mishap::die;            // `die` alternates with `start`
  std::chrono::milliseconds run_for{};  // zero: until `stop`
  // Called right before the observation of a mishap is sent.
  std::function<void(const msg::server_id&, std::chrono::steady_clock::time_point)> on_mishap;
  std::function<void()> on_ready;  // every agent has been welcomed
};

struct fleet_result {
  uint64_t received = 0, sent = 0, commands = 0, mishaps = 0;
};

// Errors: internal (ZeroMQ), forbidden (an agent was refused for good).
msg::result<fleet_result> run_fleet(const fleet_options& options, const std::atomic<bool>& stop);

}  // namespace zedops::load
