#include "actors/manager/servers/server_shell.hpp"

#include "actors/core/overload.hpp"
#include "actors/core/plan/blueprint.hpp"
#include "actors/manager/entities/entity_shell.hpp"
#include "config/logging/logging.hpp"

namespace zedops::manager {
namespace {

using namespace msg;

struct server_shell : entity_shell<server_shell, server, core::effect> {
  core::context context_for(const core::input& what) const {
    const auto rules = world->rules();
    core::context cx;
    cx.now = world->clock.now();
    cx.term = world->term;
    cx.retention = rules.retention;
    cx.time_max = rules.time_max;
    cx.rules = world->find_template(model().template_name);
    if (cx.rules) core::allow_for_stop(cx.time_max, model(), *cx.rules);
    const auto* made = std::get_if<core::created>(&what);
    const auto a = world->records.agent(made ? made->record.agent : model().agent);
    cx.agent_online = a && is_connected(a->status);
    cx.recovery_held = a && a->held_since != never;
    return cx;
  }
  core::decision decide(const core::input& what, const core::context& cx) const {
    return core::decide(model(), what, cx);
  }
  std::vector<std::string> plan_text(const core::decision& d) const { return core::plan_text(model(), d); }

  void run(const core::effect& e) {
    std::visit(core::overload{
                   [&](const core::send_command& c) { send_command(c); },
                   [&](const core::withdraw_command& c) {
                     self->send(hosts, rt::to_host{model().agent, cancel_command{c.op}});
                   },
                   [&](const core::request_sync&) {
                     self->send(hosts, rt::sync_wanted{model().agent, {id}});
                   },
                   [&](const core::watch&) {
                     self->send(hosts, rt::to_host{model().agent, watch_servers{{known()}, {}}});
                   },
                   [&](const core::forget&) {
                     self->send(hosts, rt::to_host{model().agent, watch_servers{{}, {{id}}}});
                   },
               },
               e);
  }

  core::plan_context plan_context(const operation_id& op) const {
    auto a = world->records.agent(model().agent);
    return {world->manager_id, a ? a->name : std::string{}, op};
  }
  known_server known() const {
    return core::known_for(model(), world->find_template(model().template_name), plan_context({}));
  }

  // A move is planned for its target; the record follows when it has succeeded.
  result<server_plan> plan_of(const core::send_command& c, const server_template& t) const {
    if (c.data_to.empty()) return core::plan_for(model(), t, plan_context(c.op));
    auto moved = model();
    moved.data_path = c.data_to;
    return core::plan_for(moved, t, plan_context(c.op));
  }

  void send_command(const core::send_command& c) {
    run_command out;
    out.term = world->term;
    out.op = c.op;
    out.attempt = c.attempt;
    out.server = {id};
    out.kind = c.kind;
    out.container_id = c.container_id;
    out.demand = c.demand;
    out.remove_data = c.remove_data;
    out.original = c.original;
    out.time_max = c.time_max;
    const auto* t = world->find_template(model().template_name);
    auto plan = t ? plan_of(c, *t)
                  : result<server_plan>(fail(ec::bad_request, "template " + model().template_name + " is missing",
                                             "put it back into the templates folder and restart the manager"));
    // A command that was sent before may be done by now, and does not fail because of a missing template here: it may
    // be back at the manager's next start, and the deadline stands.
    if (!plan && c.again) {
      config::log_event(msg::log_level::warn, "command.no-plan",
                        {{"server", id}, {"op", c.op}, {"error", plan.error().message}, {"hint", plan.error().hint}});
      return;
    }
    if (!plan) {  // the operation fails as if the agent had reported it
      command_result r;
      r.op = c.op;
      r.attempt = c.attempt;
      r.server = {id};
      r.failure = plan.error();
      r.after.server = {id};
      caf::anon_send(rt::entity_actor(self), rt::entity_call{server_id{id}, core::reported{std::move(r)}});
      return;
    }
    out.plan = std::move(*plan);
    if (c.pull) out.plan.pull = *c.pull;
    if (!c.data_from.empty()) out.source = core::layout_at(model(), *t, c.data_from);
    world->commands.fetch_add(1);
    self->send(hosts, rt::to_host{model().agent, std::move(out)});
  }
};

}  // namespace

rt::entity_actor spawn_server(caf::actor_system& sys, shared& world, rt::journal_actor journal, rt::hosts_actor hosts,
                              const std::string& id) {
  return spawn_entity<server_shell>(sys, world, std::move(journal), std::move(hosts), id);
}

}  // namespace zedops::manager
