// Public forms: what REST, `-o json`, MessagePack maps and events show. Field names are a contract with scripts.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/records/audit.hpp"
#include "messages/records/facts.hpp"
#include "messages/records/server.hpp"
#include "messages/records/usage.hpp"

namespace zedops::msg {

// RFC 3339 in JSON, milliseconds in MessagePack; null when it never happened.
using optional_time = std::optional<time_point>;
constexpr optional_time shown(time_point t) { return t == never ? optional_time{} : optional_time{t}; }

struct operation_view {
  operation_id id;
  op_kind kind = op_kind::create;
  entity_id target;
  std::string target_name;
  std::string actor;
  op_status status = op_status::accepted;
  std::string step;
  uint32_t progress = 0;
  std::string note;
  optional_time started_at;
  optional_time deadline;
  optional_time ended_at;
  std::optional<error> failure;  // named "error" in public: see codec
  std::string idempotency_key;
  std::vector<engine_call> calls;
  std::string data_from;  // of a move
  std::string data_to;
  std::string original;  // of an adoption: the container that was taken over
  ZEDOPS_FIELDS(id, kind, target, target_name, actor, status, step, progress, note, started_at, deadline, ended_at,
                failure, idempotency_key, calls, data_from, data_to, original)
};

struct server_view {
  server_id id;
  std::string name;
  std::string agent;  // its name
  msg::agent_id agent_id;
  msg::agent_status agent_status = msg::agent_status::pending;  // not online: the rest is what was last known
  server_status status = server_status::creating;
  msg::desired_state desired_state = msg::desired_state::running;
  msg::data_state data_state = msg::data_state::unknown;
  bool data_exists = false;
  std::optional<uint64_t> data_bytes;
  std::string container_id;
  std::optional<msg::container_state> container_state;
  int64_t exit_code = 0;
  std::string template_name;
  std::string image;
  std::string image_tag;
  std::map<std::string, std::string> config;
  std::optional<uint16_t> game_port;
  std::optional<uint16_t> udp_port;
  std::optional<uint16_t> rcon_port;
  std::vector<reserved_port> ports;
  std::string server_data_path;
  health_state health = health_state::none;
  uint64_t restarts = 0;
  recovery_policy recovery = recovery_policy::manual;
  bool pending_rebuild = false;
  bool stale = false;
  std::string drift;
  optional_time deleted_at;
  optional_time purge_at;
  optional_time created_at;
  optional_time updated_at;
  optional_time observed_at;
  uint64_t revision = 0;
  std::optional<error> last_error;
  std::optional<operation_view> operation;
  std::vector<std::string> actions;  // verbs that its state permits now
  msg::crash_policy crash_policy = msg::crash_policy::engine;
  int32_t priority = 0;
  std::vector<msg::condition> condition;  // worst first; stale also while its agent is not online
  optional_time restarting_since;         // while it is restarting; `restarts` are counted from then
  std::string container_image;            // what its container was made from; empty: not known
  optional_time started_at;               // of its container
  sparse<server_spec> spec;               // what was set for it beyond its template
  std::string data_problem;               // why its data cannot be looked at now; the rest is what was known before
  optional_time data_problem_since;
  ZEDOPS_FIELDS(id, name, agent, agent_id, agent_status, status, desired_state, data_state, data_exists, data_bytes,
                container_id, container_state, exit_code, template_name, image, image_tag, config, game_port, udp_port,
                rcon_port, ports, server_data_path, health, restarts, recovery, pending_rebuild, stale, drift,
                deleted_at, purge_at, created_at, updated_at, observed_at, revision, last_error, operation, actions,
                crash_policy, priority, condition, restarting_since, container_image, started_at, spec, data_problem,
                data_problem_since)
};

// Why a server is where it is: what led here, oldest first, and what comes next.
ZEDOPS_ENUM(explain_kind, desire, command, engine_call, event, transition, agent, timer, retry)
struct explain_line {
  optional_time at;  // of a timer: when it fires
  explain_kind kind = explain_kind::desire;
  std::string text;
  std::string ref;  // operation, container
  ZEDOPS_FIELDS(at, kind, text, ref)
};
struct explanation {
  server_view server;
  std::string summary;  // one sentence
  std::vector<explain_line> past;
  std::vector<explain_line> next;
  uint64_t trimmed_before = 0;  // events up to this one are gone; zero: nothing is missing
  ZEDOPS_FIELDS(server, summary, past, next, trimmed_before)
};

struct agent_view {
  agent_id id;
  std::string name;
  agent_status status = agent_status::pending;
  optional_time last_seen;
  std::string engine_version;
  std::string api_version;
  bool engine_ok = false;
  std::string hostname;
  std::string data_path;
  uint64_t servers = 0;
  uint64_t running = 0;
  std::string version;
  optional_time last_sync;
  optional_time created_at;
  optional_time recovery_held;  // since when nothing of it recovers by itself: most of its servers were gone at once
  std::string engine_problem;   // why it does not work with its Engine; empty: it does, or no reason was given
  ZEDOPS_FIELDS(id, name, status, last_seen, engine_version, api_version, engine_ok, hostname, data_path, servers,
                running, version, last_sync, created_at, recovery_held, engine_problem)
};

struct server_list {
  std::vector<server_view> servers;
  std::string next;     // `after` of the next page; empty: this was the last
  uint64_t hidden = 0;  // deleted servers that were left out
  ZEDOPS_FIELDS(servers, next, hidden)
};
struct agent_list {
  std::vector<agent_view> agents;
  ZEDOPS_FIELDS(agents)
};
// What is given up with an agent whose host is lost; for a dry run, what would be.
struct forget_reply {
  agent_view agent;
  uint64_t servers = 0;
  uint64_t operations = 0;        // open ones, which end
  std::vector<std::string> plan;  // one line a server
  ZEDOPS_FIELDS(agent, servers, operations, plan)
};
struct operation_list {
  std::vector<operation_view> operations;
  std::string next;
  ZEDOPS_FIELDS(operations, next)
};

// One event; `data` has the fields of the fact that `type` names.
struct event {
  std::string epoch;  // changes when a store was restored from a backup; a cursor is "epoch:seq"
  uint64_t seq = 0;
  std::string subject;
  uint64_t subject_seq = 0;
  time_point time{};
  cause why;  // named "cause" in public
  fact data;
  ZEDOPS_FIELDS(epoch, seq, subject, subject_seq, time, why, data)
};
struct event_page {
  std::vector<event> events;
  std::string cursor;     // continue from here
  uint64_t gap_from = 0;  // events gap_from..gap_to are gone (trimmed); zero: none
  uint64_t gap_to = 0;
  bool end = true;  // nothing newer is stored
  ZEDOPS_FIELDS(events, cursor, gap_from, gap_to, end)
};

struct key_view {
  std::string name;
  std::string role;  // viewer, operator, admin, agent, subscriber; enrol: a token; pending: an agent that waits
  std::string public_key;
  std::string fingerprint;
  std::string agent;
  std::string server;
  optional_time expires_at;  // of a token
  std::string topic{};       // of a subscriber
  ZEDOPS_FIELDS(name, role, public_key, fingerprint, agent, server, expires_at, topic)
};
struct key_list {
  std::vector<key_view> keys;
  ZEDOPS_FIELDS(keys)
};
struct rotation_view {
  std::string public_key;                   // what the manager answers with now
  std::string next_key;                     // empty: there is none
  bool at_next_start = false;               // it is finished: the next start takes it
  std::vector<std::string> agents_ready;    // they know the next one
  std::vector<std::string> agents_missing;  // they do not; those without a network do not count
  ZEDOPS_FIELDS(public_key, next_key, at_next_start, agents_ready, agents_missing)
};
struct token_reply {
  std::string agent;
  std::string line;  // for `zedops-agent join`; shown only this once
  time_point expires_at{};
  ZEDOPS_FIELDS(agent, line, expires_at)
};
struct enrol_reply {
  std::string agent;
  bool approved = false;  // false: it is admitted once it has been approved
  ZEDOPS_FIELDS(agent, approved)
};
struct user_view {
  std::string name;
  std::string role;
  std::string agent;
  std::string server;
  bool has_password = false;  // false: the link has not been used yet
  optional_time created_at;
  ZEDOPS_FIELDS(name, role, agent, server, has_password, created_at)
};
struct user_list {
  std::vector<user_view> users;
  ZEDOPS_FIELDS(users)
};
struct user_link {
  user_view user;
  std::string link;  // for the user's browser; shown only this once. Empty: the user has a password already
  optional_time expires_at;
  ZEDOPS_FIELDS(user, link, expires_at)
};
struct token_view {
  std::string name;
  std::string role;
  std::string agent;
  std::string server;
  optional_time created_at;
  optional_time expires_at;
  optional_time used_at;  // the last time; up to ten minutes off after a restart of the manager
  ZEDOPS_FIELDS(name, role, agent, server, created_at, expires_at, used_at)
};
struct token_list {
  std::vector<token_view> tokens;
  ZEDOPS_FIELDS(tokens)
};
struct token_made {
  token_view token;
  std::string secret;  // for the header `Authorization: Bearer`; shown only this once
  ZEDOPS_FIELDS(token, secret)
};
struct log_level_reply {
  std::string level;
  ZEDOPS_FIELDS(level)
};
struct template_view {  // what a user has to know to create a server from it
  std::string name;
  std::string description;
  std::string image;  // empty: each server names its own
  std::string image_tag;
  std::map<std::string, std::string> env;  // defaults
  std::vector<std::string> env_required;
  std::vector<std::string> env_immutable;  // keep their first value
  std::vector<std::string> env_secret;
  std::vector<port_role> ports;  // that its servers can have
  ZEDOPS_FIELDS(name, description, image, image_tag, env, env_required, env_immutable, env_secret, ports)
};
struct template_list {
  std::vector<template_view> templates;
  ZEDOPS_FIELDS(templates)
};
struct metrics_reply {
  std::string text;  // as Prometheus reads it
  ZEDOPS_FIELDS(text)
};
struct audit_page {
  std::vector<audit_record> records;  // newest first
  uint64_t next = 0;                  // ask again with `before` = this; zero: that was all
  ZEDOPS_FIELDS(records, next)
};
// Whether the audit is as it was written. `head` is worth noting elsewhere: an attacker who can rewrite the whole store
// can rewrite the whole chain as well, but not into one that ends in a head that was noted before.
struct audit_verdict {
  bool sound = false;
  uint64_t first = 0;  // oldest record that is kept
  uint64_t last = 0;
  std::string head;        // chain of the newest
  uint64_t broken_at = 0;  // the first record that does not continue the one before it; zero: none
  std::string problem;     // what is wrong there
  ZEDOPS_FIELDS(sound, first, last, head, broken_at, problem)
};

// Answer to an accepted operation, to a dry run and at its end.
struct operation_reply {
  operation_view operation;
  server_view server;
  std::vector<std::string> plan;  // dry run: what would happen, one line a step
  bool fresh_start = false;       // will begin with empty directories
  ZEDOPS_FIELDS(operation, server, plan, fresh_start)
};

struct sync_row {
  std::string agent;
  uint64_t servers = 0;
  uint64_t containers = 0;
  std::vector<std::string> changed;
  std::vector<std::string> unclaimed;
  std::optional<error> failure;
  ZEDOPS_FIELDS(agent, servers, containers, changed, unclaimed, failure)
};
struct sync_reply {
  std::vector<sync_row> agents;
  ZEDOPS_FIELDS(agents)
};

struct data_row {
  server_id id;
  std::string name;
  std::string agent;
  data_state state = data_state::unknown;
  std::string bin_path;
  std::string data_path;
  data_state bin = data_state::unknown;
  data_state data = data_state::unknown;
  std::optional<uint64_t> bytes;
  std::string problem;
  ZEDOPS_FIELDS(id, name, agent, state, bin_path, data_path, bin, data, bytes, problem)
};
struct data_reply {
  std::vector<data_row> servers;
  std::optional<uint64_t> space_free;  // at `space_at`, if asked for and known
  ZEDOPS_FIELDS(servers, space_free)
};

ZEDOPS_ENUM(port_owner, free, server, container, process, unknown)
struct port_row {
  uint16_t number = 0;
  protocol proto = protocol::udp;
  port_owner taken_by = port_owner::free;
  std::string detail;  // "server pz1 (missing)", "container foo", "process nginx (pid 12)"
  ZEDOPS_FIELDS(number, proto, taken_by, detail)
};
struct ports_reply {
  std::string agent;
  std::vector<port_row> ports;
  bool host_checked = true;  // false: the agent cannot see its host's ports
  ZEDOPS_FIELDS(agent, ports, host_checked)
};
struct port_suggestion {
  uint16_t game_port = 0;
  uint16_t udp_port = 0;
  uint16_t rcon_port = 0;
  ZEDOPS_FIELDS(game_port, udp_port, rcon_port)
};
struct suggest_reply {
  std::string agent;
  std::vector<port_suggestion> suggestions;
  ZEDOPS_FIELDS(agent, suggestions)
};

// What a server's container has written outside of its folders: lost when it is replaced or removed.
struct layer_folder {
  std::string path;
  uint64_t files = 0;
  ZEDOPS_FIELDS(path, files)
};
struct layer_reply {
  uint64_t files = 0;                 // without what every container has, and folders for temporary files
  uint64_t bytes = 0;                 // of all of it, these included
  std::vector<layer_folder> folders;  // those with the most files, five at most
  ZEDOPS_FIELDS(files, bytes, folders)
};
struct log_line {
  std::string stream;
  std::string text;
  std::string at{};  // the Engine's stamp, RFC 3339 with nine digits; lines of one time are in order
  ZEDOPS_FIELDS(stream, text, at)
};
struct logs_reply {
  std::vector<log_line> lines;
  bool cut = false;  // more than fits: earlier ones are missing, or with `since` later ones, to be asked for next
  ZEDOPS_FIELDS(lines, cut)
};

struct usage_point {
  optional_time at;  // the beginning of the period that it is the average of
  usage_sample used;
  ZEDOPS_FIELDS(at, used)
};
// A period of which nothing is known has no point.
struct usage_reply {
  std::string name;
  duration every{};  // between two points
  std::vector<usage_point> points;
  ZEDOPS_FIELDS(name, every, points)
};

struct manager_status {
  std::string version;
  std::string manager_id;
  std::string epoch;
  uint64_t last_seq = 0;
  uint64_t oldest_seq = 0;
  uint64_t term = 0;
  uint64_t agents = 0;
  uint64_t agents_online = 0;
  std::map<std::string, uint64_t> servers;  // by status
  uint64_t operations_open = 0;
  uint64_t store_bytes = 0;
  optional_time started_at;
  std::vector<std::string> templates;
  std::map<std::string, uint64_t> counters;
  std::string data_dir;  // where its store is, on its host
  ZEDOPS_FIELDS(version, manager_id, epoch, last_seq, oldest_seq, term, agents, agents_online, servers, operations_open,
                store_bytes, started_at, templates, counters, data_dir)
};

server_view view_of(const server& s, const agent* a);
operation_view view_of(const operation& op);
agent_view view_of(const agent& a);
std::string cursor_text(const event& e);  // its place, "7:1042"

}  // namespace zedops::msg
