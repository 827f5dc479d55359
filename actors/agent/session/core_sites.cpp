// Static services: their sources come over the link, what is seen of them is told, and their servers are kept running.
#include "actors/agent/deploy/project_server.hpp"
#include "actors/agent/session/core_state.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

void core_state::keep_sites() {
  auto& env = deps->env;
  if (!env.sites) return;
  if (deps->uploads)
    deps->uploads->send_by([this, post = weak_post()](fetch_upload f) {
      post([this, f = std::move(f)] {
        if (where == phase::live) send(f);  // else it asks again
      });
    });
  sites = std::make_unique<site_keeper>(*env.sites, [this, post = weak_post()](service_seen s) {
    post([this, s = std::move(s)] {
      if (where == phase::live) send(s);  // else the next welcome has it told
    });
  });
}

void core_state::tell_sites() {
  if (!sites) return;
  for (auto& s : sites->all()) send(s);
}

void core_state::on_phase_ended() {
  if (sites) sites->look_now();
}

// Ours, but of no server.
bool core_state::of_a_project(const docker::event& e) {
  const auto project = value_of(e.attributes, label::project);
  if (project.empty()) return false;
  if (e.action == "die" || e.action == "stop" || e.action == "destroy") keep_servers();
  return true;
}

// One at a time; what is asked for meanwhile is done once more afterwards.
void core_state::keep_servers() {
  if (!sites || !engine_ok) return;
  servers_again = servers_busy;
  if (servers_busy) return;
  const auto t = now();
  std::erase_if(server_repairs, [&](const auto& at) { return t - at > server_repairs_window; });
  const bool tired = server_repairs.size() >= server_repairs_max;
  servers_busy = true;
  deps->workers.slow.run([this, tired, &env = deps->env, post = post()] {
    std::vector<std::pair<std::string, std::string>> found;  // project, problem
    bool made = false;
    cancel_token never;
    engine_calls calls(env.engine, env.clock, env.clock.steady() + server_start_max * 2, never);
    project_server server(calls, *env.sites, env.clock, env.state.manager_id());
    for (const auto& p : host::projects_below(env.sites->root)) {
      auto ok = tired ? server.look(p) : server.ensure(p);
      made = made || (ok && ok->made);
      if (ok && ok->made)
        log_event(log_level::warn, "site.server-started", {{"project", p.name}, {"container", ok->id}});
      found.emplace_back(p.name, ok ? std::string{} : ok.error().message);
    }
    post([this, made, found = std::move(found)] {
      servers_busy = false;
      if (made) server_repairs.push_back(now());
      for (const auto& [project, problem] : found) sites->server_is(project, problem);
      if (std::exchange(servers_again, false)) keep_servers();
    });
  });
}

}  // namespace zedops::agent
