#include "actors/manager/hosts/host_incidents.hpp"

#include <algorithm>
#include <map>

#include "config/logging/logging.hpp"

namespace zedops::manager {

using namespace msg;

intake_plan plan_intake(const shared& world, const agent_id& agent, std::vector<incident> list) {
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.seq < b.seq; });
  intake_plan out;
  if (!list.empty()) out.upto = list.back().seq;
  std::map<server_id, core::acted> by_server;
  for (auto& i : list) {
    const auto s = world.records.server(i.server);
    if (s && s->agent == agent && s->status != server_status::purged) {
      by_server[i.server].list.push_back(std::move(i));
      continue;
    }
    config::log_limited(
        log_level::info, "incident.dropped",
        {{"agent", agent}, {"server", i.server}, {"kind", i.kind}, {"at", to_rfc3339(i.at)}, {"detail", i.detail}});
  }
  for (auto& [id, what] : by_server) {
    const auto first = what.list.front().seq;
    out.calls.emplace_back(first, rt::entity_call{id, std::move(what), false});
  }
  return out;
}

}  // namespace zedops::manager
