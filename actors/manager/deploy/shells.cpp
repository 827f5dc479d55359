#include "actors/manager/deploy/shells.hpp"

#include "actors/core/deploy/project_machine.hpp"
#include "actors/core/deploy/service_machine.hpp"
#include "actors/core/overload.hpp"
#include "actors/manager/entities/entity_shell.hpp"
#include "actors/manager/entities/sweeper.hpp"

namespace zedops::manager {
namespace {

using namespace msg;

// The facts that the request would leave, by their names: for a dry run.
template <class Decision>
std::vector<std::string> facts_text(const Decision& d) {
  std::vector<std::string> out;
  for (const auto& f : d.facts) {
    const auto type = type_of(f);
    if (!type.starts_with("operation.")) out.emplace_back(type);
  }
  return out;
}

struct project_shell : entity_shell<project_shell, project, core::no_effect> {
  core::project_context context_for(const core::project_input&) const {
    return {world->clock.now(), world->records.services_of(project_id{id}).size()};
  }
  core::project_decision decide(const core::project_input& what, const core::project_context& cx) const {
    return core::decide(model(), what, cx);
  }
  std::vector<std::string> plan_text(const core::project_decision& d) const { return facts_text(d); }
  void run(const core::no_effect&) const {}
};

struct service_shell : entity_shell<service_shell, service, core::service_effect> {
  core::service_context context_for(const core::service_input&) const {
    core::service_context cx;
    cx.now = world->clock.now();
    cx.clock_trusted = is_clock_trusted(*world);
    cx.term = world->term;
    cx.stall = world->rules().time_max[static_cast<size_t>(op_kind::deploy)];
    const auto a = world->records.agent(model().agent);
    cx.agent_known = a != nullptr;
    cx.agent_online = a && is_connected(a->status);
    for (const auto& s : world->records.services_of(model().project))
      if (s->id != model().id && s->agent == model().agent && s->kind == service_kind::static_site) ++cx.siblings;
    if (!world->records.knows_all_services()) ++cx.siblings;  // the project's server stays for services that may exist
    return cx;
  }
  core::service_decision decide(const core::service_input& what, const core::service_context& cx) const {
    return core::decide(model(), what, cx);
  }
  std::vector<std::string> plan_text(const core::service_decision& d) const { return facts_text(d); }

  void run(core::service_effect& e) {
    std::visit(core::overload{
                   [&](core::send_phase& p) { send(p); },
                   [&](const core::withdraw_phase& p) {
                     self->send(hosts, rt::to_host{model().agent, cancel_command{p.op}});
                   },
                   [&](const core::look_again&) {
                     self->send(hosts, rt::sync_wanted{model().agent, {id}});
                   },
               },
               e);
  }
  void send(core::send_phase& p) {
    run_command out;
    out.term = world->term;
    out.op = p.op;
    out.attempt = p.attempt;
    out.server = {id};
    out.kind = command_kind::deploy;
    out.time_max = core::phase_time_max;
    out.deploy = std::move(p.plan);
    world->commands.fetch_add(1);
    self->send(hosts, rt::to_host{model().agent, std::move(out)});
  }
};

}  // namespace

rt::entity_actor spawn_project(caf::actor_system& sys, shared& world, rt::journal_actor journal, rt::hosts_actor hosts,
                               const std::string& id) {
  return spawn_entity<project_shell>(sys, world, std::move(journal), std::move(hosts), id);
}
rt::entity_actor spawn_service(caf::actor_system& sys, shared& world, rt::journal_actor journal, rt::hosts_actor hosts,
                               const std::string& id) {
  return spawn_entity<service_shell>(sys, world, std::move(journal), std::move(hosts), id);
}

}  // namespace zedops::manager
