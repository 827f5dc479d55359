// Make it run: start the container there is, else make one.
#include <algorithm>

#include "actors/agent/command_job.hpp"

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
      return verify_running(c->view.id);
    case container_state::exited: return start_existing(*c);
    case container_state::created:
      // Made by this operation, or taken over by the manager: ours to start. Else a creation that was given up.
      if (c->view.id == cmd_.container_id || value_of(c->view.labels, label::operation) == cmd_.op.value)
        return start_existing(*c);
      break;
    case container_state::removing:
    case container_state::dead: break;
  }
  ZEDOPS_TRY(remove_one(*c, docker::anonymous_volumes::keep));
  return create_and_start();
}

result<void> command_job::start_existing(const docker::container_details& c) {
  ZEDOPS_TRY(check_ports(c.ports, {c.view.id}));
  ZEDOPS_TRY(step("starting", 80));
  return start(c.view.id);
}

result<void> command_job::create_and_start() {
  ZEDOPS_TRY(check_data());
  ZEDOPS_TRY(check_ports(cmd_.plan.container.ports, {}));
  ZEDOPS_TRY(make_dirs());
  ZEDOPS_TRY(make_networks());
  ZEDOPS_TRY(pull(5, 70));
  ZEDOPS_TRY(step("creating", 72));
  auto c = create();
  if (!c) return fail(std::move(c.error()));
  ZEDOPS_TRY(step("starting", 80));
  if (auto r = calls_.start(c->id); !r) {
    // Nothing ever ran in it, and its name and ports must be free for the next try.
    calls_.extend(clean_up_time);
    (void)calls_.remove(c->id, docker::removal::force, docker::anonymous_volumes::remove);
    effect("unstartable_removed");
    return fail(std::move(r.error()));
  }
  effect("started");
  return verify_running(c->id);
}

container_spec command_job::final_spec() const {
  auto spec = cmd_.plan.container;
  spec.labels[label::managed] = "true";
  spec.labels[label::manager] = manager_;
  spec.labels[label::server] = cmd_.server.value;
  spec.labels[label::operation] = cmd_.op.value;
  return spec;
}

result<command_job::made> command_job::create() {
  const auto spec = final_spec();
  for (unsigned tries = 1;; ++tries) {
    auto c = calls_.create(spec);
    if (c) {
      effect("created");
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
    if (value_of(holder->view.labels, label::operation) == cmd_.op.value) return made{holder->view.id, false};
    if (is_alive(holder->view.state))
      return fail(ec::engine_error, "container " + short_id(holder->view.id) + " of this server runs as " + spec.name,
                  "sync the server, then repeat");
    ZEDOPS_TRY(remove_one(*holder, docker::anonymous_volumes::keep));
  }
}

result<void> command_job::start(const std::string& id) {
  ZEDOPS_TRY(calls_.start(id));
  effect("started");
  return verify_running(id);
}

result<void> command_job::verify_running(const std::string& id) {
  auto c = calls_.inspect(id);
  if (!c) return fail(std::move(c.error()));
  if (is_alive(c->view.state)) return {};
  return fail(
      with_last_words({ec::engine_error,
                       "the container ended right after its start, with exit code " + std::to_string(c->view.exit_code),
                       "look at the server's logs",
                       {}},
                      id));
}

error command_job::with_last_words(error e, const std::string& id) {
  if (auto words = calls_.last_words(id); !words.empty()) e.message += "; its last words: " + words;
  return e;
}

}  // namespace zedops::agent
