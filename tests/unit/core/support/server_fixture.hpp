// One server by itself: its state machine, its log, a clock and an agent that is online or not. What the manager's
// server actor does around decide(), without the actor.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/server/server_machine.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::core::testing {

using namespace msg;
using namespace std::chrono_literals;

inline const time_point noon{duration{1'714'564'800'000}};

inline server blank() { return {}; }

// A record as create leaves it, for tests that begin in the middle of a life.
inline server record(server_status status = server_status::running) {
  server s;
  s.id = {"s00000000000001"};
  s.name = "pz-one";
  s.agent = {"a00000000000001"};
  s.template_name = "project-zomboid";
  s.image = "registry.example/pz";
  s.image_tag = "41";
  s.env = {{"SERVER_NAME", "one"}, {"RCON_PASSWORD", "secret"}};
  s.ports = {{port_role::game, protocol::udp, 16261},
             {port_role::udp, protocol::udp, 16262},
             {port_role::rcon, protocol::tcp, 27015}};
  s.data_path = "/srv/zedops";
  s.data = data_state::present;
  s.created_at = s.updated_at = s.observed_at = noon - 24h;
  s.status = status;
  s.revision = 7;
  s.seq = 20;
  s.log_head = 41;
  const bool embodied = status == server_status::running || status == server_status::stopped;
  if (embodied) {
    s.container_id = "c0ffee";
    s.container = status == server_status::running ? container_state::running : container_state::exited;
  }
  s.has_run = status != server_status::creating;
  if (status == server_status::stopped) s.desired = desired_state::stopped;
  if (status == server_status::deleted || status == server_status::deleting) {
    s.desired = desired_state::deleted;
    s.deleted_at = noon - 1h;
    s.purge_at = noon + 23h;
  }
  return s;
}

inline operation open_operation(const server& s, op_kind kind, bool waiting = false) {
  operation op;
  op.id = {"o-" + std::string(name_of(kind))};
  op.kind = kind;
  op.target = {s.id.value};
  op.target_name = s.name;
  op.actor = "ann";
  op.step = waiting ? std::string(step_waiting) : "";
  op.started_at = noon - 1min;
  op.deadline = noon + 5min;
  op.prior = s.status;
  op.prior_desired = s.desired;
  op.seq = 1;
  if (kind == op_kind::move) {
    op.data_from = s.data_path;
    op.data_to = "/mnt/new";
  }
  if (kind == op_kind::adopt) op.original = "f0re1gn";
  return op;
}

// ---- what an agent may see ----
inline observation saw(container_state state, data_state data = data_state::present, std::string id = "c0ffee") {
  observation o;
  o.container = presence::present;
  o.view.id = std::move(id);
  o.view.state = state;
  o.data = data;
  o.observed_at = noon;
  return o;
}
inline observation saw_nothing(data_state data = data_state::present) {
  observation o;
  o.container = presence::absent;
  o.data = data;
  o.observed_at = noon;
  return o;
}
inline observation could_not_look() {
  observation o;
  o.observed_at = noon;
  return o;
}

inline error trouble(ec code = ec::engine_error) { return {code, "the Engine says no", "ask it why", {}}; }

inline command_result result_of(const operation_id& op, observation after, std::optional<error> failure = {}) {
  command_result r;
  r.op = op;
  r.after = std::move(after);
  r.failure = std::move(failure);
  return r;
}

// ---- inspecting decisions ----
template <class F>
const F* fact_in(const decision& d) {
  for (const auto& f : d.facts)
    if (const auto* x = std::get_if<F>(&f)) return x;
  return nullptr;
}
template <class E>
const E* effect_in(const decision& d) {
  for (const auto& e : d.effects)
    if (const auto* x = std::get_if<E>(&e)) return x;
  return nullptr;
}
// True when every word is in the text.
inline bool mentions(const std::string& text, std::initializer_list<const char*> words) {
  for (const auto* word : words)
    if (text.find(word) == std::string::npos) return false;
  return true;
}
inline std::string code_of(const decision& d) { return d.refusal ? std::string(name_of(d.refusal->code)) : "ok"; }

// The log entry of a decision.
inline log_entry entry_of(const server& s, const decision& d, time_point at, uint64_t first_seq) {
  return {s.id.value, s.log_head, first_seq, at, d.why, number(s, d.facts)};
}

inline server new_record() {  // as it is handed to create
  auto s = record(server_status::creating);
  s.revision = s.seq = s.log_head = 0;
  s.data = data_state::unknown;
  return s;
}

class fixture {
 public:
  server s;
  context cx;
  std::vector<log_entry> log;

  explicit fixture(server start = blank(), bool online = true) : s(std::move(start)) {
    cx.now = noon;
    cx.agent_online = online;
    next_seq_ = s.log_head + 100;
  }

  decision give(const input& in) {
    auto d = decide(s, in, cx);
    if (!d.facts.empty()) {
      auto entry = entry_of(s, d, cx.now, next_seq_);
      next_seq_ += entry.facts.size();
      apply(s, entry);
      log.push_back(std::move(entry));
    }
    return d;
  }
  decision ask(server_request what) {
    return give(requested{std::move(what), {{"o" + std::to_string(++asked_)}, "ann", {}, asked_}});
  }
  decision create(server rec) {
    return give(created{std::move(rec), {{"o" + std::to_string(++asked_)}, "ann", {}, 1}});
  }
  decision adopt(server rec, std::string original = "f0re1gn") {
    return give(created{std::move(rec), {{"o" + std::to_string(++asked_)}, "ann", {}, 1}, std::move(original)});
  }
  decision see(observation o) { return give(seen{std::move(o), cause_kind::sync, {}}); }
  decision finish(observation after, std::optional<error> failure = {}) {
    auto r = result_of(s.op.value().id, std::move(after), std::move(failure));
    r.attempt = s.op->attempt;
    return give(reported{std::move(r)});
  }
  decision progress(std::string step, uint32_t percent) {
    command_progress p;
    p.op = s.op.value().id;
    p.step = std::move(step);
    p.progress = percent;
    return give(progressed{p});
  }
  decision agent_back() {
    cx.agent_online = true;
    return give(agent_ready{});
  }
  decision wait(duration d) {
    cx.now += d;
    return give(tick{});
  }

 private:
  uint64_t next_seq_ = 0;
  uint64_t asked_ = 0;
};

inline fixture created_server() {
  fixture x;
  x.create(new_record());
  return x;
}
inline fixture missing_server(data_state data = data_state::present) {
  auto s = record(server_status::missing);
  s.data = data;
  return fixture(s);
}

}  // namespace zedops::core::testing
