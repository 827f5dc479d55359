#include "actors/manager/host_sync.hpp"

#include "actors/core/observe.hpp"
#include "actors/core/overload.hpp"

namespace zedops::manager {

using namespace msg;

sync_plan plan_sync(const shared& world, const agent_id& agent, const inventory& inv) {
  sync_plan plan;
  core::context cx;
  cx.now = world.clock.now();
  cx.agent_online = true;
  cx.term = world.term;
  cx.retention = world.rules().retention;
  cx.time_max = world.rules().time_max;
  const auto consider = [&](const server& s, core::input what) {
    const auto d = core::decide(s, what, cx);
    if (!d.facts.empty()) ++plan.commits;
    if (!d.facts.empty() || !d.effects.empty()) plan.calls.push_back({s.id, std::move(what), false});
  };
  for (const auto& s : world.records.servers_of(agent)) {
    ++plan.row.servers;
    if (s->op || s->status == server_status::deleting) plan.ready.push_back(s->id);
    if (inv.failure) consider(*s, core::unseen{*inv.failure});
  }
  if (inv.failure) return plan;
  for (const auto& o : inv.servers) {
    if (o.container == presence::present) ++plan.row.containers;
    auto s = world.records.server(o.server);
    if (!s || s->status == server_status::purged || s->agent != agent) {
      if (o.container == presence::present) plan.row.unclaimed.push_back(o.view.name);
      continue;
    }
    consider(*s, core::seen{o, cause_kind::sync, {}});
  }
  for (const auto& c : inv.unclaimed) {
    ++plan.row.containers;
    plan.row.unclaimed.push_back(c.name);
  }
  return plan;
}

}  // namespace zedops::manager
