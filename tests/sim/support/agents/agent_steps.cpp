// What the simulated agent does at each step of a command.
#include "actors/core/plan/blueprint.hpp"
#include "tests/sim/support/agents/agent.hpp"

namespace zedops::sim {

using namespace msg;

container* agent::current(const job& j) {
  if (auto* made = j.made_id.empty() ? nullptr : host_.find(j.made_id)) return made;
  if (auto* c = j.cmd.container_id.empty() ? nullptr : host_.find(j.cmd.container_id);
      c && c->manager() == host_.manager_id)
    return c;
  for (auto* c : host_.of_server(j.cmd.server.value, host_.manager_id))
    if (c->view.name.find(".old-") == std::string::npos) return c;
  auto all = host_.of_server(j.cmd.server.value, host_.manager_id);
  return all.empty() ? nullptr : all.front();
}

result<void> agent::perform(job& j, const std::string& step) {
  if (j.cmd.kind == command_kind::move) {
    const bool embodied = !host_.of_server(j.cmd.server.value, host_.manager_id).empty();
    const bool body_only = step == "renaming" || step == "creating" || step == "starting" || step == "proving";
    if (body_only && !embodied) return {};  // a missing server has its data moved and nothing else
    if ((step == "starting" || step == "proving") && !j.was_alive) return {};
  }
  if (j.cmd.kind == command_kind::adopt) return perform_adoption(j, step);
  if (j.cmd.kind == command_kind::deploy) return {};  // of its disk nothing is simulated
  if (step == "preparing") return prepare(j);
  if (step == "pulling") {
    const auto& image = j.cmd.plan.container.image;
    const bool there = host_.images.contains(image);
    if (j.cmd.kind == command_kind::run && current(j)) return {};
    if (host_.registry_answers) host_.images.insert(image);
    else if (!there) return fail(ec::pull_failed, "the registry does not answer", "");
    return {};
  }
  if (step == "creating") return create(j);
  if (step == "starting") return start_it(j);
  if (step == "verifying" || step == "proving") return prove(j);
  if (step == "stopping") {
    for (auto* c : host_.of_server(j.cmd.server.value, host_.manager_id)) {
      j.was_alive = j.was_alive || c->alive();
      host_.stop(c->view.id);
    }
    return {};
  }
  if (step == "renaming") {
    auto* c = current(j);
    if (!c) return fail(ec::engine_error, "there is no container to replace", "");
    const auto suffix = ".old-" + j.cmd.op.value;
    if (c->label(core::label_operation) == j.cmd.op.value) {  // made by an earlier, interrupted try
      j.made_id = c->view.id;
      for (auto* other : host_.of_server(j.cmd.server.value, host_.manager_id))
        if (other->view.id != c->view.id) j.old_id = other->view.id;
      return {};
    }
    j.old_id = c->view.id;
    if (!c->view.name.ends_with(suffix)) host_.rename(c->view.id, j.cmd.plan.container.name + suffix);
    return {};
  }
  if (step == "removing_old") {
    for (auto* c : host_.of_server(j.cmd.server.value, host_.manager_id))
      if (c->view.id != j.made_id) host_.remove(c->view.id);
    return {};
  }
  if (step == "removing") {
    for (auto* c : host_.of_server(j.cmd.server.value, host_.manager_id)) host_.remove(c->view.id);
    return {};
  }
  if (step == "removing_data") {
    if (!j.cmd.remove_data) return {};
    if (!host_.disk_mounted) return fail(ec::data_unknown, "the data path is not mounted", "mount it");
    if (host_.data_of(j.cmd.plan.data.name) == data_state::present) j.bytes_removed = 1'000;
    host_.remove_data(j.cmd.plan.data.name);
    return {};
  }
  if (step == "verifying_gone" && !host_.of_server(j.cmd.server.value, host_.manager_id).empty())
    return fail(ec::engine_error, "its container is still there", "");
  return {};
}

result<void> agent::prepare(job& j) {
  if (current(j)) return {};
  const auto& dir = j.cmd.plan.data.name;
  const auto data = host_.data_of(dir);
  if (data == data_state::unknown) return fail(ec::data_unknown, "the data path is not mounted", "mount it");
  if (j.cmd.demand == data_demand::present && data != data_state::present)
    return fail(ec::no_data, "Cannot start server, no data found", "");
  if (data == data_state::absent) {
    host_.trees[dir] = data_state::empty;
    j.fresh_start = true;
  }
  return {};
}

result<void> agent::create(job& j) {
  if (auto* c = current(j); c && (j.cmd.kind == command_kind::run || c->view.id == j.made_id)) {
    j.made_id = c->view.id;
    return {};
  }
  for (auto* c : host_.of_server(j.cmd.server.value, host_.manager_id))
    if (c->label(core::label_operation) == j.cmd.op.value) {  // made by an earlier, interrupted try
      j.made_id = c->view.id;
      return {};
    }
  const auto& spec = j.cmd.plan.container;
  if (auto* foreign = host_.by_name(spec.name); foreign && foreign->view.id != j.old_id)
    return fail(ec::already_exists, "another container is named " + spec.name, "rename it");
  j.made_id = host_.create(spec);
  return {};
}

result<void> agent::start_it(job& j) {
  auto* c = current(j);
  if (!c) return fail(ec::engine_error, "there is no container to start", "");
  if (auto e = host_.start_problem(c->view.id)) return fail(*e);
  host_.start(c->view.id);
  return {};
}

result<void> agent::prove(job& j) {
  auto* c = current(j);
  if (!c || !c->alive()) return fail(ec::engine_error, "its container does not stay up", "");
  return {};
}

void agent::put_back(job& j) {
  if (j.old_id.empty() || !host_.find(j.old_id)) {
    // Nothing was renamed yet, but it may have been stopped already.
    if (auto* c = current(j); c && j.was_alive && host_.engine_answers && !host_.start_problem(c->view.id))
      host_.start(c->view.id);
    return;
  }
  if (!j.made_id.empty() && j.made_id != j.old_id) host_.remove(j.made_id);
  j.made_id.clear();
  host_.rename(j.old_id, j.cmd.plan.container.name);
  if (j.was_alive && !host_.start_problem(j.old_id)) host_.start(j.old_id);
}

void agent::finish(const server_id& server, std::optional<error> failure) {
  auto& lane = lanes_[server];
  auto j = std::move(lane.front());
  lane.pop_front();
  command_result r;
  r.op = j.cmd.op;
  r.attempt = j.cmd.attempt;
  r.server = server;
  r.failure = std::move(failure);
  auto& k = known_[server];
  if (auto* c = current(j)) k.container_id = c->view.id;
  r.after = look(k);
  r.fresh_start = j.fresh_start;
  r.bytes_removed = j.bytes_removed;
  r.untouched = j.untouched;
  if (j.cmd.kind == command_kind::move && !r.failure) r.data_root = j.cmd.plan.data.root;
  r.note = r.failure ? "" : "done";
  host_.journal[{j.cmd.op.value, j.cmd.attempt}] = {true, r};
  say(std::move(r));
  if (!lane.empty()) pump(server);
}

}  // namespace zedops::sim
