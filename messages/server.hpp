// The records: what zedops knows of a server, an agent and an operation. Stored as MessagePack arrays, so each field
// list is append-only. Public forms of the same things are in views.hpp.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/container.hpp"
#include "messages/error.hpp"
#include "messages/ids.hpp"

namespace zedops::msg {

// Where a server stands. `purged` is seen in history only: the record is gone.
ZEDOPS_ENUM(server_status, creating, running, stopped, missing, failed, deleting, deleted, purged)
// What its owner last asked for; observations never change it.
ZEDOPS_ENUM(desired_state, running, stopped, deleted, purged)
// What is on disk. `unknown` is an error while looking and permits nothing; `empty` means directories without content.
ZEDOPS_ENUM(data_state, unknown, absent, empty, present)
enum class recovery_policy : uint8_t { manual, automatic };
template <>
struct enum_names<recovery_policy> {  // `auto` is a keyword of C++, so the list is spelled out
  static constexpr std::array list = {std::string_view{"manual"}, std::string_view{"auto"}};
};
ZEDOPS_ENUM(port_role, game, udp, rcon)

ZEDOPS_ENUM(op_kind, create, start, stop, restart, rebuild, recreate, edit, remove, restore, purge)
ZEDOPS_ENUM(op_status, accepted, running, succeeded, failed, cancelled)

constexpr bool ended(op_status s) {
  return s == op_status::succeeded || s == op_status::failed || s == op_status::cancelled;
}

struct operation {
  operation_id id;
  op_kind kind = op_kind::create;
  server_id target;
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
  ZEDOPS_FIELDS(id, kind, target, target_name, actor, status, step, progress, note, started_at, deadline, ended_at,
                failure, idempotency_key, request_hash, attempt, seq, fresh, remove_data, prior, prior_desired)
  friend bool operator==(const operation&, const operation&) = default;
};

inline constexpr std::string_view step_waiting = "waiting_for_agent";

// A port that this server holds on its agent until it is purged.
struct reserved_port {
  port_role role = port_role::game;
  protocol proto = protocol::udp;
  uint16_t number = 0;
  ZEDOPS_FIELDS(role, proto, number)
  friend bool operator==(const reserved_port&, const reserved_port&) = default;
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
  std::optional<error> last_error;
  time_point created_at{};
  time_point updated_at{};
  time_point observed_at{};  // of the last change; every sync in between has confirmed it
  time_point deleted_at{};
  time_point purge_at{};
  uint64_t revision = 0;        // counts changes of this record
  uint64_t seq = 0;             // last event number of subject server.<id>
  uint64_t log_head = 0;        // newest log entry of this server; entries are chained back from it
  std::optional<operation> op;  // the one open operation
  ZEDOPS_FIELDS(id, name, agent, template_name, image, image_tag, env, ports, data_path, recovery, status, desired,
                data, data_bytes, container_id, container, health, exit_code, restarts, has_run, pending_rebuild, stale,
                drift, last_error, created_at, updated_at, observed_at, deleted_at, purge_at, revision, seq, log_head,
                op)
  friend bool operator==(const server&, const server&) = default;
};

ZEDOPS_ENUM(agent_status, pending, online, suspect, unreachable, revoked)

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
  ZEDOPS_FIELDS(id, name, status, hostname, data_path, version, engine_version, api_version, engine_ok, created_at,
                updated_at, last_seen, revision, seq, log_head)
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
