#include "tools/manager/web/monitoring.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace zedops::app {

using namespace msg;
using json = nlohmann::ordered_json;

namespace {

constexpr duration hang_after{30'000};
constexpr duration stuck_after{60'000};

web::response as_json(int status, const json& j) {
  return web::text_response(status, "application/json", j.dump() + "\n");
}

}  // namespace

web::response health(const manager::shared& world) {
  uint64_t total = 0, healthy = 0, unhealthy = 0, stopped = 0;
  for (const auto& id : world.records.all_ids()) {
    const auto s = world.records.server(id);
    if (!s || s->container_id.empty()) continue;
    ++total;
    if (s->status == server_status::running) ++(s->health == health_state::unhealthy ? unhealthy : healthy);
    else ++stopped;
  }
  return as_json(
      200, {{"containers", {{"total", total}, {"healthy", healthy}, {"unhealthy", unhealthy}, {"stopped", stopped}}},
            {"zombies",
             {{"projectServers", 0},
              {"stoppedProjectServers", 0},
              {"helpers", 0},
              {"traefikOrphans", 0},
              {"activeProjects", world.records.projects().size()}}},
            {"isLeader", true},
            {"timestamp", to_rfc3339(world.clock.now())}});
}

web::response stats(const manager::shared& world) {
  const auto n = world.records.count();
  json servers = json::object();
  for (const auto& [status, count] : n.by_status) servers[std::string(name_of(status))] = count;
  return as_json(200, {{"isActive", true},
                       {"servers", servers},
                       {"operationsOpen", n.open_operations},
                       {"commits", world.commits.load()},
                       {"actorRestarts", world.actor_restarts.load()},
                       {"storeBytes", world.store.statistics().file_bytes},
                       {"lastEvent", world.last_seq.load()},
                       {"startedAt", to_rfc3339(world.started_at)},
                       {"timestamp", to_rfc3339(world.clock.now())}});
}

web::response stuck(const manager::shared& world) {
  std::vector<std::pair<duration, json>> found;
  const auto now = world.clock.now();
  for (const auto& s : world.records.services())
    for (const auto& d : s->deployments) {
      const auto silent = now - d.phase_updated_at;
      if (d.ended_at != never || silent < stuck_after) continue;
      found.emplace_back(silent, json{{"id", d.id.value},
                                      {"service", s->project_name + "/" + s->name},
                                      {"number", d.number},
                                      {"status", name_of(d.status)},
                                      {"phase", name_of(d.phase)},
                                      {"phase_progress", d.progress},
                                      {"phase_updated_at", to_rfc3339(d.phase_updated_at)},
                                      {"waits_for_agent", s->op && s->op->step == step_waiting}});
    }
  std::ranges::sort(found, [](const auto& a, const auto& b) { return a.first > b.first; });
  json out = json::array();
  for (auto& [silent, j] : found) out.push_back(std::move(j));
  return as_json(200, out);
}

web::response readiness(const manager::shared& world, duration since_progress) {
  const bool moves = since_progress < hang_after;
  json checks{{"recovered", true}, {"journal", moves}};
  if (!moves) checks["problem"] = "the manager made no progress for " + format_duration(since_progress);
  return as_json(moves ? 200 : 503, {{"ready", moves}, {"manager", world.manager_id}, {"checks", checks}});
}

}  // namespace zedops::app
