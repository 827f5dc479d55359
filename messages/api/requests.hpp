// Requests of clients. Bodies are MessagePack maps by field name (missing: default, unknown: ignored), so that a client
// in any language can write them by hand.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "messages/records/facts.hpp"
#include "messages/records/server.hpp"

namespace zedops::msg {

// ---- operations on one server: one struct per operation; `server` is a name, agent/name, id or unique id prefix ----
struct create_server {
  std::string name;
  std::string agent;  // name or id
  std::string template_name = "generic";
  std::string image;
  std::string image_tag;
  std::map<std::string, std::string> config;
  uint16_t game_port = 0;  // zero: the template's next free one
  uint16_t udp_port = 0;
  uint16_t rcon_port = 0;
  std::string server_data_path;
  recovery_policy recovery = recovery_policy::manual;
  bool use_existing_data = false;     // the agent holds data of a purged server of this name: take it over
  std::optional<crash_policy> crash;  // empty: the template's
  int32_t priority = 0;
  sparse<server_spec> spec{};
  static constexpr op_kind kind = op_kind::create;
  ZEDOPS_FIELDS(name, agent, template_name, image, image_tag, config, game_port, udp_port, rcon_port, server_data_path,
                recovery, use_existing_data, crash, priority, spec)
};
struct start_server {
  std::string server;
  bool fresh = false;
  static constexpr op_kind kind = op_kind::start;
  ZEDOPS_FIELDS(server, fresh)
};
struct stop_server {
  std::string server;
  static constexpr op_kind kind = op_kind::stop;
  ZEDOPS_FIELDS(server)
};
struct restart_server {
  std::string server;
  static constexpr op_kind kind = op_kind::restart;
  ZEDOPS_FIELDS(server)
};
struct rebuild_server {
  std::string server;
  bool fresh = false;
  static constexpr op_kind kind = op_kind::rebuild;
  ZEDOPS_FIELDS(server, fresh)
};
struct recreate_server {
  std::string server;
  bool fresh = false;
  static constexpr op_kind kind = op_kind::recreate;
  ZEDOPS_FIELDS(server, fresh)
};
struct edit_server {
  std::string server;
  std::map<std::string, std::string> config;  // set or replaced
  std::vector<std::string> unset;
  std::optional<std::string> image;
  std::optional<std::string> image_tag;
  std::optional<recovery_policy> recovery;
  std::optional<uint64_t> revision;  // refuse when the record has moved on
  std::optional<crash_policy> crash;
  std::optional<int32_t> priority;
  sparse<server_spec> spec{};        // what is given takes the place of what the server has
  std::vector<std::string> reset{};  // fields of its spec that go back to the template's
  static constexpr op_kind kind = op_kind::edit;
  ZEDOPS_FIELDS(server, config, unset, image, image_tag, recovery, revision, crash, priority, spec, reset)
};
struct remove_server {  // soft delete
  std::string server;
  static constexpr op_kind kind = op_kind::remove;
  ZEDOPS_FIELDS(server)
};
struct restore_server {
  std::string server;
  bool fresh = false;
  static constexpr op_kind kind = op_kind::restore;
  ZEDOPS_FIELDS(server, fresh)
};
struct purge_server {
  std::string server;
  bool confirm = false;  // must be true
  bool keep_data = false;
  bool remove_data = false;  // exactly one of the two
  static constexpr op_kind kind = op_kind::purge;
  ZEDOPS_FIELDS(server, confirm, keep_data, remove_data)
};
struct move_server {
  std::string server;
  std::string data_path;  // the data root on the same host; its tree becomes data_path/NAME
  static constexpr op_kind kind = op_kind::move;
  ZEDOPS_FIELDS(server, data_path)
};

struct adopt_server {  // a container that zedops did not make becomes a server
  std::string name;
  std::string agent;
  std::string container;  // its name or id
  std::string template_name = "generic";
  std::string image;  // empty: the container's, like its tag
  std::string image_tag;
  std::map<std::string, std::string> config;  // over the container's own environment
  uint16_t game_port = 0;                     // zero: as the container publishes it
  uint16_t udp_port = 0;
  uint16_t rcon_port = 0;
  std::string server_data_path;
  recovery_policy recovery = recovery_policy::manual;
  std::optional<crash_policy> crash;
  int32_t priority = 0;
  bool leave_behind = false;   // go on although the server will not have all that the container has
  sparse<server_spec> spec{};  // over what the container has
  static constexpr op_kind kind = op_kind::adopt;
  ZEDOPS_FIELDS(name, agent, container, template_name, image, image_tag, config, game_port, udp_port, rcon_port,
                server_data_path, recovery, crash, priority, leave_behind, spec)
};

using server_request =
    std::variant<create_server, start_server, stop_server, restart_server, rebuild_server, recreate_server, edit_server,
                 remove_server, restore_server, purge_server, move_server, adopt_server>;

// ---- reads and agent requests ----
struct page {
  std::string after;  // id of the last row seen; empty: from the start
  uint32_t limit = 1000;
  ZEDOPS_FIELDS(after, limit)
};
struct list_servers {
  bool all = false;  // deleted ones too
  std::string agent;
  std::string status;
  page where;
  std::string condition;  // only servers with this one
  std::string sort{};     // name, status, agent, created or updated, "-" before it: backwards; empty: as they were made
  ZEDOPS_FIELDS(all, agent, status, where, condition, sort)
};
struct get_server {
  std::string server;  // with `at`, also the id of a purged one
  time_point at{};     // as it was then; zero: now
  ZEDOPS_FIELDS(server, at)
};
struct server_history {
  std::string server;  // also the id of a purged one
  uint32_t limit = 200;
  uint64_t before = 0;  // log entries older than this number; zero: newest first
  ZEDOPS_FIELDS(server, limit, before)
};
struct explain_server {
  std::string server;
  ZEDOPS_FIELDS(server)
};
struct list_agents {
  ZEDOPS_FIELDS()
};
struct get_agent {
  std::string agent;
  ZEDOPS_FIELDS(agent)
};
struct sync_agents {
  std::string agent;   // empty: all, unless `server` names one
  std::string server;  // the agent of this server
  ZEDOPS_FIELDS(agent, server)
};
struct check_data {
  std::vector<std::string> servers;  // empty: every server of every online agent
  bool sizes = false;
  std::string space_at;  // a folder on the host of the first server: its free space is asked for, too
  ZEDOPS_FIELDS(servers, sizes, space_at)
};
struct port_ref {
  uint16_t number = 0;
  protocol proto = protocol::udp;
  ZEDOPS_FIELDS(number, proto)
};
struct check_layer {
  std::string server;
  ZEDOPS_FIELDS(server)
};
struct check_ports {
  std::string agent;
  std::vector<port_ref> ports;
  ZEDOPS_FIELDS(agent, ports)
};
struct suggest_ports {
  std::string agent;
  std::string template_name = "project-zomboid";
  uint32_t count = 1;
  ZEDOPS_FIELDS(agent, template_name, count)
};
struct server_logs {
  std::string server;
  uint32_t tail = 100;
  std::string
      since{};      // `at` of a line, or RFC 3339: lines of then and later, from the oldest on; else the last `tail`
  duration hold{};  // with `since`: wait this long for a line later than that; 20 s at most
  ZEDOPS_FIELDS(server, tail, since, hold)
};
struct server_usage {
  std::string server;
  duration last{1'800'000};  // how far back; three days are kept
  bool live = false;         // a user is watching: its agent reports more often for a while
  ZEDOPS_FIELDS(server, last, live)
};
struct agent_usage {
  std::string agent;
  duration last{1'800'000};
  bool live = false;
  ZEDOPS_FIELDS(agent, last, live)
};
struct list_operations {
  std::string server;
  std::string status;
  page where;
  ZEDOPS_FIELDS(server, status, where)
};
struct get_operation {
  std::string id;
  ZEDOPS_FIELDS(id)
};
struct wait_operation {  // answered with `progress` frames and, at the end, the operation
  std::string id;
  ZEDOPS_FIELDS(id)
};
struct cancel_operation {
  std::string id;
  ZEDOPS_FIELDS(id)
};
struct replay_events {
  std::string since;    // "epoch:seq": events after it; empty: from the oldest kept
  std::string subject;  // prefix
  std::string type;     // prefix
  uint32_t limit = 1000;
  ZEDOPS_FIELDS(since, subject, type, limit)
};
struct list_keys {
  ZEDOPS_FIELDS()
};
struct add_key {  // another role of the same key in the same place replaces the one before
  std::string name;
  std::string public_key;
  std::string role;   // viewer, operator, admin, agent or subscriber
  std::string agent;  // where it holds; both empty: everywhere
  std::string server;
  std::string topic{};  // of a subscriber: what the topics of its events begin with; empty: all
  ZEDOPS_FIELDS(name, public_key, role, agent, server, topic)
};
struct remove_key {  // with all its roles
  std::string name;
  ZEDOPS_FIELDS(name)
};
// The manager's own key. Without an option: makes the next one and tells it to the agents, which accept both from then
// on. finish: the manager uses the next one from its next start on.
struct rotate_key {
  bool finish = false;
  bool cancel = false;  // the next one is forgotten
  bool force = false;   // although some agents do not know the next one: it has to be set there by hand
  ZEDOPS_FIELDS(finish, cancel, force)
};
struct make_token {
  std::string agent;        // name of the agent that it enrols
  duration ttl{3'600'000};  // how long it can be used
  bool approve = false;     // the agent has to be approved before it is admitted
  bool replace = false;     // also when an agent of this name has a key, which ends once the new one has enrolled
  ZEDOPS_FIELDS(agent, ttl, approve, replace)
};
struct enrol_agent {  // with a token; by the agent
  std::string agent;
  std::string public_key;  // its own, made on its host
  ZEDOPS_FIELDS(agent, public_key)
};
struct approve_agent {
  std::string agent;
  ZEDOPS_FIELDS(agent)
};
// ---- users with passwords and programs with tokens: who may use HTTP ----
struct list_users {
  ZEDOPS_FIELDS()
};
struct add_user {  // or change a user's role; answered with a link for a new user
  std::string name;
  std::string role;   // viewer, operator or admin
  std::string agent;  // where it holds; both empty: everywhere
  std::string server;
  ZEDOPS_FIELDS(name, role, agent, server)
};
struct remove_user {
  std::string name;
  ZEDOPS_FIELDS(name)
};
struct reset_user {  // a link to choose a new password; the old password stops working
  std::string name;
  ZEDOPS_FIELDS(name)
};
struct list_tokens {
  ZEDOPS_FIELDS()
};
struct add_token {
  std::string name;
  std::string role;
  std::string agent;
  std::string server;
  duration ttl{};  // zero: until it is removed
  ZEDOPS_FIELDS(name, role, agent, server, ttl)
};
struct remove_token {
  std::string name;
  ZEDOPS_FIELDS(name)
};
struct set_log_level {
  std::string level;  // trace, debug, info, warn or error; until the manager starts again
  ZEDOPS_FIELDS(level)
};
struct list_templates {
  ZEDOPS_FIELDS()
};
struct get_metrics {
  ZEDOPS_FIELDS()
};
struct list_audit {
  std::string who{};     // prefix of who asked: "key:ann"; all filters may be empty
  std::string verb{};    // prefix: "server."
  std::string target{};  // id or name
  std::string result{};  // "ok", "refused" (anything else), or the code of an error
  time_point since{};    // never: from the oldest kept
  time_point until{};
  uint64_t before = 0;  // records with smaller numbers; zero: from the newest
  uint32_t limit = 100;
  ZEDOPS_FIELDS(who, verb, target, result, since, until, before, limit)
};
struct verify_audit {
  uint64_t seq = 0;  // with `head`: whether this record still has the chain that was noted for it
  std::string head;
  ZEDOPS_FIELDS(seq, head)
};
struct get_status {
  ZEDOPS_FIELDS()
};
struct remove_agent {
  std::string agent;
  bool confirm = false;
  ZEDOPS_FIELDS(agent, confirm)
};
struct recover_agent {  // most of its servers were gone at once; they may recover by themselves again
  std::string agent;
  ZEDOPS_FIELDS(agent)
};
struct forget_agent {  // its host is lost for good: its servers are given up with it
  std::string agent;
  bool lost = false;    // must be true
  std::string confirm;  // the agent's name, typed again; not needed for a dry run
  ZEDOPS_FIELDS(agent, lost, confirm)
};

// Options beside the body, the same for every verb; a map as well.
struct request_options {
  std::string actor;     // who asks; the door may replace it with whom it has authenticated
  bool dry_run = false;  // answer with the plan, change nothing
  bool wait = false;     // after `accepted`, send `progress` and finally `result` when the operation has ended
  ZEDOPS_FIELDS(actor, dry_run, wait)
};

}  // namespace zedops::msg
