// The life of one server as a pure function: no CAF, no clock, no I/O, no logging.
//
//                    create, adopt                            (names are states; every arrow is a fact)
//                          |
//                      [creating] --failure/timeout--> [failed] <---------.
//                          | result: running              | start, rebuild |
//                          v                              v                |
//      .------------- [running] <------ start ------- [stopped]            |
//      |  stop, exit ----^ |  ^-------- seen ------------^ |               |
//      |                   | container vanished            |               |
//      |                   v                               v               |
//      |               [missing] --- start, recreate --> [running]         |
//      |                   |                                               |
//      '-- rm -----> [deleting] -- container gone --> [deleted] -- restore --> [missing] -> [running]
//                          ^                              |
//                          '---- purge (any state) -------'---> [purged]: the record is gone, history stays
//
// decide() says which facts follow from an input and which effects leave once the facts are durable; apply() folds
// committed facts into the record. The same record and input always give the same decision.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "actors/core/entity.hpp"
#include "actors/core/plan/claims.hpp"
#include "messages/api/operations.hpp"
#include "messages/api/requests.hpp"
#include "messages/records/condition.hpp"
#include "messages/records/facts.hpp"
#include "messages/records/server.hpp"
#include "messages/wire/link.hpp"

namespace zedops::core {

// ---- inputs ----
struct request_info {
  msg::operation_id op;  // the operation to open
  std::string actor;
  std::string idempotency_key;
  uint64_t request_hash = 0;
  msg::operation_id refusal{};  // under which a refusal that may pass is recorded, so that its key stays free
};
struct created {  // a new record, complete and validated; only a blank machine takes it
  msg::server record;
  request_info who;
  std::string original{};  // an adoption: the container that is taken over
};
struct requested {
  msg::server_request what;
  request_info who;
};
struct progressed {
  msg::command_progress report;
};
struct reported {
  msg::command_result report;
};
struct seen {
  msg::observation what;
  msg::cause_kind kind = msg::cause_kind::sync;
  std::string hint;  // the Engine's event
};
struct data_seen {  // only the data was looked at
  msg::data_state data = msg::data_state::unknown;
  std::optional<uint64_t> bytes;
  std::string problem{};  // why it is unknown
};
struct acted {  // its agent did, or saw, something while it was on its own: in order of their numbers
  std::vector<msg::incident> list;
};
struct unseen {  // looking failed: nothing may be concluded
  msg::error failure;
};
struct given_up {  // its host is lost for good, and a user has confirmed it
  std::string actor;
  std::string agent;  // name
};
struct agent_ready {};  // the agent is connected and has reported: send it what is still to be done
using input = std::variant<created, requested, cancel_requested, progressed, reported, seen, unseen, agent_ready, tick,
                           data_seen, acted, given_up>;

// What decide() may know of the world.
struct context {
  msg::time_point now{};
  bool agent_online = false;
  bool recovery_held = false;  // by its agent's loss of many at once
  uint64_t term = 0;           // of this life of the manager; what an agent refused in another one decides nothing
  msg::duration retention{std::chrono::hours(24)};
  const msg::server_template* rules = nullptr;  // the server's template; null: it is gone, and its rules with it
  std::array<msg::duration, msg::operation_table.size()> time_max = [] {
    std::array<msg::duration, msg::operation_table.size()> out{};
    for (const auto& row : msg::operation_table) out[static_cast<size_t>(row.kind)] = row.time_max;
    return out;
  }();
};

// An operation whose agent is away waits this long before it is given up; a deleted server stays deleted all the same.
inline constexpr msg::duration waiting_max = std::chrono::hours(24 * 7);
// How a restore ends that found nothing to run.
inline constexpr std::string_view restored_without_data =
    "restored without data: zedctl server start --fresh starts over";
// While progress arrives an operation is not given up: each report grants at least this much.
inline constexpr msg::duration stall_max = std::chrono::seconds(120);
// A failed automatic recovery, or a failed purge at the end of retention, is tried again after this long.
inline constexpr msg::duration recovery_retry = std::chrono::minutes(5);
// When, at the earliest; never: nothing has failed.
msg::time_point retry_at(const msg::server& s);

// ---- effects: what the shell does after the facts are durable ----
struct send_command {  // the shell adds term and plan
  msg::command_kind kind = msg::command_kind::run;
  msg::operation_id op;
  uint32_t attempt = 1;
  std::string container_id;
  msg::data_demand demand = msg::data_demand::present;
  bool remove_data = false;
  std::optional<msg::pull_policy> pull;  // empty: the template's
  msg::duration time_max{};
  std::string data_from{};  // of a move: the two data roots
  std::string data_to{};
  std::string original{};  // of an adoption: the container that is taken over
  bool again = false;      // it was sent before, and may be done by now
  friend bool operator==(const send_command&, const send_command&) = default;
};
struct withdraw_command {  // its operation has ended here: the agent drops it, or ends it before its next step
  msg::operation_id op;
};
struct request_sync {};  // the actual state is not known: have the agent look
struct watch {};         // the agent must know of this server
struct forget {};        // and no longer
using effect = std::variant<send_command, request_sync, watch, forget, withdraw_command>;

using decision = basic_decision<effect>;

decision decide(const msg::server& s, const input& in, const context& cx);

// One fact folded into the record. `at` is the time of its log entry.
void evolve(msg::server& s, const msg::fact& f, msg::time_point at);
// One committed entry: all its facts, the counters and the chain.
void apply(msg::server& s, const msg::log_entry& entry);
// Gives each fact its subject and number, continuing from the record's counters.
std::vector<msg::numbered_fact> number(const msg::server& s, std::vector<msg::fact> facts);

// Waits for its agent and was never sent: no agent can be working on it.
inline bool never_sent(const msg::operation& op) {
  return op.step == msg::step_waiting && op.status == msg::op_status::accepted;
}

// When this server next needs a tick; `never` when it waits for nothing.
msg::time_point next_due(const msg::server& s);

// The command that an open operation stands for, derived from the record alone: what a restart sends again.
send_command command_for(const msg::server& s, const msg::operation& op, const context& cx);

// One line per step, for a dry run.
std::vector<std::string> plan_text(const msg::server& s, const decision& d);

template <>
struct entity<msg::server> {
  static constexpr std::string_view kind = "server";
  static constexpr char letter = 's';
  using input = core::input;
  static void apply(msg::server& s, const msg::log_entry& e) { core::apply(s, e); }
  static std::vector<msg::numbered_fact> number(const msg::server& s, std::vector<msg::fact> facts) {
    return core::number(s, std::move(facts));
  }
  static input resume() { return agent_ready{}; }
  static std::vector<msg::fact> rests(const msg::error& why) { return {msg::error_changed{why}}; }
  static bool gone(const msg::server& s) { return s.status == msg::server_status::purged; }
  static bool ends(const msg::fact& f) { return std::holds_alternative<msg::server_purged>(f); }
  static const msg::operation* open(const msg::server& s) { return s.op ? &*s.op : nullptr; }
  static msg::time_point due(const msg::server& s) { return next_due(s); }
  // The end of a retention is its agent's work.
  static msg::agent_id due_with(const msg::server& s) {
    const bool waits = !s.op && s.status == msg::server_status::deleted && !msg::in_restart_series(s);
    return waits ? s.agent : msg::agent_id{};
  }
  static bool same_claims(const msg::server& a, const msg::server& b) {
    return a.name == b.name && a.agent == b.agent && a.ports == b.ports && a.spec == b.spec;
  }
  template <class F>
  static void each_claim(const msg::server& s, F f) {
    core::each_claim(s, std::move(f));
  }
  static msg::error taken(std::string_view claim, const msg::server& owner) {
    return claim_taken(claim, owner.name, owner.status);
  }
};

}  // namespace zedops::core
