// Keeps the view of this host true: turns hints of the Engine into inspected observations, and takes inventories.
// Free of CAF: it lives inside one actor, whose run loop it reaches by `post`.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/agent/observe/container_map.hpp"
#include "actors/agent/ports.hpp"
#include "integration/docker/engine.hpp"

namespace zedops::agent {

inline constexpr size_t looks_max = 4096;         // containers being looked at or waiting for it; beyond: inventory
inline constexpr size_t look_inspects_max = 32;   // inspections for events, at once
inline constexpr size_t round_inspects_max = 16;  // inspections for an inventory, at once
inline constexpr size_t sync_requests_max = 64;   // answered by one inventory round
// Each container is inspected at least once in this time, also one that looks as before: so changes are found that no
// event reported and the list does not show.
inline constexpr msg::duration inspected_every{480'000};
inline constexpr msg::duration look_deadline{5'000};
inline constexpr msg::duration list_deadline{15'000};
// A disk that does not answer does not hold up the report on the container; its data is unknown until it does.
inline constexpr msg::duration data_deadline{1'500};         // for an event
inline constexpr msg::duration round_data_deadline{10'000};  // for all servers of one root

enum class depth { changed, all };  // which containers an inventory inspects: those whose line differs, or every one

struct observer_ports {
  docker::engine& engine;
  machine_port& host;
  worker_port& disks;                               // looks at data, by root
  std::function<void(std::function<void()>)> post;  // runs it in the owner's context, later
  std::function<void(msg::duration, std::function<void()>)> after;
  clocks clock;
  msg::agent_id owner;
  // False: nothing listens on the Engine's socket any more: what it still says on open connections is part of its end.
  std::function<bool()> engine_listens;
  std::function<void(msg::observed)> on_observed;
  std::function<void(msg::inventory)> on_inventory;
};

class observer {
 public:
  explicit observer(observer_ports ports) : p_(std::move(ports)) {}

  container_map& view() { return view_; }

  void engine_up() { engine_ok_ = true; }
  // Looks in progress conclude nothing; a running inventory fails.
  void engine_down(const msg::error& why);
  void on_event(const docker::event& e);
  // `request` zero: unasked. Requests that come during a round are answered by the next one.
  void take_inventory(uint64_t request, depth d);
  // Something could not be reported or looked at: take an inventory when possible.
  void needs_inventory() { stale_ = true; }
  // Once a second.
  void tick();

 private:
  struct data_look {
    msg::data_state state = msg::data_state::unknown;
    std::string problem;  // why it is unknown
  };
  using found_data = std::map<msg::server_id, data_look>;
  struct looking {
    uint64_t serial = 0;
    msg::server_id server;
    std::string hint;
    std::optional<std::string> again;  // hint of an event that came meanwhile
    container_map::ticket ticket = 0;
    std::optional<msg::result<docker::container_details>> seen;
    std::optional<data_look> data;
  };
  struct round {
    uint64_t serial = 0;
    std::vector<uint64_t> requests;
    depth how = depth::changed;
    std::chrono::steady_clock::time_point begun;
    bool listed = false;
    std::deque<std::string> to_inspect;
    std::set<std::string> by_turn;  // of these, those that are inspected because it is their turn
    size_t inspecting = 0;
    found_data data;
    size_t roots_open = 0;  // that have not answered yet
  };
  struct disk {
    size_t asked = 0;      // looks that have not come back
    bool overdue = false;  // one of them is late: until it is back nothing further is asked
  };

  // observer_looks.cpp
  void look(const std::string& container, msg::server_id server, std::string hint);
  void begin_look(const std::string& container);
  void on_seen(const std::string& container, uint64_t serial, msg::result<docker::container_details> seen);
  void end_look(const std::string& container);
  void conclude(looking& l, const std::string& container);
  void tell(const msg::server_id& server, const std::string& hint, data_look data);
  void check_data(const msg::server_id& server, std::function<void(data_look)> then);
  void ask_disk(const std::string& root, std::map<msg::server_id, host::check_request> what, msg::duration at_most,
                std::function<void(found_data)> then);
  void disk_answered(const std::string& root);

  // observer_round.cpp
  void begin_round();
  void on_listed(uint64_t serial, container_map::ticket t, msg::result<std::vector<docker::container_summary>> listed);
  void inspect_some(const std::vector<std::string>& there);
  void pump_round();
  void on_round_seen(uint64_t serial, container_map::ticket t, const std::string& id,
                     msg::result<docker::container_details> seen);
  void begin_round_data();
  void finish_round();
  void fail_round(const msg::error& why);
  void end_round(msg::inventory report);

  observer_ports p_;
  container_map view_;
  bool engine_ok_ = false, stale_ = false;
  std::optional<msg::error> problem_;
  uint64_t serial_ = 0;
  std::chrono::steady_clock::time_point some_inspected_{};
  std::map<std::string, std::chrono::steady_clock::time_point> inspected_;  // when last, by container id
  std::map<std::string, looking> looks_;                                    // by container id
  std::deque<std::string> waiting_;  // container ids whose inspection has to wait
  size_t inspecting_ = 0;
  std::optional<round> round_;
  std::map<std::string, disk> disks_;  // by root
  std::vector<uint64_t> next_requests_;
  std::optional<depth> next_;
};

}  // namespace zedops::agent
