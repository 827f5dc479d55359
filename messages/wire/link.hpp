// What manager and agent say to each other. Both ends are ours, so bodies are MessagePack arrays; a message's wire tag
// is its position in the variant: append only, never reorder.
//
//   agent                                manager
//     hello ------------------------------>          (again every second until answered)
//       <------------------------- welcome | refused
//     inventory -------------------------->          subscribe -> list -> merge is done; on connect and on request
//     observed, command_progress, command_result, heartbeat ...
//       <----- ping, run_command, cancel_command, query
//     query_reply ------------------------>
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "messages/api/deploy_views.hpp"
#include "messages/api/requests.hpp"
#include "messages/api/views.hpp"
#include "messages/base/error.hpp"
#include "messages/records/container.hpp"
#include "messages/records/deploy.hpp"
#include "messages/records/server.hpp"
#include "messages/records/template.hpp"
#include "messages/records/usage.hpp"

namespace zedops::msg {

inline constexpr uint32_t link_version = 1;

// ---- how a server is embodied: made by the manager from record and template, executed by the agent ----
struct data_dir {
  std::string name;            // "bin", "data"
  std::string path;            // absolute
  bool counts_as_data = true;  // its content makes data_state `present`
  ZEDOPS_FIELDS(name, path, counts_as_data)
  friend bool operator==(const data_dir&, const data_dir&) = default;
};
struct data_layout {
  std::string root;  // the data path with the marker file; the server's tree is root/name
  std::string name;  // the server's name
  std::vector<data_dir> dirs;
  std::string owner;  // "uid:gid" for new directories; empty: the agent's
  ZEDOPS_FIELDS(root, name, dirs, owner)
  friend bool operator==(const data_layout&, const data_layout&) = default;
};
struct rcon_stop {
  uint16_t port = 0;  // zero: no RCON
  std::string password;
  std::vector<std::string> commands;  // e.g. {"save"}
  duration dial_timeout{};
  duration settle{};  // after the last command, before the stop signal
  ZEDOPS_FIELDS(port, password, commands, dial_timeout, settle)
  friend bool operator==(const rcon_stop&, const rcon_stop&) = default;
};
struct stop_procedure {
  rcon_stop rcon;
  std::string network;                       // the network on which the container is reached for RCON; empty: its first
  duration grace{std::chrono::seconds(10)};  // from the stop signal to the kill
  std::vector<rcon_stop> then{};             // further steps after `rcon`, in order
  ZEDOPS_FIELDS(rcon, network, grace, then)
  friend bool operator==(const stop_procedure&, const stop_procedure&) = default;
};
struct server_plan {
  container_spec container;
  data_layout data;
  stop_procedure stop;
  pull_policy pull = pull_policy::if_missing;
  duration settle{};  // a container that was started has to stay up this long, or to say before that it is healthy
  ZEDOPS_FIELDS(container, data, stop, pull, settle)
  friend bool operator==(const server_plan&, const server_plan&) = default;
};

// ---- commands ----
// run: make it run; start its container if it has one, else make one (if the data permits). replace: rename old, make
// new, prove it, drop old; any failure renames back. remove: remove the container, keep the data. purge: remove the
// container and, with remove_data, the whole tree; each verified absent. move: copy the tree of `source` to the plan's
// data root, verify it, replace the container with one that uses the copy; any failure restores the old one.
// drop_source: the manager has recorded that the copy counts: remove the tree of `source`. adopt: copy what the
// container `original` has mounted, verify it, make ours on the copy, drop the original container; any failure restores
// it. deploy: one phase of a deployment, see deploy_plan.
ZEDOPS_ENUM(command_kind, run, stop, restart, replace, remove, purge, move, drop_source, adopt, deploy)

// Which data state permits making a container; `unknown` never does.
ZEDOPS_ENUM(data_demand, present, any)

// What an agent does for a service in one command: a phase of a deployment, or the removal of the whole service. Each
// looks at what exists first; done a second time it changes nothing.
struct deploy_plan {
  deploy_phase phase = deploy_phase::queued;
  bool remove = false;  // instead of a phase: all files of the service, and its place in the project's server
  bool last = false;    // the project's server on this host is removed too: it has no other service there
  project_id project;
  std::string project_name;
  std::string service_name;
  uint32_t number = 0;  // of the deployment; when a switch is undone, of the one that was served before, or zero
  bool going_back = false;
  deploy_source source;
  std::vector<uint32_t> keep;  // deployments of this service whose files stay
  uint16_t port = 0;           // of the project's server on this host
  std::string health_path;
  service_kind kind = service_kind::static_site;
  sparse<service_settings> settings{};  // of a container service: those of the deployment
  std::string image{};                  // of a container service: its id, once it is on the host
  uint16_t port_beside = 0;
  bool stop = false;  // instead of a phase: its container, to be started again
  bool start = false;
  bool is_rollback = false;  // to a version that was served before
  ZEDOPS_FIELDS(phase, remove, last, project, project_name, service_name, number, going_back, source, keep, port,
                health_path, kind, settings, image, port_beside, stop, start, is_rollback)
  friend bool operator==(const deploy_plan&, const deploy_plan&) = default;
};

struct run_command {
  uint64_t term = 0;  // fencing: an agent refuses terms lower than the highest it has seen
  operation_id op;
  uint32_t attempt = 1;  // (op, attempt) is executed once; sent again, the agent repeats its report
  server_id server;
  command_kind kind = command_kind::run;
  std::string container_id;  // as recorded; empty: none
  data_demand demand = data_demand::present;
  bool remove_data = false;
  duration time_max{};  // the agent gives up after this long
  server_plan plan;
  data_layout source;          // move, drop_source: where the data was before
  std::string original;        // adopt: the id of a container that is not ours yet
  sparse<deploy_plan> deploy;  // `server` is the id of the service then
  ZEDOPS_FIELDS(term, op, attempt, server, kind, container_id, demand, remove_data, time_max, plan, source, original,
                deploy)
};
// Why an agent did not begin a command: this says nothing about the work itself. outdated: it obeyed a higher term.
// lanes_full, stopping: not now; it may have begun before. withdrawn: cancelled before it began. not_kept: its disk
// could not record that it begins, and it never began before.
ZEDOPS_ENUM(agent_refusal, none, outdated, lanes_full, stopping, withdrawn, not_kept)

struct cancel_command {
  operation_id op;
  ZEDOPS_FIELDS(op)
};

// ---- what an agent sees ----
ZEDOPS_ENUM(presence, unknown, absent, present)

struct observation {
  server_id server;
  presence container = presence::unknown;
  container_view view;              // when present
  std::vector<std::string> rivals;  // ids of further containers that claim this server
  std::string drift;                // renamed, label lost ...; empty: as it should be
  data_state data = data_state::unknown;
  std::optional<uint64_t> data_bytes;
  time_point observed_at{};    // the host's clock
  std::string data_problem{};  // why the data is unknown; empty: it is not, or no reason was given
  ZEDOPS_FIELDS(server, container, view, rivals, drift, data, data_bytes, observed_at, data_problem)
};

struct hello {
  uint32_t version = link_version;
  agent_id id;  // kept in the agent's state folder
  std::string name;
  std::string instance;  // random per process
  std::string hostname;
  std::string data_path;
  std::string software;
  std::string engine_version;
  std::string api_version;
  bool engine_ok = false;
  std::string manager_id;        // the manager this agent belongs to; empty: none yet
  uint64_t term = 0;             // highest obeyed: the manager's own has to be higher
  uint64_t greeting = 0;         // the same while this hello is repeated; another one: the session before is over
  std::string engine_problem{};  // why it does not reach its Engine
  ZEDOPS_FIELDS(version, id, name, instance, hostname, data_path, software, engine_version, api_version, engine_ok,
                manager_id, term, greeting, engine_problem)
};
struct heartbeat {  // answer to ping, and unasked once a second
  uint64_t nonce = 0;
  bool engine_ok = true;
  std::string engine_problem;
  std::string next_key{};  // the manager's next key, as this agent has kept it
  ZEDOPS_FIELDS(nonce, engine_ok, engine_problem, next_key)
};
// All servers the agent was told about plus every container with our label. Servers not named: unknown to the agent.
struct inventory {
  uint64_t request = 0;  // the `sync` query it answers; zero: unasked
  std::vector<observation> servers;
  std::vector<container_view> unclaimed;  // ours by label, but of no server that was asked for
  std::optional<error> failure;           // the listing failed: nothing may be concluded
  duration took{};
  ZEDOPS_FIELDS(request, servers, unclaimed, failure, took)
};
struct observed {  // one server changed: a hint of the Engine, confirmed by inspection
  observation what;
  std::string hint;  // the Engine's event, e.g. "die"
  ZEDOPS_FIELDS(what, hint)
};
struct command_progress {
  operation_id op;
  uint32_t attempt = 1;
  server_id server;
  std::string step;  // pulling, preparing, creating, starting, saving, stopping, removing, verifying ...
  uint32_t progress = 0;
  std::string note;
  uint64_t term = 0;                // of the command
  std::optional<observation> seen;  // of its container, once it runs; the end of the command may be a while away
  ZEDOPS_FIELDS(op, attempt, server, step, progress, note, term, seen)
};
struct command_result {
  operation_id op;
  uint32_t attempt = 1;
  server_id server;
  std::optional<error> failure;
  observation after;  // what exists now, whatever happened
  std::string note;   // e.g. "stopped cleanly after 8 s", "killed after 30 s"
  bool fresh_start = false;
  std::optional<uint64_t> bytes_removed;
  std::vector<engine_call> calls{};             // engine_calls_max at most
  std::string data_root;                        // of a move that switched: where the data counts from now on
  bool untouched = false;                       // of an adoption that failed: nothing of this server is on the host
  uint64_t term = 0;                            // of the command
  agent_refusal refusal = agent_refusal::none;  // otherwise the work was not begun, and `failure` says why
  std::map<std::string, std::string> proof;     // of a phase: what it left
  ZEDOPS_FIELDS(op, attempt, server, failure, after, note, fresh_start, bytes_removed, calls, data_root, untouched,
                term, refusal, proof)
};

// ---- welcome and queries ----
struct known_server {  // what the agent needs to look at a server
  server_id id;
  std::string container_id;
  std::string container_name;
  data_layout data;
  crash_rules crash{};          // with the server's own policy
  bool wanted_running = false;  // the desired state; the commands that follow change it
  int32_t priority = 0;
  bool partial = false;  // its template is missing: the agent keeps the layout and crash rules it has
  ZEDOPS_FIELDS(id, container_id, container_name, data, crash, wanted_running, priority, partial)
};
struct welcome {
  agent_id id;
  std::string manager_id;
  uint64_t term = 0;
  uint64_t session = 0;
  std::vector<known_server> servers;
  duration usage_every{};  // how often the agent reports what host and containers use; zero: never
  ZEDOPS_FIELDS(id, manager_id, term, session, servers, usage_every)
};
struct refused {
  error why;
  bool final = false;  // true: do not connect again (exit 78)
  ZEDOPS_FIELDS(why, final)
};
struct welcome_refused {  // what an agent answers to a welcome that it may not follow; it says hello again later
  uint64_t session = 0;
  uint64_t term = 0;  // highest obeyed
  error why;
  ZEDOPS_FIELDS(session, term, why)
};
struct ping {
  uint64_t nonce = 0;
  std::string next_key{};  // public: the manager will answer with it later; empty: with the one it has
  ZEDOPS_FIELDS(nonce, next_key)
};
struct watch_servers {  // keep looking at these as well; replaces earlier entries of the same id
  std::vector<known_server> servers;
  std::vector<server_id> forget;
  ZEDOPS_FIELDS(servers, forget)
};
struct sync_query {
  uint64_t request = 0;
  // All of this host: a container here with the label of another service or project is a stray.
  bool tells_services = false;
  std::vector<std::string> services{};
  std::vector<std::string> projects{};
  ZEDOPS_FIELDS(request, tells_services, services, projects)
};
struct data_query {
  uint64_t request = 0;
  std::vector<known_server> servers;
  bool sizes = false;
  std::string space_at;  // empty: not asked
  ZEDOPS_FIELDS(request, servers, sizes, space_at)
};
struct port_query {
  uint64_t request = 0;
  std::vector<port_ref> ports;
  ZEDOPS_FIELDS(request, ports)
};
struct logs_query {
  uint64_t request = 0;
  std::string container_id;
  uint32_t tail = 100;
  std::string since{};       // stamp of a line: that and later ones, from the oldest on; empty: the last `tail`
  duration hold{};           // how long it may wait for a line later than `since`
  std::string deployment{};  // instead of a container: PROJECT/SERVICE/NUMBER, whose build is asked for
  // Of a container service; the agent may have created its container anew since the manager heard of `container_id`.
  service_id service{};
  uint32_t number = 0;  // of the deployment that it serves
  ZEDOPS_FIELDS(request, container_id, tail, since, hold, deployment, service, number)
};
// What matters of a container on this host when it is to be adopted, whoever made it.
struct container_query {
  uint64_t request = 0;
  std::string container;  // name or id
  ZEDOPS_FIELDS(request, container)
};
struct container_answer {
  uint64_t request = 0;
  container_view view;
  std::map<std::string, std::string> env;  // without what its image sets to the same
  std::vector<port_binding> ports;         // as asked for when it was made
  std::vector<mount> mounts;               // binds and volumes, by their place on the host
  std::vector<std::string> networks;       // without the Engine's own bridge
  std::vector<std::string> entrypoint;     // of agents that do not send `spec`: it has this and the next two
  std::vector<std::string> command;
  std::string user;
  std::vector<std::string> unusual;  // "privileged", "devices" ...: what no server can be given
  std::optional<error> failure;
  sparse<server_spec> spec;  // what differs from its image and from the Engine's defaults, without ports and mounts
  ZEDOPS_FIELDS(request, view, env, ports, mounts, networks, entrypoint, command, user, unusual, failure, spec)
};
// Containers whose label names a service or project that is not among these.
struct stray_query {
  uint64_t request = 0;
  std::vector<std::string> services;
  std::vector<std::string> projects;
  std::string remove;  // name or id of one to remove now; empty: none
  ZEDOPS_FIELDS(request, services, projects, remove)
};
struct stray_answer {
  uint64_t request = 0;
  std::vector<stray_view> strays;  // with `remove`, the one that was removed
  std::optional<error> failure;
  ZEDOPS_FIELDS(request, strays, failure)
};
struct layer_query {
  uint64_t request = 0;
  std::string container_id;
  ZEDOPS_FIELDS(request, container_id)
};
struct layer_answer {
  uint64_t request = 0;
  layer_reply seen;
  std::optional<error> failure;
  ZEDOPS_FIELDS(request, seen, failure)
};
struct data_answer {
  uint64_t request = 0;
  std::vector<data_row> rows;  // in the order asked
  std::optional<error> failure;
  std::optional<uint64_t> space_free;
  ZEDOPS_FIELDS(request, rows, failure, space_free)
};
struct port_answer {
  uint64_t request = 0;
  std::vector<port_row> rows;
  bool host_checked = true;
  std::optional<error> failure;
  ZEDOPS_FIELDS(request, rows, host_checked, failure)
};
struct logs_answer {
  uint64_t request = 0;
  std::vector<log_line> lines;
  std::optional<error> failure;
  bool cut = false;
  ZEDOPS_FIELDS(request, lines, failure, cut)
};
struct incidents {             // what happened while no manager listened, and since; repeated until taken
  std::vector<incident> list;  // in order of `seq`
  ZEDOPS_FIELDS(list)
};
struct incidents_taken {
  uint64_t upto = 0;  // durable up to this one: the agent may forget them
  ZEDOPS_FIELDS(upto)
};
struct usage_row {
  server_id server;
  usage_sample used;
  ZEDOPS_FIELDS(server, used)
};
// What was used since the sample before. Containers that do not run, or ran not yet at the sample before, have no row.
struct usage {
  usage_sample host;
  std::vector<usage_row> servers;
  ZEDOPS_FIELDS(host, servers)
};
// A user is watching these: for a while they are reported more often. Only to agents that have reported usage.
struct watch_usage {
  std::vector<server_id> servers;
  duration every{};
  duration lasting{};
  ZEDOPS_FIELDS(servers, every, lasting)
};
// ---- deployments ----
struct fetch_upload {
  uint64_t request = 0;
  upload_id id;
  uint64_t offset = 0;
  ZEDOPS_FIELDS(request, id, offset)
};
struct upload_piece {  // from the offset that was asked for, upload_piece_max at most
  uint64_t request = 0;
  std::string data;
  std::optional<error> failure;
  ZEDOPS_FIELDS(request, data, failure)
};
inline constexpr size_t upload_piece_max = 1 << 20;
// State of a service's files and links, and what its agent repaired: reported at each welcome, and when it changes.
struct service_seen {
  service_id service;
  service_health health = service_health::unknown;
  std::string reason;
  std::vector<std::string> repairs;
  ZEDOPS_FIELDS(service, health, reason, repairs)
};
struct goodbye {  // an orderly stop
  std::string reason;
  ZEDOPS_FIELDS(reason)
};

using from_agent = std::variant<hello, heartbeat, inventory, observed, command_progress, command_result, data_answer,
                                port_answer, logs_answer, goodbye, incidents, container_answer, welcome_refused,
                                layer_answer, usage, fetch_upload, service_seen, stray_answer>;
using to_agent = std::variant<welcome, refused, ping, run_command, cancel_command, watch_servers, sync_query,
                              data_query, port_query, logs_query, goodbye, incidents_taken, container_query,
                              layer_query, watch_usage, upload_piece, stray_query>;

}  // namespace zedops::msg
