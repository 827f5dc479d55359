#include "messages/api/views.hpp"

#include <algorithm>
#include <charconv>

#include "messages/api/operations.hpp"
#include "messages/records/condition.hpp"

namespace zedops::msg {

operation_view view_of(const operation& op) {
  operation_view v;
  v.id = op.id;
  v.kind = op.kind;
  v.target = op.target;
  v.target_name = op.target_name;
  v.actor = op.actor;
  v.status = op.status;
  v.step = op.step;
  v.progress = op.progress;
  v.note = op.note;
  v.started_at = shown(op.started_at);
  v.deadline = shown(op.deadline);
  v.ended_at = shown(op.ended_at);
  v.failure = op.failure;
  v.idempotency_key = op.idempotency_key;
  v.calls = op.calls;
  v.data_from = op.data_from;
  v.data_to = op.data_to;
  v.original = op.original;
  return v;
}

server_view view_of(const server& s, const agent* a) {
  server_view v;
  v.id = s.id;
  v.name = s.name;
  v.agent = a ? a->name : s.agent.value;
  v.agent_id = s.agent;
  v.agent_status = a ? a->status : agent_status::pending;
  v.status = s.status;
  v.desired_state = s.desired;
  v.data_state = s.data;
  v.data_exists = s.data == data_state::present;
  v.data_bytes = s.data_bytes;
  v.container_id = s.container_id;
  v.container_state = s.container;
  v.exit_code = s.exit_code;
  v.template_name = s.template_name;
  v.image = s.image;
  v.image_tag = s.image_tag;
  v.config = s.env;
  for (const auto& p : s.ports) {
    switch (p.role) {
      case port_role::game: v.game_port = p.number; break;
      case port_role::udp: v.udp_port = p.number; break;
      case port_role::rcon: v.rcon_port = p.number; break;
      case port_role::other: break;
    }
  }
  v.ports = s.ports;
  v.server_data_path = s.data_path;
  v.health = s.health;
  v.restarts = s.restarts;
  v.recovery = s.recovery;
  v.pending_rebuild = s.pending_rebuild;
  v.stale = s.stale;
  v.drift = s.drift;
  v.deleted_at = shown(s.deleted_at);
  v.purge_at = shown(s.purge_at);
  v.created_at = shown(s.created_at);
  v.updated_at = shown(s.updated_at);
  v.observed_at = shown(s.observed_at);
  v.revision = s.revision;
  v.last_error = s.last_error;
  if (s.op) v.operation = view_of(*s.op);
  if (!s.op) v.actions = verbs_allowed(s.status);
  v.crash_policy = s.crash;
  v.priority = s.priority;
  v.condition = conditions_of(s, v.agent_status);
  if (holds(v.condition, condition::restarting) && s.restart_run) {
    v.restarts = std::max<uint64_t>(v.restarts, s.restart_run->count);
    v.restarting_since = shown(s.restart_run->since);
  }
  v.container_image = s.container_image;
  v.started_at = shown(s.started_at);
  v.spec = s.spec;
  v.data_problem = s.data_problem;
  v.data_problem_since = shown(s.data_problem_since);
  return v;
}

agent_view view_of(const agent& a) {
  agent_view v;
  v.id = a.id;
  v.name = a.name;
  v.status = a.status;
  v.last_seen = shown(a.last_seen);
  v.engine_version = a.engine_version;
  v.api_version = a.api_version;
  v.engine_ok = a.engine_ok;
  v.hostname = a.hostname;
  v.data_path = a.data_path;
  v.version = a.version;
  v.created_at = shown(a.created_at);
  v.recovery_held = shown(a.held_since);
  v.engine_problem = a.engine_problem;
  return v;
}

std::string cursor_text(const event& e) { return e.epoch + ":" + std::to_string(e.seq); }

}  // namespace zedops::msg
