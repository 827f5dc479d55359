// Facts: what happened, in the past tense. A log entry is what one decision committed; every fact in it becomes one
// public event. Wire tags are the positions in the variants: append only.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "messages/records/deploy.hpp"
#include "messages/records/server.hpp"

namespace zedops::msg {

// --- server.<id> ---
struct server_created {
  boxed<server> record;
  static constexpr std::string_view type = "server.created";
  ZEDOPS_FIELDS(record)
};
struct server_edited {
  std::string image;
  std::string image_tag;
  std::map<std::string, std::string> env;
  std::string data_path;
  recovery_policy recovery = recovery_policy::manual;
  bool pending_rebuild = false;
  crash_policy crash = crash_policy::engine;
  int32_t priority = 0;
  sparse<server_spec> spec{};
  static constexpr std::string_view type = "server.edited";
  ZEDOPS_FIELDS(image, image_tag, env, data_path, recovery, pending_rebuild, crash, priority, spec)
};
struct status_changed {
  server_status from = server_status::creating;
  server_status to = server_status::creating;
  std::string reason;
  static constexpr std::string_view type = "server.status_changed";
  ZEDOPS_FIELDS(from, to, reason)
};
struct desired_changed {
  desired_state to = desired_state::running;
  static constexpr std::string_view type = "server.desired_changed";
  ZEDOPS_FIELDS(to)
};
// The server's container is now this one; an empty id: it has none.
struct container_bound {
  std::string container_id;
  std::string previous;
  static constexpr std::string_view type = "server.container_bound";
  ZEDOPS_FIELDS(container_id, previous)
};
// What was seen of the container and the data, when it differs from what was known.
struct server_observed {
  std::optional<container_state> container;
  health_state health = health_state::none;
  int64_t exit_code = 0;
  uint64_t restarts = 0;
  data_state data = data_state::unknown;
  std::optional<uint64_t> data_bytes;
  bool stale = false;
  time_point observed_at{};
  std::string image{};         // of the container, as it was made
  time_point started_at{};     // of the container, by the host's clock
  std::string data_problem{};  // why the data could not be looked at; `data` is then what was known before
  time_point finished_at{};    // of a container that has ended, by the host's clock
  static constexpr std::string_view type = "server.observed";
  ZEDOPS_FIELDS(container, health, exit_code, restarts, data, data_bytes, stale, observed_at, image, started_at,
                data_problem, finished_at)
};
struct drift_changed {
  std::string drift;  // empty: no longer
  static constexpr std::string_view type = "server.drift";
  ZEDOPS_FIELDS(drift)
};
struct error_changed {
  std::optional<error> failure;  // empty: cleared
  static constexpr std::string_view type = "server.error_changed";
  ZEDOPS_FIELDS(failure)
};
struct server_deleted {
  time_point deleted_at{};
  time_point purge_at{};
  static constexpr std::string_view type = "server.deleted";
  ZEDOPS_FIELDS(deleted_at, purge_at)
};
struct server_restored {
  time_point restored_at{};
  static constexpr std::string_view type = "server.restored";
  ZEDOPS_FIELDS(restored_at)
};
struct server_purged {
  bool data_removed = false;
  std::string kept_path;  // where data was left, if any was
  std::optional<uint64_t> bytes;
  static constexpr std::string_view type = "server.purged";
  ZEDOPS_FIELDS(data_removed, kept_path, bytes)
};

// --- operation.<id> ---
struct operation_accepted {
  boxed<operation> op;
  static constexpr std::string_view type = "operation.accepted";
  ZEDOPS_FIELDS(op)
};
struct operation_progressed {
  operation_id id;
  op_status status = op_status::running;
  std::string step;
  uint32_t progress = 0;
  std::string note;
  uint32_t attempt = 1;
  time_point deadline{};
  static constexpr std::string_view type = "operation.progress";
  ZEDOPS_FIELDS(id, status, step, progress, note, attempt, deadline)
};
struct operation_ended {
  operation_id id;
  op_status status = op_status::succeeded;
  std::optional<error> failure;
  std::string note;
  time_point ended_at{};
  std::vector<engine_call> calls{};
  static constexpr std::string_view type = "operation.ended";
  ZEDOPS_FIELDS(id, status, failure, note, ended_at, calls)
};
// A request that was heard and refused: the audit record of a write that changed nothing.
struct operation_refused {
  boxed<operation> op;
  static constexpr std::string_view type = "operation.refused";
  ZEDOPS_FIELDS(op)
};

// --- agent.<id> ---
struct agent_registered {
  boxed<agent> record;
  static constexpr std::string_view type = "agent.registered";
  ZEDOPS_FIELDS(record)
};
struct agent_connected {
  std::string hostname;
  std::string data_path;
  std::string version;
  std::string engine_version;
  std::string api_version;
  bool engine_ok = false;
  time_point at{};
  std::string engine_problem{};  // why not
  static constexpr std::string_view type = "agent.online";
  ZEDOPS_FIELDS(hostname, data_path, version, engine_version, api_version, engine_ok, at, engine_problem)
};
struct agent_suspected {
  time_point last_seen{};
  static constexpr std::string_view type = "agent.suspect";
  ZEDOPS_FIELDS(last_seen)
};
struct agent_lost {
  time_point last_seen{};
  static constexpr std::string_view type = "agent.unreachable";
  ZEDOPS_FIELDS(last_seen)
};
struct agent_removed {
  std::string name;
  bool lost = false;  // given up together with its servers
  static constexpr std::string_view type = "agent.removed";
  ZEDOPS_FIELDS(name, lost)
};
struct sync_completed {
  uint64_t servers = 0;
  uint64_t containers = 0;
  std::vector<std::string> changed;    // server ids whose record changed
  std::vector<std::string> unclaimed;  // containers with our label for this manager but no server
  duration took{};
  static constexpr std::string_view type = "sync.completed";
  ZEDOPS_FIELDS(servers, containers, changed, unclaimed, took)
};
struct sync_failed {
  error failure;
  static constexpr std::string_view type = "sync.failed";
  ZEDOPS_FIELDS(failure)
};

// Appended to the list of server.<id>: its agent acted by itself, or saw what explains the next fact.
struct agent_acted {
  incident what;
  static constexpr std::string_view type = "server.agent_acted";
  ZEDOPS_FIELDS(what)
};

// Appended to the list of server.<id>: how well it is has changed.
struct condition_changed {
  std::vector<msg::condition> condition;  // worst first; never empty
  uint32_t restarts = 0;                  // while it is restarting: how often in a row, and since when
  time_point restarting_since{};
  static constexpr std::string_view type = "server.condition_changed";
  ZEDOPS_FIELDS(condition, restarts, restarting_since)
};

// Appended to the list of agent.<id>: most of its servers' containers were gone in one look. No server of it recovers
// by itself until they are back or an operator permits it.
struct recovery_held {
  uint64_t gone = 0;
  uint64_t of = 0;
  time_point at{};
  static constexpr std::string_view type = "agent.recovery_held";
  ZEDOPS_FIELDS(gone, of, at)
};
struct recovery_released {
  std::string why;
  static constexpr std::string_view type = "agent.recovery_released";
  ZEDOPS_FIELDS(why)
};

// --- project.<id> ---
struct project_created {
  boxed<project> record;
  static constexpr std::string_view type = "project.created";
  ZEDOPS_FIELDS(record)
};
struct project_edited {
  std::string description;
  std::string base_domain;
  static constexpr std::string_view type = "project.edited";
  ZEDOPS_FIELDS(description, base_domain)
};
struct project_served {  // on this host, its static services are served at this port
  agent_id agent;
  uint16_t port = 0;
  static constexpr std::string_view type = "project.served";
  ZEDOPS_FIELDS(agent, port)
};
struct project_removed {
  std::string name;
  static constexpr std::string_view type = "project.removed";
  ZEDOPS_FIELDS(name)
};

// --- service.<id> ---
struct service_created {
  boxed<service> record;
  static constexpr std::string_view type = "service.created";
  ZEDOPS_FIELDS(record)
};
struct service_edited {
  uint32_t retention = 0;
  std::string health_path;
  sparse<service_settings> settings{};  // empty: as they were; so is the next one
  sparse<service_hook> hook{};
  std::optional<duration> lives{};
  static constexpr std::string_view type = "service.edited";
  ZEDOPS_FIELDS(retention, health_path, settings, hook, lives)
};
struct service_removed {
  std::string name;
  static constexpr std::string_view type = "service.removed";
  ZEDOPS_FIELDS(name)
};
struct service_started {  // by a user
  static constexpr std::string_view type = "service.started";
  ZEDOPS_FIELDS()
};
struct service_stopped {
  static constexpr std::string_view type = "service.stopped";
  ZEDOPS_FIELDS()
};
struct service_health_changed {
  service_health from = service_health::unknown;
  service_health to = service_health::unknown;
  std::string reason;
  static constexpr std::string_view type = "service.health_changed";
  ZEDOPS_FIELDS(from, to, reason)
};
struct service_repaired {  // its agent repaired what was changed outside of zedops
  std::vector<std::string> repairs;
  static constexpr std::string_view type = "service.repaired";
  ZEDOPS_FIELDS(repairs)
};
struct deployment_started {
  boxed<deployment> record;
  static constexpr std::string_view type = "deployment.started";
  ZEDOPS_FIELDS(record)
};
// A phase was begun; `proof` is what the one before left. active: the deployment is what is served.
struct deployment_phase_changed {
  uint32_t number = 0;
  deploy_phase phase = deploy_phase::queued;
  uint32_t progress = 0;
  std::map<std::string, std::string> proof;
  static constexpr std::string_view type = "deployment.phase_changed";
  ZEDOPS_FIELDS(number, phase, progress, proof)
};
// It failed, or was cancelled, after the switch: the previous version is being restored.
struct deployment_going_back {
  uint32_t number = 0;
  std::optional<error> failure;  // empty: it was cancelled
  static constexpr std::string_view type = "deployment.going_back";
  ZEDOPS_FIELDS(number, failure)
};
struct deployment_ended {
  uint32_t number = 0;
  deploy_status status = deploy_status::success;
  std::optional<error> failure;
  static constexpr std::string_view type = "deployment.ended";
  ZEDOPS_FIELDS(number, status, failure)
};
struct deployments_pruned {  // their files are not needed any more
  std::vector<uint32_t> numbers;
  static constexpr std::string_view type = "deployment.pruned";
  ZEDOPS_FIELDS(numbers)
};
struct rollback_started {
  rollback record;
  static constexpr std::string_view type = "rollback.started";
  ZEDOPS_FIELDS(record)
};
struct rollback_phase_changed {
  deploy_phase phase = deploy_phase::queued;
  static constexpr std::string_view type = "rollback.phase_changed";
  ZEDOPS_FIELDS(phase)
};
struct rollback_ended {
  operation_id id;
  rollback_state state = rollback_state::completed;
  std::string reason;
  static constexpr std::string_view type = "rollback.ended";
  ZEDOPS_FIELDS(id, state, reason)
};

using fact = std::variant<server_created, server_edited, status_changed, desired_changed, container_bound,
                          server_observed, drift_changed, error_changed, server_deleted, server_restored, server_purged,
                          operation_accepted, operation_progressed, operation_ended, operation_refused,
                          agent_registered, agent_connected, agent_suspected, agent_lost, agent_removed, sync_completed,
                          sync_failed, agent_acted, condition_changed, recovery_held, recovery_released,
                          project_created, project_edited, project_served, project_removed, service_created,
                          service_edited, service_removed, service_health_changed, service_repaired, deployment_started,
                          deployment_phase_changed, deployment_going_back, deployment_ended, deployments_pruned,
                          rollback_started, rollback_phase_changed, rollback_ended, service_started, service_stopped>;

// Facts are moved and kept in large numbers: what is large in one of them is boxed.
static_assert(sizeof(fact) <= 256);

std::string_view type_of(const fact& f);

ZEDOPS_ENUM(cause_kind, request, report, container_event, sync, timer, recovery, link)

// Why something happened.
struct cause {
  cause_kind kind = cause_kind::request;
  std::string ref;    // operation id, container event, timer name
  std::string actor;  // who, if a person or a named part of the system
  ZEDOPS_FIELDS(kind, ref, actor)
  friend bool operator==(const cause&, const cause&) = default;
};

struct numbered_fact {
  std::string subject;       // server.<id>, operation.<id>, agent.<id>
  uint64_t subject_seq = 0;  // consecutive per subject, from 1
  fact what;
  ZEDOPS_FIELDS(subject, subject_seq, what)
};

// What one decision committed. The n-th fact has the global number `first_seq + n`.
struct log_entry {
  std::string entity;  // id of the server or agent whose actor decided
  uint64_t prev = 0;   // first_seq of that entity's previous entry; zero: none
  uint64_t first_seq = 0;
  time_point time{};
  cause why;
  std::vector<numbered_fact> facts;
  ZEDOPS_FIELDS(entity, prev, first_seq, time, why, facts)
};

}  // namespace zedops::msg
