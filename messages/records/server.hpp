// The records: what zedops knows of a server, an agent and an operation. Stored as MessagePack arrays, so each field
// list is append-only. Public forms of the same things are in views.hpp.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/base/boxed.hpp"
#include "messages/base/error.hpp"
#include "messages/base/ids.hpp"
#include "messages/records/container.hpp"
#include "messages/records/spec.hpp"

namespace zedops::msg {

// Where a server stands. `purged` is seen in history only: the record is gone.
ZEDOPS_ENUM(server_status, creating, running, stopped, missing, failed, deleting, deleted, purged)
// What the user last asked for; observations never change it.
ZEDOPS_ENUM(desired_state, running, stopped, deleted, purged)
// What is on disk. `unknown` is an error while looking and permits nothing; `empty` means directories without content.
ZEDOPS_ENUM(data_state, unknown, absent, empty, present)
// Whether a server ever had data. Unknown for one recorded before this was kept.
ZEDOPS_ENUM(data_past, unknown, none, some)
enum class recovery_policy : uint8_t { manual, automatic };
template <>
struct enum_names<recovery_policy> {  // `auto` is a keyword of C++, so the list is spelled out
  static constexpr std::array list = {std::string_view{"manual"}, std::string_view{"auto"}};
};
// Who reacts when a server's container ends by itself. engine: the restart rule of the container alone. Otherwise the
// container is made without such a rule and its agent decides, also while the manager is away: never starts it again,
// on_failure only after a bad exit, always after any.
enum class crash_policy : uint8_t { engine, leave, on_failure, always };
template <>
struct enum_names<crash_policy> {  // `never` is a time here, and the words are those of the client
  static constexpr std::array list = {std::string_view{"engine"}, std::string_view{"never"},
                                      std::string_view{"on-failure"}, std::string_view{"always"}};
};
// other: a fixed port of the template.
ZEDOPS_ENUM(port_role, game, udp, rcon, other)
// How well a server is, beside where it stands. Several may hold at once; see conditions_of in condition.hpp.
ZEDOPS_ENUM(condition, ok, starting, unhealthy, paused, restarting, drift, pending_rebuild, stale, data_missing)

// Of servers up to adopt; of projects and services from there on.
ZEDOPS_ENUM(op_kind, create, start, stop, restart, rebuild, recreate, edit, remove, restore, purge, move, adopt,
            create_project, edit_project, remove_project, create_service, edit_service, remove_service, deploy,
            rollback, start_service, stop_service)
ZEDOPS_ENUM(op_status, accepted, running, succeeded, failed, cancelled)

constexpr bool ended(op_status s) {
  return s == op_status::succeeded || s == op_status::failed || s == op_status::cancelled;
}

// One call of an agent to its Engine, as it went.
struct engine_call {
  std::string call;     // "create zedops-arena", "start 0123456789ab"
  uint16_t status = 0;  // the Engine's HTTP status; zero: no answer
  duration took{};
  std::string problem;
  time_point at{};  // the host's clock
  ZEDOPS_FIELDS(call, status, took, problem, at)
  friend bool operator==(const engine_call&, const engine_call&) = default;
};
inline constexpr size_t engine_calls_max = 64;  // kept of one operation, the newest

struct operation {
  operation_id id;
  op_kind kind = op_kind::create;
  entity_id target;
  std::string target_name;
  std::string actor;  // who asked: a user name, or "system:recovery", "system:retention", "system:reconcile"
  op_status status = op_status::accepted;
  std::string step;       // what is being done now, a word of the agent's or "waiting_for_agent"
  uint32_t progress = 0;  // 0-100
  std::string note;       // one line for people, e.g. how much of a pull is done
  time_point started_at{};
  time_point deadline{};
  time_point ended_at{};
  std::optional<error> failure;
  std::string idempotency_key;
  uint64_t request_hash = 0;  // of verb, target and body: a key may not be reused for another request
  uint32_t attempt = 1;       // counts the commands sent to the agent for this operation
  uint64_t seq = 0;           // last event number of subject operation.<id>
  bool fresh = false;         // may begin with empty directories
  bool remove_data = false;
  server_status prior = server_status::creating;  // what cancelling goes back to
  desired_state prior_desired = desired_state::running;
  std::vector<engine_call> calls{};  // what its agent asked the Engine for, reported with the result
  // Of a move: the data roots. Both hold all data from the switch until the old tree is removed, one of them always.
  std::string data_from;
  std::string data_to;
  std::string original;  // of an adoption: id of the container that is taken over
  ZEDOPS_FIELDS(id, kind, target, target_name, actor, status, step, progress, note, started_at, deadline, ended_at,
                failure, idempotency_key, request_hash, attempt, seq, fresh, remove_data, prior, prior_desired, calls,
                data_from, data_to, original)
  friend bool operator==(const operation&, const operation&) = default;
};

// How a crash policy is applied; what a template says.
struct crash_rules {
  crash_policy policy = crash_policy::engine;
  uint32_t restarts_max = 5;    // starts within the window; after that the server is given up
  duration window{600'000};     // over which starts are counted
  duration backoff_min{1'000};  // before the second start within the window; doubles with each further one
  duration backoff_max{60'000};
  duration healthy_after{300'000};  // running this long forgets the crashes before
  bool exit_zero_is_crash = false;  // on_failure only: an orderly end is started again too
  ZEDOPS_FIELDS(policy, restarts_max, window, backoff_min, backoff_max, healthy_after, exit_zero_is_crash)
  friend bool operator==(const crash_rules&, const crash_rules&) = default;
};

// Something an agent did, or saw, on its own authority. Reported to the manager in order, once it is connected.
// exited: the container ended by itself. restarted, restart_failed: the crash policy started it. gave_up: too many
// crashes within the window. boot_started, boot_failed: the host came up and the server was to run.
ZEDOPS_ENUM(incident_kind, exited, restarted, restart_failed, gave_up, boot_started, boot_failed)
struct incident {
  uint64_t seq = 0;  // consecutive per agent
  server_id server;
  incident_kind kind = incident_kind::exited;
  std::string container_id;
  int64_t exit_code = 0;
  uint32_t crashes = 0;  // within the window
  duration next_in{};    // until the next start, 1 ms: at once; zero: none is planned
  std::string detail;    // one line for people
  time_point at{};       // the host's clock
  ZEDOPS_FIELDS(seq, server, kind, container_id, exit_code, crashes, next_in, detail, at)
  friend bool operator==(const incident&, const incident&) = default;
};

inline constexpr std::string_view step_waiting = "waiting_for_agent";
inline constexpr std::string_view step_proving = "proving";  // its container runs and has to stay up

// A port that this server holds on its agent until it is purged.
struct reserved_port {
  port_role role = port_role::game;
  protocol proto = protocol::udp;
  uint16_t number = 0;
  ZEDOPS_FIELDS(role, proto, number)
  friend bool operator==(const reserved_port&, const reserved_port&) = default;
};

// Restarts without a request, by Engine or agent, with less than restart_quiet between one and the next.
struct restart_series {
  uint32_t count = 0;
  time_point since{};  // the first
  time_point last{};
  ZEDOPS_FIELDS(count, since, last)
  friend bool operator==(const restart_series&, const restart_series&) = default;
};

struct server {
  server_id id;
  std::string name;
  agent_id agent;
  std::string template_name;
  std::string image;
  std::string image_tag;
  std::map<std::string, std::string> env;  // as the user gave it; ports are injected when a container is made
  std::vector<reserved_port> ports;
  std::string data_path;  // empty: the agent's
  recovery_policy recovery = recovery_policy::manual;
  server_status status = server_status::creating;
  desired_state desired = desired_state::running;
  data_state data = data_state::unknown;
  std::optional<uint64_t> data_bytes;
  std::string container_id;
  std::optional<container_state> container;  // the Engine's word, when one was seen
  health_state health = health_state::none;
  int64_t exit_code = 0;
  uint64_t restarts = 0;
  bool has_run = false;          // was running at least once: from then on its data counts
  bool pending_rebuild = false;  // edited since its container was made
  bool stale = false;            // the last attempt to observe failed
  std::string drift;             // what differs outside: renamed, label lost, a second container
  sparse<error> last_error;
  time_point created_at{};
  time_point updated_at{};
  time_point observed_at{};  // of the last change; every sync in between has confirmed it
  time_point deleted_at{};
  time_point purge_at{};
  uint64_t revision = 0;  // counts changes of this record
  uint64_t seq = 0;       // last event number of subject server.<id>
  uint64_t log_head = 0;  // newest log entry of this server; entries are chained back from it
  sparse<operation> op;   // the one open operation
  crash_policy crash = crash_policy::engine;
  int32_t priority = 0;       // higher ones are started first after their host came up
  uint64_t incident_seq = 0;  // number of the last incident of its agent that is recorded here
  sparse<restart_series> restart_run;
  std::string container_image;  // what its container was made from, as the Engine says
  time_point started_at{};      // of its container, by the host's clock, as last seen
  data_past past = data_past::unknown;
  time_point failed_at{};  // when last_error came
  sparse<server_spec> spec;
  std::string data_problem;         // why its data cannot be looked at now: `data` is what was known before
  time_point data_problem_since{};  // when that began
  ZEDOPS_FIELDS(id, name, agent, template_name, image, image_tag, env, ports, data_path, recovery, status, desired,
                data, data_bytes, container_id, container, health, exit_code, restarts, has_run, pending_rebuild, stale,
                drift, last_error, created_at, updated_at, observed_at, deleted_at, purge_at, revision, seq, log_head,
                op, crash, priority, incident_seq, restart_run, container_image, started_at, past, failed_at, spec,
                data_problem, data_problem_since)
  friend bool operator==(const server&, const server&) = default;
};

ZEDOPS_ENUM(agent_status, pending, online, suspect, unreachable, revoked)

constexpr bool is_connected(agent_status s) { return s == agent_status::online || s == agent_status::suspect; }

struct agent {
  agent_id id;
  std::string name;
  agent_status status = agent_status::pending;
  std::string hostname;
  std::string data_path;
  std::string version;
  std::string engine_version;
  std::string api_version;
  bool engine_ok = false;  // the agent reaches its Engine
  time_point created_at{};
  time_point updated_at{};
  time_point last_seen{};
  uint64_t revision = 0;
  uint64_t seq = 0;  // last event number of subject agent.<id>
  uint64_t log_head = 0;
  // Many of its servers were gone at once: nothing recovers by itself until that is cleared up.
  time_point held_since{};
  std::string engine_problem;  // why it does not work with its Engine
  ZEDOPS_FIELDS(id, name, status, hostname, data_path, version, engine_version, api_version, engine_ok, created_at,
                updated_at, last_seen, revision, seq, log_head, held_since, engine_problem)
  friend bool operator==(const agent&, const agent&) = default;
};

// Data that a purge kept: no record owns it any more, and a new server of that name must ask before using it.
struct orphan_data {
  agent_id agent;
  std::string name;
  std::string path;
  std::optional<uint64_t> bytes;
  server_id former_id;
  time_point since{};
  ZEDOPS_FIELDS(agent, name, path, bytes, former_id, since)
  friend bool operator==(const orphan_data&, const orphan_data&) = default;
};

}  // namespace zedops::msg
