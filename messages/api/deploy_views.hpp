// Public forms of projects, services, deployments and uploads. Field names are a contract with scripts.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/api/views.hpp"
#include "messages/records/deploy.hpp"

namespace zedops::msg {

struct phase_view {
  deploy_phase phase = deploy_phase::queued;
  optional_time started_at;
  optional_time ended_at;
  ZEDOPS_FIELDS(phase, started_at, ended_at)
};
struct deployment_view {
  operation_id id;
  std::string service;  // PROJECT/SERVICE
  uint32_t number = 0;
  std::string trigger;  // who, or what, asked for it
  deploy_environment environment = deploy_environment::production;
  deploy_source source;
  deploy_status status = deploy_status::queued;
  deploy_phase phase = deploy_phase::queued;
  uint32_t phase_progress = 0;
  std::map<std::string, std::string> phase_metadata;
  optional_time phase_updated_at;
  std::vector<phase_view> phases;
  std::string note;
  std::string url;
  bool current = false;        // it is the one that is served
  bool can_roll_back = false;  // a rollback may lead to it
  std::optional<error> failure;
  optional_time created_at;
  optional_time ended_at;
  ZEDOPS_FIELDS(id, service, number, trigger, environment, source, status, phase, phase_progress, phase_metadata,
                phase_updated_at, phases, note, url, current, can_roll_back, failure, created_at, ended_at)
};
struct deployment_list {
  std::vector<deployment_view> deployments;  // newest first
  ZEDOPS_FIELDS(deployments)
};
struct rollback_view {
  operation_id id;
  uint32_t from = 0;
  uint32_t to = 0;
  rollback_state state = rollback_state::in_progress;
  std::string actor;
  std::string reason;
  optional_time started_at;
  optional_time ended_at;
  ZEDOPS_FIELDS(id, from, to, state, actor, reason, started_at, ended_at)
};
struct service_view {
  service_id id;
  std::string project;
  std::string name;
  std::string agent;
  std::string agent_id;
  service_kind kind = service_kind::static_site;
  service_health health = service_health::unknown;
  std::string health_reason;
  uint32_t current = 0;
  uint32_t retention = 0;
  std::string health_path;
  uint16_t port = 0;
  std::string url;
  std::string operation;  // the one that is open; empty: none
  std::string waiting;    // of the deployment that begins after it
  bool stopped = false;
  std::string preview_of;
  duration lives{};           // zero: for ever
  optional_time expires_at;   // when it is removed automatically
  service_settings settings;  // values of env are masked
  service_hook hook;          // its secret is masked
  std::optional<deployment_view> last_deployment;
  std::vector<rollback_view> rollbacks;  // newest first
  uint64_t revision = 0;
  optional_time created_at;
  optional_time updated_at;
  ZEDOPS_FIELDS(id, project, name, agent, agent_id, kind, health, health_reason, current, retention, health_path, port,
                url, operation, waiting, stopped, preview_of, lives, expires_at, settings, hook, last_deployment,
                rollbacks, revision, created_at, updated_at)
};
struct service_list {
  std::vector<service_view> services;
  ZEDOPS_FIELDS(services)
};
struct project_view {
  project_id id;
  std::string name;
  std::string description;
  std::string base_domain;
  service_health health = service_health::unknown;  // the worst of its services
  std::string health_reason;
  std::vector<std::string> services;  // names
  optional_time last_deployed_at;
  uint64_t revision = 0;
  optional_time created_at;
  ZEDOPS_FIELDS(id, name, description, base_domain, health, health_reason, services, last_deployed_at, revision,
                created_at)
};
struct project_list {
  std::vector<project_view> projects;
  ZEDOPS_FIELDS(projects)
};

ZEDOPS_ENUM(upload_state, receiving, complete)
struct upload_view {
  upload_id id;
  std::string name;
  uint64_t bytes = 0;
  uint64_t received = 0;
  std::string sha256;  // empty while it is not known
  upload_state state = upload_state::receiving;
  bool needed = false;  // by a deployment that may be resumed or repeated
  optional_time created_at;
  ZEDOPS_FIELDS(id, name, bytes, received, sha256, state, needed, created_at)
};
struct upload_list {
  std::vector<upload_view> uploads;
  ZEDOPS_FIELDS(uploads)
};

// A container of a service or project that the manager does not know.
struct stray_view {
  std::string agent;
  std::string container;  // name
  std::string id;
  std::string image;
  std::string of;  // id of the service or project that its label names
  bool running = false;
  optional_time seen_since;
  optional_time goes_at;  // removed then at the earliest; nothing: not compared twice yet, or it stays
  ZEDOPS_FIELDS(agent, container, id, image, of, running, seen_since, goes_at)
};
struct stray_list {
  std::vector<stray_view> strays;
  std::vector<std::string> unasked;  // agents that were not connected, or did not answer
  ZEDOPS_FIELDS(strays, unasked)
};

// Answer to an operation on a project or service.
struct deploy_reply {
  operation_view operation;
  std::optional<project_view> project;
  std::optional<service_view> service;
  std::optional<deployment_view> deployment;
  std::vector<std::string> plan;  // dry run
  ZEDOPS_FIELDS(operation, project, service, deployment, plan)
};

deployment_view view_of(const service& s, const deployment& d, const std::string& host);
rollback_view view_of(const rollback& r);
service_view view_of(const service& s, const agent* a);

}  // namespace zedops::msg
