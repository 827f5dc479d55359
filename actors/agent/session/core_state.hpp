// The core's state and handlers; one source file per concern. Private to the core.
#pragma once
#include <caf/all.hpp>
#include <deque>
#include <map>
#include <memory>
#include <set>

#include "actors/agent/deploy/site_keeper.hpp"
#include "actors/agent/deploy/stray_watch.hpp"
#include "actors/agent/guardian/guardian.hpp"
#include "actors/agent/observe/observer.hpp"
#include "actors/agent/observe/usage_sampler.hpp"
#include "actors/agent/session/agent_core.hpp"

namespace zedops::agent {

struct core_state {
  static inline constexpr const char* name = "agent-core";
  enum class phase { offline, greeting, live };

  // core_session.cpp
  void start(core_actor::pointer me, std::shared_ptr<core_deps> d);
  void on_link(link_input& in);
  void on_tick();
  void on_stop();
  void on_message(manager_said& m);
  void on_welcome(const msg::welcome& w);
  void decline(const msg::welcome& w, const msg::error& why);
  void settle_in(const msg::welcome& w);
  void on_refused(const msg::refused& r);
  void hello();
  void heartbeat(uint64_t nonce);
  void on_ping(const msg::ping& p);
  bool send(const msg::from_agent& m);
  void enter(phase p);

  // core_engine.cpp
  void on_engine(engine_input& in);
  void on_inventory(msg::inventory i);

  // core_commands.cpp
  void on_command(msg::run_command c);
  void on_cancel(const msg::cancel_command& c);
  void supersede(const msg::run_command& by);
  void call_off(msg::run_command c, std::string why);
  bool has_begun(const msg::run_command& c) const;
  msg::command_result refusal(const msg::run_command& c, msg::agent_refusal kind, msg::error why) const;
  void start_lanes();
  void tell_waiting();
  void on_finished(std::shared_ptr<active_command> a, msg::command_result r);
  void send_result(msg::command_result r);
  void flush_results();

  // core_guard.cpp
  void make_guardian();
  void on_watch(msg::watch_servers w);
  void complete(msg::known_server& s) const;
  void hand_over();
  void look_alone();

  // core_sites.cpp
  void keep_sites();
  void tell_sites();
  void on_phase_ended();
  bool of_a_project(const docker::event& e);
  void keep_servers();
  bool goes_again();
  void keep_containers();
  void look_for_lost(const msg::sync_query& q);
  void look_for_strays(const msg::sync_query& q);
  void remove_strays(std::vector<stray> list);
  void seen_container(const std::string& service, bool made, const std::string& problem);

  // core_queries.cpp
  void on_data_query(const msg::data_query& q);
  void on_port_query(const msg::port_query& q);
  void on_deployment_log(const msg::logs_query& q, msg::duration hold);
  void on_logs_query(const msg::logs_query& q);
  void on_service_log(const msg::logs_query& q);
  void read_log(const msg::logs_query& q, const std::string& container);
  void refuse_log(const msg::logs_query& q, msg::error why);
  void on_layer_query(const msg::layer_query& q);
  void on_container_query(const msg::container_query& q);
  void on_stray_query(const msg::stray_query& q);

  std::function<void(std::function<void()>)> post() const;
  // For what this actor owns: it must not keep its owner alive.
  std::function<void(std::function<void()>)> weak_post() const;
  std::chrono::steady_clock::time_point now() const { return deps->env.clock.steady(); }

  core_actor::pointer self = nullptr;
  std::shared_ptr<core_deps> deps;
  std::unique_ptr<observer> eyes;
  std::unique_ptr<guardian> guard;
  std::unique_ptr<usage_sampler> usage;  // null: this host's usage is not known
  std::unique_ptr<site_keeper> sites;    // null: this agent serves no static services
  bool servers_busy = false, servers_again = false;
  bool pass_failed = false, event_waits = false;  // of the last pass, in part; an event since is left to the timer
  std::chrono::steady_clock::time_point servers_kept{};              // the end of the last pass over them
  std::deque<std::chrono::steady_clock::time_point> server_repairs;  // of projects' servers, recent ones
  struct container_seen {
    unsigned bad_looks = 0;  // in a row
    std::chrono::steady_clock::time_point bad_at{};
    unsigned cures = 0;  // restarts since it was healthy
    msg::service_seen told;
    std::deque<std::chrono::steady_clock::time_point> repairs{};  // recent ones
  };
  std::map<std::string, container_seen> containers_seen;  // of container services, by service id
  bool containers_timer = false;
  size_t deployment_logs = 0;  // being read
  stray_watch strays;
  std::string next_key;                 // the manager's, as it is kept
  std::optional<std::string> key_told;  // what the manager sent of it in this session
  phase where = phase::offline;
  uint64_t session = 0;
  uint64_t greeting = 0;        // of the hellos: a new number for each session that is wanted
  uint64_t welcome_serial = 0;  // a welcome whose bookkeeping was overtaken by another is void
  // Messages of a manager while its welcome is being written down: they count once that is done.
  std::optional<uint64_t> settling;  // its session
  std::vector<manager_said> early;
  bool stopping = false, refused_for_good = false;
  std::chrono::steady_clock::time_point heard{}, quiet_until{};
  // The Engine, as the watcher reports it.
  bool engine_ok = false, engine_judged = false;
  docker::engine_info engine_info;
  std::string engine_problem;
  uint64_t stream = 0;  // generation; zero: none stands
  // Commands.
  lane_book book;
  std::map<msg::server_id, std::shared_ptr<active_command>> active;
  struct turn {
    std::chrono::steady_clock::time_point since;
    std::chrono::minutes told{0};
  };
  std::map<msg::operation_id, turn> turns;  // of deployments that wait for a free lane
  std::deque<msg::command_result> unsent;
  std::set<msg::operation_id> called_off;  // waiting commands that have something to roll back
  // Incidents on their way to the manager: not before it has the present inventory.
  bool inventory_told = false;
  std::optional<std::chrono::steady_clock::time_point> handed_at;
  std::chrono::steady_clock::time_point looked{};  // the last inventory
  // Log queries in progress.
  std::map<uint64_t, docker::subscription> reading;
  uint64_t reading_serial = 0;
};

}  // namespace zedops::agent
