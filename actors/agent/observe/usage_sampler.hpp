// What this host and its containers use, sampled regularly. Free of CAF, like the observer: it lives inside one
// actor, whose run loop it reaches by `post`. One round at a time, so that an Engine that is slow is asked less.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "actors/agent/observe/container_map.hpp"
#include "actors/agent/ports.hpp"
#include "integration/docker/engine.hpp"
#include "integration/host/machine_usage.hpp"

namespace zedops::agent {

inline constexpr size_t usage_asks_max = 4;  // containers asked about at once
inline constexpr msg::duration usage_every_min{1'000};
inline constexpr msg::duration usage_watch_max{60'000};  // how long a watch lasts unless it is asked for again
inline constexpr msg::duration usage_deadline{5'000};    // of one container's answer
inline constexpr msg::duration usage_round_max{30'000};  // then the answers so far are reported, and the rest is a gap

struct sampler_ports {
  docker::engine& engine;
  worker_port& disks;  // reads what the machine uses
  std::function<host::machine_usage()> machine;
  const container_map& view;
  std::function<void(std::function<void()>)> post;  // runs it in the owner's context, later
  std::function<std::chrono::steady_clock::time_point()> now;
  std::function<void(msg::usage)> tell;
};

class usage_sampler {
 public:
  explicit usage_sampler(sampler_ports ports) : p_(std::move(ports)) {}

  void every(msg::duration period);  // zero: not at all
  void watch(const msg::watch_usage& w);
  // Once a second.
  void tick();

 private:
  using steady = std::chrono::steady_clock::time_point;
  struct counters {
    docker::container_stats seen;
    steady at;
  };
  struct watched {
    msg::duration every{};
    steady until;
  };
  struct round {
    uint64_t serial = 0;
    steady until;
    std::deque<std::pair<msg::server_id, std::string>> to_ask;  // with the id of its container
    size_t open = 0;
    msg::usage out;
  };

  void begin(const std::set<msg::server_id>* only);  // null: all
  void pump();
  void end();
  void on_stats(const msg::server_id& server, const std::string& container,
                const msg::result<docker::container_stats>& s);
  msg::usage_sample host_sample(const host::machine_usage& m);

  sampler_ports p_;
  msg::duration every_{};
  steady next_{}, next_watched_{};
  std::map<msg::server_id, watched> watched_;
  uint64_t serial_ = 0;
  std::optional<round> round_;
  bool machine_open_ = false;               // it has not answered: its disk may hang
  std::map<std::string, counters> before_;  // by container id
  host::cpu_time cpu_before_;
};

// What was used between two looks at one container.
msg::usage_sample used_between(const docker::container_stats& before, const docker::container_stats& after,
                               std::chrono::nanoseconds apart);

}  // namespace zedops::agent
