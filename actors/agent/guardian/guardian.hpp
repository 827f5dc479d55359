// Restarts servers that end by themselves, by each one's crash policy, with or without a manager; and, after the host
// or its Engine came up, those that should run. Every exit is dealt with once: it is identified by container and time,
// noted on disk with what is owed for it, and only then acted upon. A restart of the agent goes on from there.
//
//   exit seen -> judged, noted ----> left alone | given up          (incidents: exited, gave_up)
//                    | owed
//                    '-- after the pause, or in its turn --> started (restarted, boot_started, or ..._failed)
//
// Free of CAF: it lives inside the core actor, whose run loop it reaches by `post`.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "actors/agent/guardian/guard_state.hpp"
#include "actors/agent/ports.hpp"
#include "actors/core/guard/boot_queue.hpp"
#include "integration/docker/engine.hpp"

namespace zedops::agent {

inline constexpr msg::duration asked_for_max{10 * 60'000};  // from a signal to the exit that it explains
inline constexpr size_t signals_max = 1024;                 // containers whose last signal is remembered
inline constexpr msg::duration engine_end_max{30'000};      // the Engine may have caused exits just before it went
inline constexpr msg::duration boot_settle{2'000};          // a start loads the host beyond the Engine's answer
inline constexpr msg::duration start_deadline{30'000};

struct guardian_ports {
  docker::engine& engine;
  guard_state& state;
  worker_port& keeper;
  std::function<void(std::function<void()>)> post;                  // runs it in the owner's context, later
  std::function<void(msg::duration, std::function<void()>)> after;  // the same, after a while
  clocks clock;
  std::function<std::string()> manager{};             // whose containers these are
  std::function<bool()> engine_listens{};             // see observer_ports
  std::function<bool(const msg::server_id&)> busy{};  // a command works on it or waits
  std::function<void(const msg::server_id&)> hold{};  // no command may begin on it
  std::function<void(const msg::server_id&)> release{};
  std::function<void()> on_news{};  // incidents are on the disk
  size_t boot_starts_max = 4;
  std::string boot_id{};  // of the host's present run
};

class guardian {
 public:
  explicit guardian(guardian_ports ports);

  // ---- from the manager ----
  void on_welcome(std::vector<msg::known_server> servers);
  void watch(std::vector<msg::known_server> servers, const std::vector<msg::server_id>& forget);
  void on_taken(uint64_t upto);

  // ---- commands: the desired state is noted by the lane itself ----
  void on_command_begins(const msg::server_id& server);
  void on_command_ended(const msg::run_command& c, const msg::command_result& r);

  // ---- what is seen ----
  void on_event(const docker::event& e);
  void on_observed(const msg::observation& o) { consider(o, occasion::event); }
  void on_inventory(const msg::inventory& i);
  void engine_up() { engine_ok_ = true; }
  void engine_down();
  void tick();

 private:
  // The reason for looking at a container decides how one that lies there is judged.
  enum class occasion { event, round, agent_start, engine_return, host_boot };
  struct seen_server {
    std::string alive;          // the container that was seen running
    msg::time_point started{};  // and since when: exits before that are old news
    uint64_t timer = 0;         // serial of the pending start; zero: none
    bool starting = false;
    std::optional<msg::observation> later;  // seen while it was busy
    bool blocked_told = false;              // its data cannot be seen: reported once
    std::string turn;                       // why it is in the queue; empty: for a crash
    std::optional<std::chrono::steady_clock::time_point>
        asked_at;  // its last exit was taken for a stop that somebody asked for
  };
  struct attempt {
    msg::server_id server;
    std::string container;
    msg::incident_kind succeeded = msg::incident_kind::restarted;
    msg::incident_kind failed = msg::incident_kind::restart_failed;
    std::string which{};  // "3 of 17 after the host came up"
  };

  // guardian.cpp
  void consider(const msg::observation& o, occasion why);
  void lies(const msg::observation& o, const guarded& g, occasion why);
  bool asked_for(const std::string& container) const;
  bool boots(const guarded& g) const { return g.known.crash.policy != msg::crash_policy::engine; }
  bool restarts(const guarded& g) const;

  // guardian_starts.cpp
  void judge(const msg::observation& o, const guarded& g, occasion why);
  void owe(const msg::observation& o, const guarded& g, std::string turn);
  void schedule(const msg::server_id& server, msg::duration delay);
  void cancel(const msg::server_id& server);
  void fire(const msg::server_id& server, uint64_t serial);
  void enqueue(const guarded& g, std::string turn);
  void pump();
  void start(attempt a);
  void on_started(const attempt& a, const msg::result<docker::effect>& r);
  void start_failed(const attempt& a, const guarded& g, const msg::error& why);
  void told(const msg::server_id& server, msg::incident_kind kind, const std::string& container,
            const std::function<void(msg::incident&)>& more);
  void save(std::function<void()> then = {});

  guardian_ports p_;
  std::map<msg::server_id, seen_server> seen_;
  std::map<std::string, std::chrono::steady_clock::time_point> signalled_;  // by container
  std::set<msg::server_id> after_boot_;                                     // to be started because the host came up
  core::boot_queue queue_;
  uint64_t serial_ = 0;
  bool engine_ok_ = false, first_round_ = true, engine_returned_ = false, saving_failed_ = false;
};

}  // namespace zedops::agent
