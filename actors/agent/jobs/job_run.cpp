// Makes the server run: starts its container if there is one, else creates one.
#include <fmt/format.h>

#include <algorithm>

#include "actors/agent/jobs/command_job.hpp"

namespace zedops::agent {

using namespace msg;

result<void> command_job::run() {
  ZEDOPS_TRY(step("preparing", 1));
  auto s = look_and_settle();
  if (!s) return fail(std::move(s.error()));
  ZEDOPS_TRY(permit(*s));
  const auto* c = s->current();
  if (!c) return create_and_start();
  switch (c->view.state) {
    case container_state::running:
    case container_state::restarting: note("was running already"); return {};
    case container_state::paused:
      ZEDOPS_TRY(step("starting", 80));
      ZEDOPS_TRY(calls_.unpause(c->view.id));
      return prove(c->view.id, c->view.restarts);  // its restarts count on
    case container_state::exited: return start_existing(*c);
    case container_state::created:
      // Made by this operation, or recorded by the manager: ours to start. Else left by a creation that was given up.
      if (c->view.id == cmd_.container_id || value_of(c->view.labels, label::operation) == cmd_.op.value) {
        ZEDOPS_TRY(give_dirs(c->view.id));
        return start_existing(*c);
      }
      break;
    case container_state::removing:
    case container_state::dead: break;
  }
  ZEDOPS_TRY(carry_volumes(*c));
  ZEDOPS_TRY(remove_one(*c, docker::anonymous_volumes::keep));
  return create_and_start();
}

// All that can be known of it before it is started, and before what runs is stopped for it.
result<void> command_job::check_start(const docker::container_details& c) {
  ZEDOPS_TRY(check_data());
  if (!is_alive(c.view.state)) ZEDOPS_TRY(check_ports(c.ports, {c.view.id}));  // else it holds them itself
  for (const auto& network : c.networks)
    if (auto there = calls_.network(network); !there && there.error().code == ec::not_found)
      return fail(ec::not_found, "network " + network + " of container " + c.view.name + " does not exist any more",
                  "create it again, or give the server another container: zedctl server recreate");
  return {};
}

result<void> command_job::start_existing(const docker::container_details& c) {
  ZEDOPS_TRY(check_start(c));
  ZEDOPS_TRY(step("starting", 80));
  return start(c.view.id);
}

result<void> command_job::create_and_start() {
  ZEDOPS_TRY(check_data());
  ZEDOPS_TRY(check_ports(cmd_.plan.container.ports, {}));
  ZEDOPS_TRY(check_permitted());
  ZEDOPS_TRY(make_networks());
  ZEDOPS_TRY(pull(5, 70));
  ZEDOPS_TRY(make_dirs());
  ZEDOPS_TRY(step("creating", 72));
  auto c = create();
  if (!c) return fail(std::move(c.error()));
  ZEDOPS_TRY(step("starting", 80));
  if (auto r = calls_.start(c->id); !r) {
    // An Engine that did not answer may have started it all the same.
    calls_.extend(clean_up_time);
    auto now = calls_.inspect(c->id);
    if (!now) return fail(std::move(r.error()));
    if (now->view.state == container_state::created) {
      // Nothing ever ran in it, and its name and ports must be free for the next try.
      (void)calls_.remove(c->id, docker::removal::stopped_only, docker::anonymous_volumes::remove);
      effect("unstartable_removed");
    }
    if (!is_alive(now->view.state)) return fail(std::move(r.error()));
    note("the Engine started it although it reported: " + r.error().message);
  }
  effect("started");
  return prove(c->id);
}

container_spec command_job::final_spec() const {
  auto spec = cmd_.plan.container;
  spec.labels[label::managed] = "true";
  spec.labels[label::manager] = manager_;
  spec.labels[label::server] = cmd_.server.value;
  spec.labels[label::operation] = cmd_.op.value;
  spec.labels[label::image] = spec.image;
  spec.labels[label::volumes] = "folders";
  spec.volumes = volumes_;
  core::impose(*env_.rules, spec);
  return spec;
}

result<command_job::made> command_job::create() {
  const auto spec = final_spec();
  for (unsigned tries = 1;; ++tries) {
    auto c = calls_.create(spec);
    if (c) {
      effect("created");
      ZEDOPS_TRY(give_dirs(c->id));
      return made{c->id, true};
    }
    if (c.error().code != ec::already_exists || tries >= create_tries_max) return fail(std::move(c.error()));
    auto holder = calls_.inspect(spec.name);
    if (!holder && holder.error().code == ec::not_found) continue;  // gone meanwhile
    if (!holder) return fail(std::move(holder.error()));
    if (!may_touch(holder->view.labels, manager_, cmd_.server))
      return fail(ec::engine_error,
                  "the name " + spec.name + " is held by container " + short_id(holder->view.id) + " (image " +
                      holder->view.image + "), which does not belong to this server",
                  "it is not touched: rename or remove it by hand, then repeat");
    if (value_of(holder->view.labels, label::operation) == cmd_.op.value) {
      ZEDOPS_TRY(give_dirs(holder->view.id));  // cut short between the two
      return made{holder->view.id, false};
    }
    if (is_alive(holder->view.state))
      return fail(ec::engine_error, "container " + short_id(holder->view.id) + " of this server runs as " + spec.name,
                  "sync the server, then repeat");
    ZEDOPS_TRY(remove_one(*holder, docker::anonymous_volumes::keep));
  }
}

result<void> command_job::start(const std::string& id) {
  ZEDOPS_TRY(calls_.start(id));
  effect("started");
  return prove(id);
}

// It has to stay up for the settle time, unless it reports before that it is healthy.
result<void> command_job::prove(const std::string& id, uint64_t restarts_before) {
  constexpr const char* hint = "check its logs, its image and its configuration";
  const auto begun = env_.clock.steady();
  // What a replacement made may be rolled back, so it is reported only with the result.
  const bool shown =
      cmd_.plan.settle > duration{0} && (cmd_.kind == command_kind::run || cmd_.kind == command_kind::restart);
  if (shown) report_->step(std::string(step_proving), 88, observe_now(host::sizing::skip));
  else report_->step(std::string(step_proving), 88);
  for (;;) {
    auto c = calls_.inspect(id);
    if (!c) return fail(std::move(c.error()));
    const auto& v = c->view;
    const auto restarts = v.restarts - std::min(v.restarts, restarts_before);
    if (!is_alive(v.state) || v.state == container_state::restarting || restarts > 0) {
      auto how = "it ended with exit code " + std::to_string(v.exit_code);
      if (restarts > 0) how = fmt::format("the Engine restarted it {} times already", restarts);
      if (restarts == 1) how = "the Engine restarted it already";
      if (restarts > 0 && v.exit_code != 0) how += fmt::format(", its last exit code was {}", v.exit_code);
      return fail(with_last_words({ec::engine_error, "the container did not stay up: " + how, hint, {}}, id));
    }
    if (v.health == health_state::unhealthy)
      return fail(with_last_words({ec::engine_error, "the container is unhealthy", hint, {}}, id));
    if (v.health == health_state::healthy || env_.clock.steady() - begun >= cmd_.plan.settle) return {};
    env_.clock.pause(proof_look);
  }
}

error command_job::with_last_words(error e, const std::string& id) {
  if (auto words = calls_.last_words(id); !words.empty()) e.message += "; its last words: " + words;
  return e;
}

}  // namespace zedops::agent
