// The records of what is deployed: a project has services, a service its deployments. A service is one record with its
// newest deployments in it, so that a switch from one to the next is one step. Stored as arrays: field lists are
// append-only.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/base/error.hpp"
#include "messages/base/ids.hpp"
#include "messages/records/server.hpp"

namespace zedops::msg {

using project_id = id<struct project_tag>;
using service_id = id<struct service_tag>;
using upload_id = id<struct upload_tag>;

// Every deployment goes through all of them, in this order; those that its flow does not need are passed at once.
ZEDOPS_ENUM(deploy_phase, queued, pulling_source, building, copying_files, creating_symlinks, updating_routes,
            health_check, active, failed)
// cancelled: it worked once and was replaced, or it was cancelled before it worked (then `worked` is false).
ZEDOPS_ENUM(deploy_status, pending, queued, building, deploying, success, failed, cancelled)
ZEDOPS_ENUM(deploy_environment, production, staging, preview, development)
ZEDOPS_ENUM(source_kind, upload, git, image)
ZEDOPS_ENUM(rollback_state, pending, in_progress, completed, failed, cancelled)
// Health of what a service serves. degraded: it serves, but not what was deployed last.
ZEDOPS_ENUM(service_health, unknown, healthy, degraded, unhealthy)
ZEDOPS_ENUM(service_kind, static_site, container)
// How visitors reach the container of a service. none: its host's port is published.
ZEDOPS_ENUM(route_kind, none, caddy, traefik)

struct deploy_source {
  source_kind kind = source_kind::upload;
  upload_id upload;
  std::string name;    // of the file, as the client named it
  std::string sha256;  // hexadecimal, of all of it
  uint64_t bytes = 0;
  std::string url;       // of a repository
  std::string revision;  // a branch, a tag or a commit; empty: the default branch
  std::string commit;    // of the revision when it was first fetched: every repetition uses it
  std::string folder;    // what of the source is served; empty: all of it
  std::string image;     // a reference, as the client wrote it
  std::string digest;    // id of the image when it was first looked up
  ZEDOPS_FIELDS(kind, upload, name, sha256, bytes, url, revision, commit, folder, image, digest)
  friend bool operator==(const deploy_source&, const deploy_source&) = default;
};

// What tells one source from another; empty: not known yet.
inline const std::string& identity_of(const deploy_source& s) {
  return s.kind == source_kind::git ? s.commit : s.kind == source_kind::image ? s.digest : s.sha256;
}

// How the content of a service is made, and how visitors reach it. A deployment keeps the settings it was made with. A
// static service uses only the build and the route, a container service all but the build.
struct service_settings {
  uint16_t container_port = 0;              // where its program listens
  std::map<std::string, std::string> env;   // values are never shown
  std::vector<std::string> command;         // empty: the image's
  std::string dockerfile;                   // in the source; empty: "Dockerfile"
  uint64_t memory_max = 0;                  // bytes; zero: no limit
  uint32_t cpu_millis = 0;                  // thousandths of a core; zero: no limit
  std::vector<std::string> health_command;  // run in the container, exit 0 is good; empty: it is checked over HTTP
  route_kind route = route_kind::none;
  std::vector<std::string> hosts;  // names that visitors use: shop.example.org
  std::vector<std::string> build;  // run in a container of `builder`, with the source as its folder; empty: no build
  std::string builder;             // its image
  std::string output;              // what is served of its folder afterwards; empty: all of it
  bool build_network = false;      // whether the build may use the network
  bool health_tcp = false;         // a program that listens at its port is enough, without a request
  std::vector<std::string> before_start;  // run once in a container of the new image before that is started: migrations
  std::vector<std::string> after_switch;  // the same once visitors are on it; a failure is only reported
  ZEDOPS_FIELDS(container_port, env, command, dockerfile, memory_max, cpu_millis, health_command, route, hosts, build,
                builder, output, build_network, health_tcp, before_start, after_switch)
  friend bool operator==(const service_settings&, const service_settings&) = default;
};

// Which pushes have it deployed: a forge reports them to POST /api/hooks/{service}, signed with the secret.
struct service_hook {
  std::string secret;              // never shown
  std::string url;                 // of the repository that is deployed then; empty: there is no hook
  std::string branch;              // pushes to others do nothing
  std::string folder;              // as in deploy_source
  std::vector<std::string> paths;  // only pushes that change something below one of these; empty: all
  ZEDOPS_FIELDS(secret, url, branch, folder, paths)
  friend bool operator==(const service_hook&, const service_hook&) = default;
};

struct phase_times {
  deploy_phase phase = deploy_phase::queued;
  time_point started_at{};
  time_point ended_at{};
  ZEDOPS_FIELDS(phase, started_at, ended_at)
  friend bool operator==(const phase_times&, const phase_times&) = default;
};

struct deployment {
  operation_id id;  // of the operation that it is
  uint32_t number = 0;
  std::string actor;
  deploy_environment environment = deploy_environment::production;
  deploy_source source;
  deploy_status status = deploy_status::queued;
  deploy_phase phase = deploy_phase::queued;
  uint32_t progress = 0;  // 0-100; never falls, a failure keeps it
  std::string note;
  std::map<std::string, std::string> proof;  // what its phases left: hashes, counts, where a link led before
  std::vector<phase_times> phases;
  std::optional<error> failure;
  time_point created_at{};
  time_point phase_updated_at{};
  time_point ended_at{};
  bool worked = false;                // it was active once: a rollback may lead to it
  bool pruned = false;                // its files are removed, or about to be
  sparse<service_settings> settings;  // of the service, as they were when it was asked for
  // The same, of its health path; nothing: it was made when only the service had one.
  std::optional<std::string> health_path{};
  ZEDOPS_FIELDS(id, number, actor, environment, source, status, phase, progress, note, proof, phases, failure,
                created_at, phase_updated_at, ended_at, worked, pruned, settings, health_path)
  friend bool operator==(const deployment&, const deployment&) = default;
};

struct rollback {
  operation_id id;
  uint32_t from = 0;
  uint32_t to = 0;
  rollback_state state = rollback_state::in_progress;
  std::string actor;
  std::string reason;  // why it did not complete
  time_point started_at{};
  time_point ended_at{};
  ZEDOPS_FIELDS(id, from, to, state, actor, reason, started_at, ended_at)
  friend bool operator==(const rollback&, const rollback&) = default;
};

// How far the open operation of a service is: a deployment or a rollback in progress, forwards or going back.
struct deploy_run {
  uint32_t number = 0;  // the deployment that is to be served
  bool is_rollback = false;
  deploy_phase phase = deploy_phase::queued;
  bool going_back = false;       // it failed, or was cancelled, after the switch: the previous version is restored
  std::optional<error> failure;  // why
  bool cancelled = false;        // a user cancelled it
  ZEDOPS_FIELDS(number, is_rollback, phase, going_back, failure, cancelled)
  friend bool operator==(const deploy_run&, const deploy_run&) = default;
};

struct project {
  project_id id;
  std::string name;
  std::string description;
  std::string base_domain;
  std::map<std::string, uint16_t> ports;  // by agent id: where its static services are served
  time_point created_at{};
  time_point updated_at{};
  bool removed = false;
  uint64_t revision = 0;
  uint64_t seq = 0;
  uint64_t log_head = 0;
  std::optional<operation> op;
  ZEDOPS_FIELDS(id, name, description, base_domain, ports, created_at, updated_at, removed, revision, seq, log_head, op)
  friend bool operator==(const project&, const project&) = default;
};

struct service {
  service_id id;
  project_id project;
  std::string project_name;
  std::string name;
  agent_id agent;
  service_kind kind = service_kind::static_site;
  uint32_t retention = 5;               // successful deployments whose files are kept
  std::string health_path;              // below the service's own address; empty: that itself
  uint16_t port = 0;                    // of its host, where it is served
  std::vector<deployment> deployments;  // oldest first
  std::vector<rollback> rollbacks;      // oldest first
  uint32_t deployed = 0;                // number of the newest deployment
  uint32_t current = 0;                 // number of the one that is served; zero: none
  service_health health = service_health::unknown;
  std::string health_reason;
  sparse<deploy_run> run;
  std::optional<operation> op;
  time_point created_at{};
  time_point updated_at{};
  bool removed = false;
  uint64_t revision = 0;
  uint64_t seq = 0;
  uint64_t log_head = 0;
  service_settings settings;  // of a container service
  uint16_t port_beside = 0;  // of its host: one of the two is the container's that is served, the other its successor's
  bool stopped = false;      // a user stopped it: it stays stopped until it is started, or deployed
  sparse<service_hook> hook;
  sparse<operation> waiting;  // a deployment that begins when the open operation has ended
  std::string preview_of;     // the service of this project whose preview it is; empty: it is not a preview
  duration lives{};           // it is removed this long after its newest deployment; zero: never
  time_point expires_at{};
  ZEDOPS_FIELDS(id, project, project_name, name, agent, kind, retention, health_path, port, deployments, rollbacks,
                deployed, current, health, health_reason, run, op, created_at, updated_at, removed, revision, seq,
                log_head, settings, port_beside, stopped, waiting, hook, preview_of, lives, expires_at)
  friend bool operator==(const service&, const service&) = default;
};

inline constexpr size_t deployments_listed_max = 50;  // of one service, the newest; older ones are history
inline constexpr size_t rollbacks_listed_max = 20;
inline constexpr uint32_t retention_max = 50;
inline constexpr duration preview_lives{std::chrono::hours(24 * 7)};

}  // namespace zedops::msg
