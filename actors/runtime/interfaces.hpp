// Every typed actor of the manager and what it understands, on one page. Messages are plain structs; an error travels
// inside the answer, because callers want its cause and remedy, not a CAF code.
#pragma once
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/core/server/server_machine.hpp"
#include "actors/runtime/entity.hpp"
#include "actors/runtime/ports.hpp"
#include "messages/records/audit.hpp"
#include "messages/records/facts.hpp"
#include "messages/wire/link.hpp"

namespace zedops::rt {

using server_ptr = std::shared_ptr<const msg::server>;
using agent_ptr = std::shared_ptr<const msg::agent>;
using project_ptr = std::shared_ptr<const msg::project>;
using service_ptr = std::shared_ptr<const msg::service>;

// ---- journal: the one writer; facts and snapshot in one transaction, many requests in one commit ----
struct commit {
  const kind* of = nullptr;  // null: facts of no record, or beside one (refused requests): logged, and nothing changes
  std::string id;
  uint64_t base = 0;  // log_head of the record that the decision was made on
  std::vector<msg::numbered_fact> facts;
  msg::cause why;
  msg::time_point at{};
  std::shared_ptr<const msg::audit_record> asked{};  // of a request: durable with its facts, or alone without any
};
struct committed {
  std::optional<msg::error> failure;            // then nothing was kept
  any_record record;                            // as it is now
  std::shared_ptr<const msg::log_entry> entry;  // what became of the facts
};
struct expect_commits {  // that many are on their way: put them into one transaction
  uint32_t count = 0;
};
struct raise_term {  // the manager's own is higher than this one from now on
  uint64_t above = 0;
};
using flush_atom = caf::atom_constant<caf::atom("flush")>;
using trim_atom = caf::atom_constant<caf::atom("trim")>;
using alive_atom = caf::atom_constant<caf::atom("alive")>;
using journal_actor = caf::typed_actor<caf::replies_to<commit>::with<committed>,  // durable when answered
                                       caf::replies_to<raise_term>::with<committed>, caf::reacts_to<expect_commits>,
                                       caf::reacts_to<trim_atom>,            // drop history beyond its limit
                                       caf::reacts_to<alive_atom>,           // a sweep has come: both are running
                                       caf::reacts_to<flush_atom, uint64_t>  // INTERNAL
                                       >;

// ---- hub: committed facts go out as events and wake those that wait for an operation ----
struct published {
  std::vector<std::shared_ptr<const msg::log_entry>> entries;  // in the order of their numbers
};
struct watch_operation {
  msg::operation_id op;
  peer who;
  bool bare = false;  // answer with the operation alone (op.wait), not with operation and server
};
using tick_atom = caf::atom_constant<caf::atom("tick")>;
struct follow_events {  // answered with `accepted` and an empty page whose cursor is the newest event, then one `item`
                        // each
  peer who;
  std::string subject{};  // prefixes; empty: all
  std::string type{};
};
struct peer_lost {  // a connection of a client, or of an agent, is closed
  std::string routing_id;
  door* via = nullptr;  // of a client
};
using hub_actor = caf::typed_actor<caf::reacts_to<published>, caf::reacts_to<watch_operation>,
                                   caf::reacts_to<follow_events>, caf::reacts_to<peer_lost>,
                                   caf::reacts_to<tick_atom>>;  // INTERNAL: progress for those that wait

// ---- entity: one actor for each server, and for each of any other kind that has a machine ----
struct entity_call {
  entity_call() = default;
  template <class Tag>
  entity_call(msg::id<Tag> whom, core::input input, bool dry = false)
      : id(whom.value), dry_run(dry), makes(std::holds_alternative<core::created>(input)) {
    what = std::move(input);
  }
  entity_call(std::string whom, std::any input, bool dry = false)
      : id(std::move(whom)), what(std::move(input)), dry_run(dry) {}

  std::string id;
  std::any what;  // an input of its machine
  bool dry_run = false;
  bool makes = false;                                              // an entity that does not exist yet
  std::shared_ptr<const msg::audit_record> asked{};                // who asks for it; null: the manager itself does
  std::optional<std::chrono::steady_clock::time_point> expires{};  // not begun later: the caller no longer waits for it
};
struct entity_reply {
  std::optional<msg::error> failure;
  any_record record;                        // after the decision; for a dry run as it is
  std::optional<msg::operation> operation;  // that the call opened, found open, or ended
  std::vector<std::string> plan;            // dry run
  bool fresh_start = false;
  bool changed = false;
  bool audited = false;  // the request, if there was one, is in the audit
};
using rest_atom = caf::atom_constant<caf::atom("rest")>;
using entity_actor = caf::typed_actor<caf::replies_to<entity_call>::with<entity_reply>,
                                      caf::reacts_to<rest_atom>>;  // nobody needs it: it ends when it has nothing to do

// ---- registry: finds or starts the actor of an entity, and starts it again when it crashes ----
using warm_atom = caf::atom_constant<caf::atom("warm")>;
using registry_actor = caf::typed_actor<caf::replies_to<entity_call>::with<entity_reply>,
                                        caf::reacts_to<warm_atom, std::string>,  // INTERNAL: start one that crashed
                                        caf::reacts_to<tick_atom>>;  // INTERNAL: let those rest that nobody needs

// ---- hosts: every agent's session ----
struct agent_said {
  std::string routing_id;
  msg::from_agent what;
  std::shared_ptr<void> credit{};  // of the door; released once the message was dealt with
};
struct to_host {  // for the agent of a server; dropped when it is away: what is still to be done is sent on its return
  msg::agent_id agent;
  msg::to_agent what;
};
struct sync_wanted {  // have that agent look, soon; repeated notices within ten seconds are one
  msg::agent_id agent;
  msg::server_id server;
};
struct host_query {  // sync_query, data_query, port_query, logs_query or container_query; its `request` is filled in
                     // here
  msg::agent_id agent;
  msg::to_agent what;
};
struct host_answer {
  std::optional<msg::error> failure;
  std::optional<msg::from_agent> what;  // data_answer, port_answer or logs_answer
  msg::sync_row sync;                   // for sync_query
};
struct release_recovery {  // of an agent's servers
  msg::agent_id agent;
  std::string actor;
};
struct forget_agent {  // refused while it has servers or is connected
  msg::agent_id agent;
  bool lost = false;  // given up with its servers; those are gone already
};
using host_actor = caf::typed_actor<caf::reacts_to<agent_said>, caf::reacts_to<peer_lost>, caf::reacts_to<to_host>,
                                    caf::reacts_to<sync_wanted>, caf::replies_to<host_query>::with<host_answer>,
                                    caf::replies_to<forget_agent>::with<host_answer>,
                                    caf::replies_to<release_recovery>::with<host_answer>,
                                    caf::reacts_to<tick_atom>  // INTERNAL
                                    >;
// The same for all agents: routes to the host actor.
using hosts_actor = caf::typed_actor<caf::reacts_to<agent_said>, caf::reacts_to<peer_lost>, caf::reacts_to<to_host>,
                                     caf::reacts_to<warm_atom>,  // INTERNAL: start the hosts of the last run
                                     caf::reacts_to<sync_wanted>, caf::replies_to<host_query>::with<host_answer>,
                                     caf::replies_to<forget_agent>::with<host_answer>,
                                     caf::replies_to<release_recovery>::with<host_answer>,
                                     caf::reacts_to<tick_atom, uint32_t>  // INTERNAL: it is this slice's turn
                                     >;

// ---- gateway: requests of clients ----
struct client_call {
  peer who;
  std::shared_ptr<const msg::principal> by;
  std::string verb;
  std::string idempotency_key;
  std::optional<msg::duration> deadline;
  std::string options;
  std::string body;
  std::shared_ptr<void> credit;      // released when answered: bounds what is in flight
  bool paced = false;                // it has waited its turn among large ones
  size_t row = msg::verb_not_found;  // of the verb in the table; the node looks it up
};
using gateway_actor = caf::typed_actor<caf::reacts_to<client_call>>;

// ---- keeper: keys, users and settings of the manager, which are files: it alone waits for the disk ----
struct kept {
  answer kind = answer::error;
  std::string body;
};
using keeper_actor = caf::typed_actor<caf::replies_to<client_call>::with<kept>>;

// ---- uploads: archives that clients send and agents fetch; each piece waits for the disk ----
struct piece_wanted {  // by an agent; answered over its session
  std::string routing_id;
  uint64_t session = 0;
  msg::fetch_upload what;
};
using uploads_actor = caf::typed_actor<caf::replies_to<client_call>::with<kept>, caf::reacts_to<piece_wanted>,
                                       caf::reacts_to<tick_atom>>;  // INTERNAL: what is not needed is removed

// ---- usage writer: has the reported usage written ----
using open_atom = caf::atom_constant<caf::atom("open")>;
using usage_writer_actor = caf::typed_actor<caf::reacts_to<open_atom>,  // INTERNAL
                                            caf::reacts_to<tick_atom>>;

// ---- sweeper: one timer for all deadlines ----
using sweeper_actor = caf::typed_actor<caf::reacts_to<tick_atom>>;

}  // namespace zedops::rt

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::commit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::committed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::expect_commits)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::raise_term)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::published)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::watch_operation)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::follow_events)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::entity_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::entity_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::agent_said)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::peer_lost)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::to_host)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::sync_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::host_query)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::host_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::forget_agent)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::release_recovery)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::client_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::kept)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zedops::rt::piece_wanted)
