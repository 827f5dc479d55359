#include "actors/agent/deploy/project_server.hpp"

#include "actors/agent/deploy/log_limit.hpp"
#include "actors/agent/engine/labels.hpp"
#include "actors/agent/jobs/command_job.hpp"

namespace zedops::agent {

using namespace msg;

namespace {
constexpr const char* place_in_container = "/srv/site";
constexpr duration look_timeout{2'000}, look_pause{100}, stop_grace{5'000};
constexpr uint32_t restarts_max = 3;
constexpr duration check_every{30'000}, check_timeout{10'000}, check_start{40'000};
constexpr uint32_t check_retries = 3;
}  // namespace

container_spec project_server::spec_of(const host::project_place& p) const {
  container_spec c;
  c.name = "zedops-project-" + p.name;
  c.image = sites_.image;
  c.labels = {{label::managed, "true"},
              {label::manager, manager_},
              {label::project, p.id.value},
              {label::image, sites_.image},
              {label::project_port, std::to_string(p.port)}};
  c.ports.push_back({p.port, project_server_port, protocol::tcp, {}});
  c.mounts.push_back({sites_.root + "/" + p.name, place_in_container, true});
  c.restart = restart_rule::on_failure;
  c.restart_max = restarts_max;
  c.health.test = {"CMD",       "wget",
                   "-q",        "-O",
                   "/dev/null", "http://127.0.0.1:" + std::to_string(project_server_port) + project_server_alive};
  c.health.interval = check_every;
  c.health.timeout = check_timeout;
  c.health.start_period = check_start;
  c.health.retries = check_retries;
  c.no_new_privileges = true;
  limit_log(c);
  return c;
}

result<project_server::ensured> project_server::ensure(const host::project_place& p) {
  ZEDOPS_TRY(host::remember_project(sites_.root, p));
  for (unsigned tries = 1;; ++tries) {
    auto r = try_once(p);
    if (r || tries >= server_tries_max || !info(r.error().code).retryable) return r;
    clock_.pause(look_pause * tries);
  }
}

result<project_server::ensured> project_server::try_once(const host::project_place& p) {
  const auto wanted = spec_of(p);
  auto list = calls_.list({{label::managed, "true"}, {label::manager, manager_}, {label::project, p.id.value}});
  if (!list) return fail(list.error());
  std::string id;
  bool made = false;
  for (const auto& c : *list) {
    auto d = calls_.inspect(c.id);
    if (!d && d.error().code == ec::not_found) continue;
    if (!d) return fail(d.error());
    const auto& all = d->view.labels;
    const bool fits = value_of(all, label::image) == sites_.image &&
                      value_of(all, label::project_port) == std::to_string(p.port) && d->mounts == wanted.mounts;
    if (fits && id.empty() && d->view.state != container_state::dead && d->view.state != container_state::removing) {
      id = c.id;
      if (d->view.state == container_state::running || d->view.state == container_state::restarting) continue;
      made = true;
      if (d->view.state == container_state::paused) ZEDOPS_TRY(calls_.unpause(id));
      else ZEDOPS_TRY(calls_.start(id));
    } else {  // outdated, or a second one
      made = true;
      ZEDOPS_TRY(calls_.remove(c.id, docker::removal::force, docker::anonymous_volumes::remove));
    }
  }
  if (id.empty()) {
    made = true;
    auto c = calls_.create(wanted);
    if (!c && c.error().code == ec::not_found)
      return fail(ec::not_found, "the image " + sites_.image + " of the project's server is not on this host",
                  "build it with tools/images project-server, or name another one in the agent's setting site_image");
    if (!c) return fail(c.error());
    id = c->id;
    if (auto r = calls_.start(id); !r) {  // its name and port must be free for the next try
      (void)calls_.remove(id, docker::removal::force, docker::anonymous_volumes::remove);
      return fail(r.error());
    }
  }
  ZEDOPS_TRY(answers(p, id));
  return ensured{id, made};
}

result<void> project_server::answers(const host::project_place& p, const std::string& id) {
  const auto until = clock_.steady() + server_start_max;
  for (;;) {
    auto status = sites_.look(p.port, project_server_alive, look_timeout);
    if (status && *status == 200) return {};
    if (cancel_ && cancel_->cancelled())
      return fail(ec::cancelled, "cancelled while the project's server was starting");
    const auto now = calls_.inspect(id);
    // Removed by somebody: the next try makes another.
    const bool ended = now ? !is_alive(now->view.state) : now.error().code == ec::not_found;
    if (ended || clock_.steady() >= until || calls_.left() == duration{0}) {
      const auto words = calls_.last_words(id);
      return fail(ec::engine_error,
                  "the server of project " + p.name + " does not answer at port " + std::to_string(p.port) +
                      (status ? ": HTTP " + std::to_string(*status) : ": " + status.error().message) +
                      (words.empty() ? "" : "; its last words: " + words),
                  "docker logs zedops-project-" + p.name);
    }
    clock_.pause(look_pause);
  }
}

result<project_server::ensured> project_server::look(const host::project_place& p) {
  auto status = sites_.look(p.port, project_server_alive, look_timeout);
  if (status && *status == 200) return ensured{};
  return fail(ec::engine_error, "the server of project " + p.name + " keeps exiting",
              "docker logs zedops-project-" + p.name);
}

result<void> project_server::remove(const project_id& id) {
  auto list = calls_.list({{label::managed, "true"}, {label::manager, manager_}, {label::project, id.value}});
  if (!list) return fail(list.error());
  for (const auto& c : *list) {
    (void)calls_.stop(c.id, stop_grace);
    auto gone = calls_.remove(c.id, docker::removal::force, docker::anonymous_volumes::remove);
    if (!gone && gone.error().code != ec::not_found) return fail(gone.error());
  }
  return {};
}

}  // namespace zedops::agent
