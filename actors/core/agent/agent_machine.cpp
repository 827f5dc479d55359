#include "actors/core/agent/agent_machine.hpp"

#include "actors/core/operation_facts.hpp"
#include "actors/core/overload.hpp"

namespace zedops::core {

using namespace msg;

namespace {

void evolve(agent& a, const fact& f) {
  std::visit(overload{
                 [&](const agent_registered& x) { a = *x.record; },
                 [&](const agent_connected& x) {
                   a.status = agent_status::online;
                   a.hostname = x.hostname;
                   a.data_path = x.data_path;
                   a.version = x.version;
                   a.engine_version = x.engine_version;
                   a.api_version = x.api_version;
                   a.engine_ok = x.engine_ok;
                   a.engine_problem = x.engine_problem;
                   a.last_seen = x.at;
                 },
                 [&](const agent_suspected& x) {
                   a.status = agent_status::suspect;
                   a.last_seen = x.last_seen;
                 },
                 [&](const agent_lost& x) {
                   a.status = agent_status::unreachable;
                   a.last_seen = x.last_seen;
                 },
                 [&](const agent_removed&) { a.status = agent_status::revoked; },
                 [&](const recovery_held& x) { a.held_since = x.at; },
                 [&](const recovery_released&) { a.held_since = never; },
                 [](const auto&) {},
             },
             f);
}

}  // namespace

void apply(agent& a, const log_entry& entry) {
  for (const auto& n : entry.facts) {
    evolve(a, n.what);
    a.seq = n.subject_seq;
  }
  a.updated_at = entry.time;
  ++a.revision;
  a.log_head = entry.first_seq;
}

std::vector<numbered_fact> number(const agent& a, std::vector<fact> facts) {
  auto id = a.id.value;
  for (const auto& f : facts)
    if (const auto* made = std::get_if<agent_registered>(&f)) id = made->record->id.value;
  return number_facts("agent", id, a.seq, nullptr, std::move(facts));
}

bool sync_gate::begin() {
  if (running_) {
    again_ = true;
    return false;
  }
  running_ = true;
  return true;
}

bool sync_gate::done() {
  running_ = false;
  if (!again_) return false;
  again_ = false;
  return begin();
}

void sync_gate::reset() {
  running_ = false;
  again_ = false;
}

}  // namespace zedops::core
