#include "actors/manager/doors/deploy_views.hpp"

#include <algorithm>

#include "actors/core/access.hpp"
#include "actors/core/deploy/service_machine.hpp"
#include "actors/manager/doors/answers.hpp"
#include "messages/base/names.hpp"

namespace zedops::manager {

using namespace msg;

namespace {

service_view shown(const shared& w, const service& s) { return view_of(s, w.records.agent(s.agent).get()); }
deployment_view shown(const shared& w, const service& s, const deployment& d) {
  const auto a = w.records.agent(s.agent);
  return view_of(s, d, a ? a->hostname : std::string{});
}

// Worst first in this order.
int badness(service_health h) {
  switch (h) {
    case service_health::unhealthy: return 3;
    case service_health::degraded: return 2;
    case service_health::healthy: return 1;
    case service_health::unknown: return 0;
  }
  return 0;
}

project_view shown(const shared& w, const project& p) {
  project_view v;
  v.id = p.id;
  v.name = p.name;
  v.description = p.description;
  v.base_domain = p.base_domain;
  v.revision = p.revision;
  v.created_at = msg::shown(p.created_at);
  for (const auto& s : w.records.services_of(p.id)) {
    v.services.push_back(s->name);
    if (badness(s->health) > badness(v.health)) {
      v.health = s->health;
      v.health_reason = s->health_reason.empty() ? std::string{} : s->name + ": " + s->health_reason;
    }
    for (const auto& d : s->deployments)
      if (d.worked && (!v.last_deployed_at || *v.last_deployed_at < d.ended_at))
        v.last_deployed_at = msg::shown(d.ended_at);
  }
  return v;
}

bool sees(const principal& who, const service& s) { return !core::is_scoped(who) || core::may_see(who, {s.agent, {}}); }

}  // namespace

deploy_reply deploy_reply_of(const shared& w, const rt::any_record& record, const std::optional<operation>& op) {
  deploy_reply out;
  if (op) out.operation = view_of(*op);
  if (const auto p = record.as<project>()) out.project = shown(w, *p);
  if (const auto s = record.as<service>()) {
    out.service = shown(w, *s);
    for (const auto& d : s->deployments)
      if (op && d.id == op->id) out.deployment = shown(w, *s, d);
  }
  return out;
}

result<project_list> list_of_projects(const shared& w, const list_projects&) {
  project_list out;
  for (const auto& p : w.records.projects()) out.projects.push_back(shown(w, *p));
  std::ranges::sort(out.projects, {}, &project_view::name);
  return out;
}
result<project_view> project_of(const shared& w, const get_project& q) {
  auto p = w.records.resolve_project(q.project);
  if (!p) return fail(p.error());
  return shown(w, **p);
}

result<service_list> list_of_services(const shared& w, const principal& who, const list_services& q) {
  project_id only;
  if (!q.project.empty()) {
    auto p = w.records.resolve_project(q.project);
    if (!p) return fail(p.error());
    only = (*p)->id;
  }
  service_list out;
  for (const auto& s : w.records.services())
    if ((only.empty() || s->project == only) && sees(who, *s)) out.services.push_back(shown(w, *s));
  std::ranges::sort(out.services, [](const auto& a, const auto& b) {
    return std::tie(a.project, a.name) < std::tie(b.project, b.name);
  });
  return out;
}
result<service_view> service_of(const shared& w, const get_service& q) {
  auto s = w.records.resolve_service(q.service);
  if (!s) return fail(s.error());
  return shown(w, **s);
}
result<event_page> past_of_service(const shared& w, const service_history& q) {
  auto s = w.records.resolve_service(q.service);
  if (!s) return fail(s.error());
  return without_secrets(w, w.history.of_entity((*s)->log_head, q.before, q.limit));
}

result<deployment_list> list_of_deployments(const shared& w, const principal& who, const list_deployments& q) {
  std::optional<deploy_status> status;
  if (!q.status.empty()) {
    status = enum_from_name<deploy_status>(q.status);
    if (!status)
      return fail(ec::bad_request, "there is no status '" + q.status.substr(0, 40) + "'",
                  "one of pending, queued, building, deploying, success, failed or cancelled");
  }
  service_id only;
  if (!q.service.empty()) {
    auto s = w.records.resolve_service(q.service);
    if (!s) return fail(s.error());
    only = (*s)->id;
  }
  deployment_list out;
  for (const auto& s : w.records.services()) {
    if ((!only.empty() && s->id != only) || !sees(who, *s)) continue;
    for (const auto& d : s->deployments)
      if (!status || d.status == *status) out.deployments.push_back(shown(w, *s, d));
  }
  std::ranges::sort(out.deployments, [](const auto& a, const auto& b) {
    return std::tie(b.created_at, b.number) < std::tie(a.created_at, a.number);
  });
  return out;
}

result<deployment_view> deployment_of(const shared& w, const get_deployment& q) {
  const auto none = [&] {
    return fail(ec::not_found, "there is no deployment '" + q.deployment.substr(0, 80) + "'", "zedctl deploy ls");
  };
  for (const auto& s : w.records.services())  // by its id
    for (const auto& d : s->deployments)
      if (d.id.value == q.deployment) return shown(w, *s, d);
  const auto hash = q.deployment.find('#');
  auto s = w.records.resolve_service(q.deployment.substr(0, hash));
  if (!s)
    return hash == q.deployment.npos && q.deployment.find('/') == q.deployment.npos ? result<deployment_view>(none())
                                                                                    : fail(s.error());
  if ((*s)->deployments.empty()) return none();
  if (hash == q.deployment.npos) return shown(w, **s, (*s)->deployments.back());
  const auto n = parse_decimal(q.deployment.substr(hash + 1));
  const auto* d = n && *n <= UINT32_MAX ? core::find_deployment(**s, static_cast<uint32_t>(*n)) : nullptr;
  return d ? result<deployment_view>(shown(w, **s, *d)) : none();
}

}  // namespace zedops::manager
