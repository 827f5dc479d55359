// Services: their sources come over the link, their state is reported, their servers and containers are kept running.
#include "actors/agent/deploy/project_server.hpp"
#include "actors/agent/deploy/service_container.hpp"
#include "actors/agent/engine/labels.hpp"
#include "actors/agent/jobs/command_job.hpp"
#include "actors/agent/session/core_state.hpp"
#include "config/logging/logging.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

namespace {

// What a look throws is its own problem. Otherwise it would end the pass, and with it the care for all others.
template <class F>
std::invoke_result_t<F> by_itself(F look) {
  try {
    return look();
  } catch (const std::exception& e) {
    return fail(ec::internal, e.what(), "check this host: its disk, the agent's descriptors and memory");
  }
}
constexpr std::chrono::minutes servers_every{1};  // projects' servers are looked at, whatever events there were
}  // namespace

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
      if (where == phase::live) send(s);  // else it is reported after the next welcome
    });
  });
}

void core_state::tell_sites() {
  if (!sites) return;
  for (auto& s : sites->all()) send(s);
  for (auto& [id, s] : containers_seen)
    if (!s.told.service.empty()) send(s.told);
}

void core_state::on_phase_ended() {
  if (!sites) return;
  sites->look_now();
  keep_servers();
}

// Ours, but of no server.
bool core_state::of_a_project(const docker::event& e) {
  if (value_of(e.attributes, label::project).empty() && value_of(e.attributes, label::service).empty()) return false;
  if (e.action != "die" && e.action != "stop" && e.action != "destroy") return true;
  if (pass_failed && now() - servers_kept < containers_every) event_waits = true;
  else keep_servers();
  return true;
}

// Whether an event during a pass starts another. A pass that fails removes what it has made, and would itself be the
// reason for the next: that one waits a few seconds.
bool core_state::goes_again() {
  const bool again = std::exchange(servers_again, false);
  event_waits = event_waits || (again && pass_failed);
  if (!again || pass_failed) return false;
  keep_servers();
  return true;
}

// One pass at a time; one that is asked for meanwhile follows afterwards.
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
    for (const auto& p : host::projects_below(env.sites->root)) {
      env.sites->unless_held(p.id.value, [&] {
        if (!host::is_remembered(env.sites->root, p)) return;  // it was removed since
        // Each has time of its own: a slow one takes nothing from the others.
        engine_calls calls(env.engine, env.clock, env.clock.steady() + server_start_max * 2, never);
        project_server server(calls, *env.sites, env.clock, env.state.manager_id());
        auto ok = by_itself([&] { return tired ? server.look(p) : server.ensure(p); });
        made = made || (ok && ok->made);
        if (ok && ok->made)
          log_event(log_level::warn, "site.server-started", {{"project", p.name}, {"container", ok->id}});
        found.emplace_back(p.name, ok ? std::string{} : ok.error().message);
      });
    }
    post([this, made, found = std::move(found)] {
      servers_busy = false;
      servers_kept = now();
      pass_failed = std::ranges::any_of(found, [](const auto& x) { return !x.second.empty(); });
      if (made) server_repairs.push_back(now());
      for (const auto& [project, problem] : found) sites->server_is(project, problem);
      if (!goes_again()) keep_containers();
    });
  });
}

namespace {

struct kept_container {
  std::string service;
  bool made = false;
  std::string problem;  // empty: it is healthy
  bool of_site = false;
};

// Keeps a container running that should run, and its route leading to it.
std::optional<kept_container> keep(service_container& containers, site_world& sites, const std::string& id, bool tired,
                                   bool ailing) {
  const auto c = unpack<run_command>(host::remembered_container(sites.root, id));
  if (!c || !c->deploy || !c->deploy->settings || c->deploy->stop) return std::nullopt;
  const service_id service{id};
  kept_container out{id, false, {}};
  if (c->deploy->kind == service_kind::static_site) {  // its route alone; its health depends on its project's server
    out.of_site = true;
    if (auto ok = containers.lead(service, *c->deploy, c->deploy->port); !ok)
      config::log_limited(log_level::warn, "site.route-lost", {{"service", id}, {"error", ok.error().message}});
    return out;
  }
  if (ailing) (void)containers.stop(service);  // and started again below
  auto r = tired ? result<service_container::running>(
                       fail(ec::engine_error, "its container keeps exiting", "zedctl service logs"))
                 : containers.ensure(service, *c->deploy);
  if (!r) {
    out.problem = r.error().message;
    return out;
  }
  out.made = r->made;
  if (auto ok = containers.lead(service, *c->deploy, r->port); !ok) out.problem = ok.error().message;
  else if (auto well = containers.look(*r, *c->deploy); !well) out.problem = well.error().message;
  return out;
}

}  // namespace

// After the projects' servers, and from then on again and again while there are any; servers of projects less often,
// as events report most of what happens to them.
void core_state::keep_containers() {
  if (!sites || !engine_ok || servers_busy) return;
  const auto t = now();
  std::set<std::string> tired, ailing;
  for (auto& [id, s] : containers_seen) {
    std::erase_if(s.repairs, [&](const auto& at) { return t - at > server_repairs_window; });
    if (s.repairs.size() >= server_repairs_max) tired.insert(id);
    else if (s.bad_looks >= bad_looks_max && s.cures < cures_max) {
      ailing.insert(id);
      s.bad_looks = 0;
      ++s.cures;
    }
  }
  servers_busy = true;
  deps->workers.slow.run([this, tired, ailing, &env = deps->env, post = post()] {
    std::vector<kept_container> found;
    std::set<std::string> there;
    cancel_token never;
    for (const auto& id : host::containers_below(env.sites->root)) {
      there.insert(id);
      env.sites->unless_held(id, [&] {
        engine_calls calls(env.engine, env.clock, env.clock.steady() + server_start_max * 2, never);
        service_container containers(calls, *env.sites, env.clock, env.state.manager_id(), &never);
        auto one = by_itself([&]() -> result<std::optional<kept_container>> {
          return keep(containers, *env.sites, id, tired.contains(id), ailing.contains(id));
        });
        if (!one) found.push_back({id, false, one.error().message});
        else if (!*one) there.erase(id);
        else found.push_back(std::move(**one));
      });
    }
    const bool some = !there.empty() || !host::projects_below(env.sites->root).empty();
    post([this, there, some, found = std::move(found)] {
      servers_busy = false;
      for (const auto& x : found) {
        pass_failed = pass_failed || !x.problem.empty();
        if (!x.of_site) seen_container(x.service, x.made, x.problem);
      }
      std::erase_if(containers_seen, [&](const auto& x) { return !there.contains(x.first); });
      if (goes_again()) return;
      if (!some || std::exchange(containers_timer, true)) return;
      self->delayed_send(core_actor(self), containers_every, completion{[this] {
                           containers_timer = false;
                           if (std::exchange(event_waits, false) || now() - servers_kept >= servers_every)
                             keep_servers();
                           else keep_containers();
                         }});
    });
  });
}

// One bad look does not count: it is reported after three in a row, and a good one at once.
void core_state::seen_container(const std::string& id, bool made, const std::string& problem) {
  auto& s = containers_seen[id];
  if (made) {
    s.repairs.push_back(now());
    log_event(log_level::warn, "service.container-started", {{"service", id}});
  }
  if (problem.empty()) {
    s.bad_looks = s.cures = 0;
  } else if (s.bad_looks == 0 || now() - s.bad_at >= containers_every / 2) {  // events bring looks in quick succession
    ++s.bad_looks;
    s.bad_at = now();
  }
  service_seen told{{id}, service_health::healthy, {}, {}};
  if (s.bad_looks >= bad_looks_max) told = {{id}, service_health::unhealthy, problem, {}};
  else if (s.bad_looks > 0 && s.told.health != service_health::unknown) told = s.told;
  else if (s.bad_looks > 0) return;
  if (made) told.repairs.push_back("its container had ended, was missing or did not answer: it was started again");
  const bool news = made || told.health != s.told.health || told.reason != s.told.reason;
  s.told = {told.service, told.health, told.reason, {}};
  if (news && where == phase::live) send(told);
}

namespace {

// Containers of services and projects that this manager does not know: their record was removed while this host was
// away, or the manager's store was restored. Never those of servers: they have data.
result<std::vector<stray>> find_strays(step_env& env, const std::set<std::string>& services,
                                       const std::set<std::string>& projects) {
  cancel_token never;
  engine_calls calls(env.engine, env.clock, env.clock.steady() + server_start_max, never);
  auto list = calls.list({{label::managed, "true"}, {label::manager, env.state.manager_id()}});
  if (!list) return fail(list.error());
  std::vector<stray> out;
  for (const auto& c : *list) {
    auto of = value_of(c.labels, label::service);
    if (of.empty()) of = value_of(c.labels, label::build);
    const bool of_service = !of.empty();
    if (!of_service) of = value_of(c.labels, label::project);
    if (of.empty() || (of_service ? services : projects).contains(std::string(of))) continue;
    out.push_back({c.id, c.name, c.image, std::string(of), of_service, is_alive(c.state)});
  }
  return out;
}

// What of it can be made again is removed: its images, and what its builds keep. Its files stay.
void drop_rest(step_env& env, engine_calls& calls, const stray& s) {
  const auto& root = env.sites->root;
  (void)host::drop_cache(root, s.of);
  service_container containers(calls, *env.sites, env.clock, env.state.manager_id(), nullptr);
  for (const auto& at : host::sites_below(root)) {
    if (!s.image.starts_with(service_container::repository({s.of}, at.project, at.service) + ":")) continue;
    for (const auto n : host::deployments_of(at))
      if (auto gone = containers.drop_image({s.of}, at, n); !gone)
        log_event(log_level::warn, "stray.image-kept", {{"service", s.of}, {"error", gone.error().message}});
    if (!host::wanted_of(at)) (void)host::leave_site(at);  // else a static service has its name by now
  }
}

// The same of its static services.
void forget_project(const std::string& root, const host::project_place& p) {
  for (const auto& at : host::sites_below(root)) {
    if (at.project != p.name) continue;
    (void)host::leave_site(at);
    if (const auto w = host::wanted_of(at)) (void)host::drop_cache(root, w->service.value);
  }
  (void)host::forget_project(root, p.name);
}

result<void> remove_stray(step_env& env, const stray& s) {
  cancel_token never;
  engine_calls calls(env.engine, env.clock, env.clock.steady() + server_start_max, never);
  site_world::hold hold(*env.sites, s.of);
  // It is forgotten first, or it would be made again.
  if (s.of_service) {
    (void)host::forget_container(env.sites->root, s.of);
    if (env.sites->routes) (void)env.sites->routes->remove(s.of);
  }
  for (const auto& p : host::projects_below(env.sites->root))
    if (!s.of_service && p.id.value == s.of) forget_project(env.sites->root, p);
  (void)calls.stop(s.id, service_stop_grace);
  auto gone = calls.remove(s.id, docker::removal::force, docker::anonymous_volumes::remove);
  log_event(log_level::warn, "stray.removed",
            {{"container", s.name}, {"error", gone ? std::string{} : gone.error().message}});
  if (!gone) return fail(gone.error());
  if (s.of_service) drop_rest(env, calls, s);
  return {};
}

std::set<std::string> set_of(const std::vector<std::string>& list) { return {list.begin(), list.end()}; }

// Those of these services of which this host has neither files nor a container that it keeps.
std::vector<std::string> without_anything(const std::string& root, std::set<std::string> services) {
  for (const auto& s : host::sites_below(root))
    if (const auto w = host::wanted_of(s)) services.erase(w->service.value);
  std::erase_if(services, [&](const auto& id) { return !host::remembered_container(root, id).empty(); });
  return {services.begin(), services.end()};
}

}  // namespace

// A disk that is not mounted, a folder removed by hand: nothing here would notice that the service is gone.
void core_state::look_for_lost(const sync_query& q) {
  if (!sites || !q.tells_services) return;
  deps->workers.slow.run([this, services = set_of(q.services), root = deps->env.sites->root, post = post()]() mutable {
    post([this, lost = without_anything(root, std::move(services))] {
      for (const auto& id : lost)
        if (!book.is_running({id}))
          send(service_seen{
              {id}, service_health::unhealthy, "nothing of the service is left on its host: deploy it again", {}});
    });
  });
}

void core_state::look_for_strays(const sync_query& q) {
  if (!sites || !engine_ok || !q.tells_services) return;
  deps->workers.slow.run(
      [this, services = set_of(q.services), projects = set_of(q.projects), &env = deps->env, post = post()] {
        auto found = find_strays(env, services, projects);
        if (!found) return;
        post([this, found = std::move(*found)] {
          std::vector<std::string> ids;
          for (const auto& s : found) ids.push_back(s.id);
          const auto verdict = strays.pass(ids, now(), deps->env.sites->stray_grace);
          std::vector<stray> go;
          for (const auto& s : found) {
            if (std::ranges::find(verdict.fresh, s.id) != verdict.fresh.end())
              log_event(log_level::warn, "stray.seen",
                        {{"container", s.name}, {"goes_after", format_duration(deps->env.sites->stray_grace)}});
            if (std::ranges::find(verdict.remove, s.id) != verdict.remove.end()) go.push_back(s);
          }
          if (!go.empty()) remove_strays(std::move(go));
        });
      });
}

void core_state::remove_strays(std::vector<stray> list) {
  deps->workers.slow.run([list = std::move(list), &env = deps->env] {
    for (const auto& s : list) (void)remove_stray(env, s);
  });
}

// A client's query: lists all of them, or removes one now.
void core_state::on_stray_query(const stray_query& q) {
  stray_answer a;
  a.request = q.request;
  if (!sites || !engine_ok) {
    if (!engine_ok)
      a.failure = error{ec::engine_error, "this agent cannot reach its Engine", "check the Engine on that host", {}};
    else if (!q.remove.empty()) a.failure = error{ec::not_found, "this agent serves nothing", "name another agent", {}};
    send(a);
    return;
  }
  deps->workers.slow.run([this, q, a, services = set_of(q.services), projects = set_of(q.projects), &env = deps->env,
                          post = post()]() mutable {
    auto found = find_strays(env, services, projects);
    if (!found) a.failure = found.error();
    std::vector<stray> shown = found ? std::move(*found) : std::vector<stray>{};
    if (found && !q.remove.empty()) {
      std::erase_if(shown, [&](const stray& s) { return s.name != q.remove && s.id != q.remove; });
      if (shown.empty())
        a.failure = error{ec::not_found,
                          "'" + q.remove.substr(0, 80) + "' is not a stray container of this host",
                          "zedctl stray ls",
                          {}};
      else if (auto gone = remove_stray(env, shown.front()); !gone) a.failure = gone.error();
    }
    post([this, a = std::move(a), shown = std::move(shown)]() mutable {
      const auto& grace = deps->env.sites->stray_grace;
      const auto wall = deps->env.clock.wall();
      for (const auto& s : shown) {
        stray_view v{{}, s.name, s.id, s.image, s.of, s.running, {}, {}};
        if (const auto seen = strays.find(s.id)) {
          const auto since = wall - std::chrono::duration_cast<duration>(now() - seen->since);
          v.seen_since = msg::shown(since);
          if (grace != duration{0} && seen->twice) v.goes_at = msg::shown(since + grace);
        }
        a.strays.push_back(std::move(v));
      }
      send(a);
    });
  });
}

}  // namespace zedops::agent
