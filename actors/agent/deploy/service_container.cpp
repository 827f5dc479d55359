#include "actors/agent/deploy/service_container.hpp"

#include <algorithm>
#include <functional>

#include "actors/agent/deploy/log_limit.hpp"
#include "actors/agent/engine/labels.hpp"
#include "actors/agent/jobs/command_job.hpp"
#include "messages/base/sha256.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

constexpr duration look_timeout{5'000}, pause_min{100}, pause_max{1'000}, visited_max{5'000};
constexpr uint32_t restarts_max = 5;
constexpr duration check_every{5'000}, check_timeout{10'000}, check_start{40'000};
constexpr uint32_t check_retries = 3;
constexpr unsigned refusals_max = 5;
constexpr size_t secret_min = 8;
constexpr const char* loopback = "127.0.0.1";

bool exclusive(const deploy_plan& p) { return p.settings->route == route_kind::none; }

constexpr const char* spec_prefix = "2:";  // of the label; a label without it was written in a former format

// Appends fields one after the other, so that no two different lists of them give the same text.
void add(std::string& text, std::string_view field, std::string_view value) {
  text.append(field).append(" ").append(std::to_string(value.size())).append(":").append(value).append("\n");
}
void add(std::string& text, std::string_view field, uint64_t value) { add(text, field, std::to_string(value)); }
void add(std::string& text, std::string_view field, const std::vector<std::string>& all) {
  for (const auto& value : all) add(text, field, value);
}

// Everything in which its container may differ from another of its service, but the port, which is any of two. The text
// has to stay the same from release to release, else an update makes every container anew: a field that is added has to
// add nothing while it is not used.
std::string spec_label(const deploy_plan& p) {
  const auto& s = *p.settings;
  std::string text;
  add(text, "number", p.number);
  add(text, "image", p.image);
  add(text, "project", p.project_name);
  add(text, "service", p.service_name);
  add(text, "route", name_of(s.route));
  add(text, "port", exclusive(p) ? p.port : uint64_t{0});
  add(text, "container_port", s.container_port);
  for (const auto& [name, value] : s.env) add(text, "env", name + "=" + value);
  add(text, "command", s.command);
  add(text, "health", s.health_command);
  if (s.route == route_kind::traefik) add(text, "host", s.hosts);
  add(text, "memory_max", s.memory_max);
  add(text, "cpu_millis", s.cpu_millis);
  sha256 hash;
  hash.add(text);
  return spec_prefix + hash.hex();
}

// A deployment keeps its settings, so one made by a former release is known by its number and its image.
bool is_made_of(const docker::container_details& c, const deploy_plan& p) {
  const auto label = value_of(c.view.labels, label::service_spec);
  if (label.starts_with(spec_prefix)) return label == spec_label(p);
  const bool same_image = p.image.empty() || c.image_id.empty() || c.image_id == p.image;
  return same_image && value_of(c.view.labels, label::deployment) == std::to_string(p.number);
}

bool can_run(const docker::container_details& c) {
  return c.view.state != container_state::dead && c.view.state != container_state::removing;
}

uint16_t port_of(const docker::container_details& c) {
  return c.ports.empty() ? uint16_t{0} : c.ports.front().host_port;
}

// What Traefik reads. It leaves out containers that are not healthy yet by itself.
void label_for_traefik(container_spec& c, const deploy_plan& p) {
  const auto name = p.project_name + "-" + p.service_name;
  std::string rule;
  for (const auto& host : p.settings->hosts) rule += (rule.empty() ? "" : " || ") + ("Host(`" + host + "`)");
  c.labels["traefik.enable"] = "true";
  c.labels["traefik.http.routers." + name + ".rule"] = rule;
  c.labels["traefik.http.routers." + name + ".service"] = name;
  c.labels["traefik.http.services." + name + ".loadbalancer.server.port"] = std::to_string(p.settings->container_port);
}

}  // namespace

std::string without_values(std::string text, const deploy_plan& p) {
  if (!p.settings) return text;
  std::vector<std::string_view> values;
  for (const auto& [key, value] : p.settings->env)
    if (value.size() >= secret_min) values.push_back(value);
  std::ranges::sort(values, std::greater{}, &std::string_view::size);  // longest first: one may be a part of another
  for (const auto value : values)
    for (size_t i = text.find(value); i != text.npos; i = text.find(value, i + masked_value.size()))
      text.replace(i, value.size(), masked_value);
  return text;
}

container_spec service_container::spec_of(const service_id& id, const deploy_plan& p, uint16_t port) const {
  const auto& s = *p.settings;
  container_spec c;
  c.name = "zedops-" + p.project_name + "." + p.service_name + "-" + std::to_string(p.number);
  c.image = image_of(id, p, p.number);
  c.env = s.env;
  c.command = s.command;
  c.labels = {{label::managed, "true"},   {label::manager, manager_},
              {label::service, id.value}, {label::deployment, std::to_string(p.number)},
              {label::image, c.image},    {label::service_spec, spec_label(p)}};
  if (s.route == route_kind::traefik) label_for_traefik(c, p);
  c.ports.push_back({port, s.container_port, protocol::tcp, exclusive(p) ? "" : loopback});
  c.memory_max = s.memory_max;
  c.cpu_millis = s.cpu_millis;
  c.restart = restart_rule::on_failure;
  c.restart_max = restarts_max;
  if (!s.health_command.empty()) {
    c.health.test = {"CMD"};
    c.health.test.insert(c.health.test.end(), s.health_command.begin(), s.health_command.end());
    c.health.interval = check_every;
    c.health.timeout = check_timeout;
    c.health.start_period = check_start;
    c.health.retries = check_retries;
  }
  c.no_new_privileges = true;
  limit_log(c);
  return c;
}

result<std::vector<docker::container_details>> service_container::all_of(const service_id& id) {
  auto list = calls_.list({{label::managed, "true"}, {label::manager, manager_}, {label::service, id.value}});
  if (!list) return fail(list.error());
  std::vector<docker::container_details> out;
  for (const auto& c : *list) {
    auto d = calls_.inspect(c.id);
    if (!d && d.error().code == ec::not_found) continue;
    if (!d) return fail(d.error());
    out.push_back(std::move(*d));
  }
  return out;
}

result<service_container::running> service_container::ensure(const service_id& id, const deploy_plan& p) {
  auto all = all_of(id);
  if (!all) return fail(all.error());
  std::vector<uint16_t> taken;
  const docker::container_details* mine = nullptr;
  for (const auto& c : *all) {
    const bool fits = is_made_of(c, p) && can_run(c);
    if (fits && !mine) {
      mine = &c;
    } else if (!fits && (exclusive(p) || value_of(c.view.labels, label::deployment) == std::to_string(p.number))) {
      if (is_alive(c.view.state)) (void)calls_.stop(c.view.id, service_stop_grace);
      auto gone = calls_.remove(c.view.id, docker::removal::force, docker::anonymous_volumes::remove);
      if (!gone) return fail(gone.error());
    } else {
      taken.push_back(port_of(c));
    }
  }
  if (!mine) {
    const bool first_taken = std::ranges::find(taken, p.port) != taken.end();
    return made(id, p, exclusive(p) || !first_taken ? p.port : p.port_beside);
  }
  running r{mine->view.id, mine->ports.empty() ? p.port : mine->ports.front().host_port, false};
  if (mine->view.state == container_state::running || mine->view.state == container_state::restarting) return r;
  r.made = true;
  auto started = mine->view.state == container_state::paused ? calls_.unpause(r.id) : calls_.start(r.id);
  if (!started) return fail(started.error());
  return r;
}

result<service_container::running> service_container::made(const service_id& id, const deploy_plan& p, uint16_t port) {
  const auto image = image_of(id, p, p.number);
  if (auto there = calls_.image(image); !there) {
    if (there.error().code != ec::not_found) return fail(there.error());
    // Its tag was removed, but the image may still be on the host.
    auto named = p.image.empty() ? result<docker::effect>(fail(ec::not_found, "", ""))
                                 : calls_.tag(p.image, repository(id, p), std::to_string(p.number));
    if (!named)
      return fail(ec::no_data, "the image of #" + std::to_string(p.number) + " is not on this host any more",
                  "deploy again");
  }
  auto c = calls_.create(spec_of(id, p, port));
  if (!c) return fail(c.error());
  if (auto r = calls_.start(c->id); !r) {  // its name and port must be free for the next try
    (void)calls_.remove(c->id, docker::removal::force, docker::anonymous_volumes::remove);
    return fail(r.error());
  }
  return running{c->id, port, true};
}

result<std::string> service_container::look(const running& r, const deploy_plan& p) {
  auto d = calls_.inspect(r.id);
  if (!d && d.error().code == ec::not_found) return fail(ec::bad_request, "its container was removed", "deploy again");
  if (!d) return fail(d.error());
  if (!is_alive(d->view.state)) {
    const auto words = without_values(calls_.last_words(r.id), p);
    return fail(ec::bad_request,
                "its program has ended with exit code " + std::to_string(d->view.exit_code) +
                    (words.empty() ? "" : "; its last words: " + words),
                "zedctl service logs " + p.project_name + "/" + p.service_name);
  }
  if (!p.settings->health_command.empty()) {
    if (d->view.health == health_state::healthy) return "its health check passes";
    return fail(d->view.health == health_state::unhealthy ? ec::bad_request : ec::busy,
                "its health check reports " + std::string(name_of(d->view.health)),
                "docker inspect " + r.id.substr(0, 12) + " shows the output of the check");
  }
  if (p.settings->health_tcp) {
    if (auto ok = sites_.listens(r.port, look_timeout); !ok)
      return fail(ec::busy, ok.error().message, "does its program listen on the container port?");
    return "it listens on its port";
  }
  const auto path = p.health_path.empty() ? std::string("/") : p.health_path;
  auto status = sites_.look(r.port, path, look_timeout);
  if (!status) return fail(ec::busy, status.error().message, "does its program listen on the container port?");
  const auto answer = "HTTP " + std::to_string(*status) + " for " + path;
  // Without a health path of its own any answer but a server error will do.
  if (*status < 400 || (p.health_path.empty() && *status < 500)) return answer;
  return fail(ec::bad_request, answer, "set another path to check: zedctl service edit --health-path");
}

result<std::string> service_container::healthy(const running& r, const deploy_plan& p) {
  const auto until = clock_.steady() + service_start_max;
  unsigned refusals = 0;
  for (auto pause = pause_min;; pause = std::min(pause * 2, pause_max)) {
    if (cancel_ && cancel_->cancelled()) return fail(ec::cancelled, "cancelled while its container was being checked");
    auto now = look(r, p);
    if (now) return now;
    if (now.error().code == ec::bad_request) ++refusals;
    if (refusals >= refusals_max || clock_.steady() >= until || calls_.left() == duration{0})
      return fail(ec::bad_request,
                  "#" + std::to_string(p.number) + " does not answer as expected: " + now.error().message,
                  now.error().hint);
    clock_.pause(pause);
  }
}

result<void> service_container::lead(const service_id& id, const deploy_plan& p, uint16_t port) {
  if (p.settings->route != route_kind::caddy) {
    if (sites_.routes) (void)sites_.routes->remove(id.value);  // left from former settings
    return {};
  }
  if (!sites_.routes)
    return fail(ec::wrong_state, "no proxy on this host routes " + p.settings->hosts.front(),
                "install Caddy there and set caddy_admin in the agent's settings");
  auto done = sites_.routes->put(route_of(id, p, port));
  if (!done) return fail(done.error());
  return {};
}

routes::route service_container::route_of(const service_id& id, const deploy_plan& p, uint16_t port) const {
  routes::route r{id.value, p.settings->hosts, p.port, p.port_beside, port == p.port_beside, {}};
  if (p.kind == service_kind::static_site) r.folder = "/" + p.service_name;  // of its project's server
  return r;
}

result<std::string> service_container::visited(const service_id& id, const deploy_plan& p, uint16_t port) {
  const auto path = p.health_path.empty() ? std::string("/") : p.health_path;
  const auto& name = p.settings->hosts.front();
  const auto r = route_of(id, p, port);
  const auto until = clock_.steady() + visited_max;
  for (auto pause = pause_min;; pause = std::min(pause * 2, pause_max)) {
    if (cancel_ && cancel_->cancelled()) return fail(ec::cancelled, "cancelled while its route was being checked");
    const auto seen = sites_.routes->visit(r, path);
    if (seen && !*seen) return std::string("not seen from this host");
    const auto status = seen ? **seen : 0;
    const bool gateway_fails = status == 502 || status == 503 || status == 504;
    if (seen && !gateway_fails) return "HTTP " + std::to_string(status) + " at " + name;
    if (seen)
      if (auto own = sites_.look(port, r.folder + path, look_timeout); own && *own == status)
        return "HTTP " + std::to_string(status) + " at " + name;
    if (clock_.steady() >= until) {
      if (!seen) return fail(seen.error());
      return fail(ec::bad_request,
                  "visitors of " + name + " get HTTP " + std::to_string(status) +
                      " from the proxy, which cannot reach port " + std::to_string(port) + " of this host",
                  "does it run in a container? It has to share the host's network: docker run --network host");
    }
    clock_.pause(pause);
  }
}

result<size_t> service_container::remove_but(const service_id& id, const std::string& keep) {
  auto all = all_of(id);
  if (!all) return fail(all.error());
  size_t gone = 0;
  for (const auto& c : *all) {
    if (c.view.id == keep) continue;
    if (is_alive(c.view.state)) (void)calls_.stop(c.view.id, service_stop_grace);
    auto ok = calls_.remove(c.view.id, docker::removal::force, docker::anonymous_volumes::remove);
    if (!ok && ok.error().code != ec::not_found) return fail(ok.error());
    ++gone;
  }
  return gone;
}

result<uint16_t> service_container::keep_stopped(const service_id& id, const deploy_plan& p) {
  ZEDOPS_TRY(stop(id));
  auto all = all_of(id);
  if (!all) return fail(all.error());
  auto port = p.port;
  for (const auto& c : *all) {
    if (is_made_of(c, p) && can_run(c)) {
      port = port_of(c);
      continue;
    }
    auto gone = calls_.remove(c.view.id, docker::removal::force, docker::anonymous_volumes::remove);
    if (!gone && gone.error().code != ec::not_found) return fail(gone.error());
  }
  return port;
}

result<void> service_container::stop(const service_id& id) {
  auto all = all_of(id);
  if (!all) return fail(all.error());
  for (const auto& c : *all)
    if (is_alive(c.view.state))
      if (auto ok = calls_.stop(c.view.id, service_stop_grace); !ok) return fail(ok.error());
  return {};
}

// The Engine removes an image with its last name: one that had none before ours was put on it is somebody else's, and
// stays.
result<void> service_container::drop_image(const service_id& id, const host::site& s, uint32_t number) {
  const auto found = host::noted(s, number, found_image);
  if (found == found_nameless) return {};
  const auto ours = repository(id, s.project, s.service) + ":" + std::to_string(number);
  if (found.starts_with(found_by_pull)) ZEDOPS_TRY(drop_pulled_name(found.substr(found_by_pull.size()), ours));
  ZEDOPS_TRY(calls_.remove_image(ours));
  return {};
}

// A name that was on this host only because a deployment pulled it. It stays if it means another image by now, or if a
// container was made by that name.
result<void> service_container::drop_pulled_name(const std::string& name, const std::string& ours) {
  const auto named = calls_.image(name), mine = calls_.image(ours);
  for (const auto* x : {&named, &mine})
    if (!*x && x->error().code != ec::not_found) return fail(x->error());
  if (!named || !mine || named->id != mine->id) return {};
  const auto all = calls_.list({});
  if (!all) return fail(all.error());
  if (std::ranges::any_of(*all, [&](const auto& c) { return c.image == name; })) return {};
  ZEDOPS_TRY(calls_.remove_image(name));
  return {};
}

}  // namespace zedops::agent
