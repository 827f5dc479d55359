// How the simulated agent adopts a container that is not ours.
#include "tests/sim/support/agents/agent.hpp"

namespace zedops::sim {

using namespace msg;

container_answer agent::describe(const container_query& q) {
  container_answer a;
  a.request = q.request;
  auto* c = host_.find(q.container);
  if (!c) c = host_.by_name(q.container);
  if (!host_.engine_answers) a.failure = error{ec::engine_error, "the Engine does not answer", "start it", {}};
  else if (!c) a.failure = error{ec::not_found, "no such container: " + q.container, "docker ps -a", {}};
  if (a.failure) return a;
  a.view = c->view;
  a.env = c->env;
  a.ports = c->ports;
  a.mounts = c->mounts;
  a.networks = c->networks;
  return a;
}

// Every step checks the state first: a crash may have come between any two. What counts is kept in the host: whether
// the original ran, and, once that entry is gone, that the new container counts.
result<void> agent::perform_adoption(job& j, const std::string& step) {
  auto* original = host_.find(j.cmd.original);
  auto& name = j.cmd.plan.data.name;
  const auto& op = j.cmd.op.value;
  const auto ours = host_.of_server(j.cmd.server.value, host_.manager_id);
  const bool switched = host_.adopted.contains(op);
  if (!ours.empty()) j.made_id = ours.front()->view.id;
  if (step == "removing_old") {
    if (original && !original->alive()) host_.remove(j.cmd.original);
    return {};
  }
  if (switched) return {};
  if (!original && step != "creating") return fail(ec::not_found, "the original is not there any more", "look for it");
  if (step == "preparing") {
    if (!host_.disk_mounted) return fail(ec::data_unknown, "the data path is not mounted", "mount it");
    if (!host_.adopting.contains(op) && host_.data_of(name) != data_state::absent)
      return fail(ec::already_exists, name + " is there already", "move it away");
    host_.adopting.try_emplace(op, original->alive());
    return {};
  }
  if (step == "stopping") return host_.stop(j.cmd.original), result<void>{};
  if (step == "copying") {
    if (!host_.disk_mounted) return fail(ec::data_unknown, "the data path is not mounted", "mount it");
    host_.trees[name] = data_state::present;
    return {};
  }
  if (step == "renaming") {
    if (original->view.name == j.cmd.plan.container.name)
      host_.rename(j.cmd.original, original->view.name + ".old-" + op);
    return {};
  }
  if (step == "pulling") return {};  // it runs from that image
  if (step == "creating") return create(j);
  if (step == "switching") return host_.adopted.insert(op), result<void>{};
  if (!host_.adopting[op]) return {};  // it did not run, and will not
  return step == "starting" ? start_it(j) : prove(j);
}

void agent::give_back(job& j) {
  const auto& op = j.cmd.op.value;
  if (host_.adopted.contains(op)) return;
  for (auto* c : host_.of_server(j.cmd.server.value, host_.manager_id)) host_.remove(c->view.id);
  j.made_id.clear();
  const auto was = host_.adopting.find(op);
  if (was == host_.adopting.end()) {  // it never began
    j.untouched = true;
    return;
  }
  if (!host_.engine_answers || !host_.disk_mounted) return;
  host_.trees.erase(j.cmd.plan.data.name);
  if (auto* c = host_.find(j.cmd.original)) {
    if (c->view.name == j.cmd.plan.container.name + ".old-" + op)
      host_.rename(j.cmd.original, j.cmd.plan.container.name);
    if (was->second && !c->alive() && !host_.start_problem(j.cmd.original)) host_.start(j.cmd.original);
  }
  host_.adopting.erase(was);
  j.untouched = true;
}

}  // namespace zedops::sim
