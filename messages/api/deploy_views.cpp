#include "messages/api/deploy_views.hpp"

#include "messages/records/template.hpp"

namespace zedops::msg {

namespace {
std::string url_of(const service& s, const std::string& host) {
  if (s.settings.route != route_kind::none)
    return s.settings.hosts.empty() ? "" : "http://" + s.settings.hosts[0] + "/";
  if (host.empty() || s.port == 0) return {};
  if (s.kind == service_kind::container) return "http://" + host + ":" + std::to_string(s.port) + "/";
  return "http://" + host + ":" + std::to_string(s.port) + "/" + s.name + "/";
}
std::string path_of(const service& s) { return s.project_name + "/" + s.name; }
}  // namespace

deployment_view view_of(const service& s, const deployment& d, const std::string& host) {
  deployment_view v;
  v.id = d.id;
  v.service = path_of(s);
  v.number = d.number;
  v.trigger = d.actor;
  v.environment = d.environment;
  v.source = d.source;
  v.status = d.status;
  v.phase = d.phase;
  v.phase_progress = d.progress;
  v.phase_metadata = d.proof;
  v.phase_updated_at = shown(d.phase_updated_at);
  for (const auto& p : d.phases) v.phases.push_back({p.phase, shown(p.started_at), shown(p.ended_at)});
  v.note = d.note;
  v.current = s.current == d.number;
  if (v.current) v.url = url_of(s, host);
  v.can_roll_back = d.worked && !d.pruned && !v.current;
  v.failure = d.failure;
  v.created_at = shown(d.created_at);
  v.ended_at = shown(d.ended_at);
  return v;
}

rollback_view view_of(const rollback& r) {
  return {r.id, r.from, r.to, r.state, r.actor, r.reason, shown(r.started_at), shown(r.ended_at)};
}

service_view view_of(const service& s, const agent* a) {
  service_view v;
  const auto host = a ? a->hostname : std::string{};
  v.id = s.id;
  v.project = s.project_name;
  v.name = s.name;
  v.agent = a ? a->name : s.agent.value;
  v.agent_id = s.agent.value;
  v.kind = s.kind;
  v.health = s.health;
  v.health_reason = s.health_reason;
  v.current = s.current;
  v.retention = s.retention;
  v.health_path = s.health_path;
  v.port = s.port;
  v.url = url_of(s, host);
  if (s.op) v.operation = s.op->id.value;
  if (s.waiting) v.waiting = s.waiting->id.value;
  v.stopped = s.stopped;
  v.preview_of = s.preview_of;
  v.lives = s.lives;
  v.expires_at = shown(s.expires_at);
  v.settings = s.settings;
  for (auto& [key, value] : v.settings.env)
    if (!value.empty()) value = masked_value;
  if (s.hook) {
    v.hook = *s.hook;
    v.hook.secret = masked_value;
  }
  if (!s.deployments.empty()) v.last_deployment = view_of(s, s.deployments.back(), host);
  for (auto r = s.rollbacks.rbegin(); r != s.rollbacks.rend(); ++r) v.rollbacks.push_back(view_of(*r));
  v.revision = s.revision;
  v.created_at = shown(s.created_at);
  v.updated_at = shown(s.updated_at);
  return v;
}

}  // namespace zedops::msg
