// What clients ask of projects, services, deployments and uploads. `service` is PROJECT/SERVICE or an id.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "messages/api/requests.hpp"
#include "messages/records/deploy.hpp"

namespace zedops::msg {

// ---- operations ----
struct create_project {
  std::string name;
  std::string description;
  std::string base_domain;
  static constexpr op_kind kind = op_kind::create_project;
  ZEDOPS_FIELDS(name, description, base_domain)
};
struct edit_project {
  std::string project;  // name or id
  std::optional<std::string> description;
  std::optional<std::string> base_domain;
  static constexpr op_kind kind = op_kind::edit_project;
  ZEDOPS_FIELDS(project, description, base_domain)
};
struct remove_project {  // refused while it has services
  std::string project;
  static constexpr op_kind kind = op_kind::remove_project;
  ZEDOPS_FIELDS(project)
};
struct create_service {
  std::string project;
  std::string name;
  std::string agent;        // name or id of the host that serves it
  uint32_t retention = 5;   // successful deployments whose files are kept, 1-50
  std::string health_path;  // below the service's own address, "/status.html"; empty: that address itself
  uint16_t port = 0;  // of the host: for all static services of this project there, or for this one; zero: a free one
  service_kind type = service_kind::static_site;
  service_settings settings;
  // The service of this project that this one previews: what is not given here is taken from there, its host name is
  // NAME.DOMAIN of the project, and it is removed when nothing was deployed to it for `lives`.
  std::string preview_of{};
  duration lives{};  // zero: preview_lives for a preview, for ever otherwise
  static constexpr op_kind kind = op_kind::create_service;
  ZEDOPS_FIELDS(project, name, agent, retention, health_path, port, type, settings, preview_of, lives)
};
struct edit_service {
  std::string service;
  std::optional<uint32_t> retention;
  std::optional<std::string> health_path;
  std::optional<service_settings> settings;  // all of them; a value "***" in env stays what it is
  std::optional<service_hook> hook;          // without a url: the hook is removed
  std::optional<duration> lives{};           // from now on; zero: for ever
  static constexpr op_kind kind = op_kind::edit_service;
  ZEDOPS_FIELDS(service, retention, health_path, settings, hook, lives)
};
struct remove_service {  // with all files of its deployments
  std::string service;
  static constexpr op_kind kind = op_kind::remove_service;
  ZEDOPS_FIELDS(service)
};
struct deploy_service {
  std::string service;
  std::string upload;  // id of an upload that is complete
  deploy_environment environment = deploy_environment::production;
  std::string git;       // instead of an upload: a repository's address
  std::string revision;  // of it: a branch, a tag or a commit; empty: the default branch
  std::string folder;    // what of the source is served; empty: all of it
  std::string image{};   // instead of an upload, for a container service: a reference
  std::string digest{};  // of the image, as a deployment shows it: "sha256:..."; refused when the image has another now
  static constexpr op_kind kind = op_kind::deploy;
  ZEDOPS_FIELDS(service, upload, environment, git, revision, folder, image, digest)
};
struct rollback_service {
  std::string service;
  uint32_t to = 0;  // number of a deployment that worked; zero: the one before
  static constexpr op_kind kind = op_kind::rollback;
  ZEDOPS_FIELDS(service, to)
};

struct start_service {  // a container service that was stopped
  std::string service;
  static constexpr op_kind kind = op_kind::start_service;
  ZEDOPS_FIELDS(service)
};
struct stop_service {  // stays stopped until it is started, or deployed
  std::string service;
  static constexpr op_kind kind = op_kind::stop_service;
  ZEDOPS_FIELDS(service)
};

using deploy_request = std::variant<create_project, edit_project, remove_project, create_service, edit_service,
                                    remove_service, deploy_service, rollback_service, start_service, stop_service>;

// ---- reads ----
struct list_projects {
  ZEDOPS_FIELDS()
};
struct get_project {
  std::string project;
  ZEDOPS_FIELDS(project)
};
struct list_services {
  std::string project;  // empty: of all projects
  ZEDOPS_FIELDS(project)
};
struct get_service {
  std::string service;
  ZEDOPS_FIELDS(service)
};
struct service_history {
  std::string service;
  uint32_t limit = 200;
  uint64_t before = 0;
  ZEDOPS_FIELDS(service, limit, before)
};
struct list_deployments {
  std::string service;  // empty: of all services
  std::string status;
  ZEDOPS_FIELDS(service, status)
};
struct get_deployment {
  std::string deployment;  // PROJECT/SERVICE#NUMBER or id; without a number: the newest
  ZEDOPS_FIELDS(deployment)
};

struct service_logs {  // of the container that is served
  std::string service;
  uint32_t tail = 100;
  std::string since{};  // as in server_logs
  duration hold{};
  ZEDOPS_FIELDS(service, tail, since, hold)
};
struct deployment_logs {  // of its phases: what the build wrote
  std::string deployment;
  uint32_t tail = 100;
  std::string since{};
  duration hold{};
  ZEDOPS_FIELDS(deployment, tail, since, hold)
};

// Containers on agents that carry the label of a service or project which does not exist.
struct list_strays {
  std::string agent;  // empty: of all agents that are connected
  ZEDOPS_FIELDS(agent)
};
struct remove_stray {
  std::string agent;
  std::string container;  // name or id
  ZEDOPS_FIELDS(agent, container)
};

// ---- uploads: an archive is sent in pieces, and identified by its hash or by a key of the client ----
struct begin_upload {  // repeated, also after a crash of either end: says how much has arrived
  std::string name;    // of the file, for people
  uint64_t bytes = 0;
  std::string sha256;  // hexadecimal; empty: the manager says it at the end
  std::string key;     // without a hash: the same for the same contents only, so that it can be resumed
  ZEDOPS_FIELDS(name, bytes, sha256, key)
};
struct upload_chunk {
  std::string id;
  uint64_t offset = 0;  // bytes that have arrived may be sent again
  std::string data;     // upload_chunk_max at most
  ZEDOPS_FIELDS(id, offset, data)
};
struct end_upload {  // answered when all of it is on the disk, and its hash is right if one was announced
  std::string id;
  ZEDOPS_FIELDS(id)
};
struct list_uploads {
  ZEDOPS_FIELDS()
};
struct remove_upload {  // refused while a deployment may need it
  std::string id;
  ZEDOPS_FIELDS(id)
};
inline constexpr size_t upload_chunk_max = 1 << 20;

}  // namespace zedops::msg
