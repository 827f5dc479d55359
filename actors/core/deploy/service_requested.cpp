// What is asked of a service: deploy, roll back, stop, start, change, remove.
#include "actors/core/deploy/service_flow.hpp"
#include "actors/core/overload.hpp"
#include "actors/core/plan/secrets.hpp"

namespace zedops::core::detail {

namespace {

std::optional<error> busy(const service& s) {
  if (!s.op) return std::nullopt;
  return error{ec::busy,
               s.project_name + "/" + s.name + " is busy: " + std::string(name_of(s.op->kind)) + " " + s.op->id.value +
                   " is at " + s.op->step,
               "wait for it: zedctl op wait " + s.op->id.value, s.op->id.value};
}

service_decision refuse(const service& s, op_kind kind, const request_info& who, const service_context& cx, error e) {
  return refused<service_decision>(operation_for(kind, s.id.value, s.project_name + "/" + s.name, who, cx.now), who,
                                   std::move(e));
}

// An operation that its agent works on.
operation long_operation(const service& s, op_kind kind, const request_info& who, const service_context& cx) {
  auto op = operation_for(kind, s.id.value, s.project_name + "/" + s.name, who, cx.now);
  op.attempt = 0;  // counts the commands, and none was sent
  op.step = cx.agent_online ? std::string(name_of(deploy_phase::queued)) : std::string(step_waiting);
  op.deadline = cx.now + (cx.agent_online ? cx.stall : waiting_max);
  return op;
}

cause asked(const request_info& who) { return {cause_kind::request, who.op.value, who.actor}; }

service_decision deploy(const service& s, const service_requested& r, const deploy_service& what,
                        const service_context& cx) {
  flow f(s, cx, asked(r.who));
  auto op = long_operation(s, op_kind::deploy, r.who, cx);
  const bool waits = s.op.has_value();
  if (s.waiting) f.drop_waiting("superseded by #" + std::to_string(s.deployed + 1));
  if (waits) {
    op.step = step_waiting_its_turn;
    op.note = "begins when " + s.op->id.value + " has ended";
    op.deadline = never;  // it is the open one that may be overdue
  }
  f.add(operation_accepted{std::move(op)});
  deployment made;
  made.id = r.who.op;
  made.number = s.deployed + 1;
  made.actor = r.who.actor;
  made.environment = what.environment;
  made.source = r.source;
  made.status = cx.agent_online && !waits ? deploy_status::queued : deploy_status::pending;
  made.settings = s.settings;
  made.health_path = s.health_path;
  made.phases.push_back({deploy_phase::queued, cx.now, {}});
  made.created_at = made.phase_updated_at = cx.now;
  f.add(deployment_started{std::move(made)});
  if (cx.agent_online && !waits) f.begin_phase(deploy_phase::pulling_source, {});
  return std::move(f.d);
}

service_decision roll_back(const service& s, const service_requested& r, const rollback_service& what,
                           const service_context& cx) {
  const auto* to = what.to == 0 ? previous_deployment(s) : find_deployment(s, what.to);
  const auto name = s.project_name + "/" + s.name;
  const auto no = [&](ec code, std::string message) {
    return refuse(s, op_kind::rollback, r.who, cx, {code, std::move(message), "zedctl deploy ls " + name, {}});
  };
  if (!to && what.to == 0) return no(ec::wrong_state, name + " has no earlier deployment that worked");
  if (!to) return no(ec::not_found, name + " has no deployment #" + std::to_string(what.to));
  const auto number = "#" + std::to_string(to->number);
  if (to->number == s.current) return no(ec::wrong_state, number + " is served by " + name + " already");
  if (!to->worked) return no(ec::wrong_state, number + " of " + name + " never worked");
  if (to->pruned)
    return no(ec::wrong_state, "the files of " + number + " were removed, as the retention of the service requires");
  flow f(s, cx, asked(r.who));
  f.add(operation_accepted{long_operation(s, op_kind::rollback, r.who, cx)});
  rollback made;
  made.id = r.who.op;
  made.from = s.current;
  made.to = to->number;
  made.actor = r.who.actor;
  made.started_at = cx.now;
  f.add(rollback_started{std::move(made)});
  if (cx.agent_online) f.begin_phase(deploy_phase::creating_symlinks, {});
  return std::move(f.d);
}

}  // namespace

error host_given_up(const service& s, ec code) {
  const auto name = s.project_name + "/" + s.name;
  return {code,
          "the host of " + name + " was given up",
          "remove it, and create it on another host: zedctl service rm " + name,
          {}};
}

// Its host was given up. What waited for that ends with it.
service_decision remove_at_once(const service& s, const request_info& who, const service_context& cx) {
  flow f(s, cx, asked(who));
  if (s.waiting) f.drop_waiting("its host was given up");
  if (s.op) f.end_open(std::nullopt);
  auto op = operation_for(op_kind::remove_service, s.id.value, s.project_name + "/" + s.name, who, cx.now);
  auto gone = at_once<service_decision>(std::move(op), {service_removed{s.name}});
  for (auto& x : gone.facts) f.add(std::move(x));
  return std::move(f.d);
}

void begin_removal(flow& f, const request_info& who) {
  f.add(operation_accepted{long_operation(f.next, op_kind::remove_service, who, f.cx)});
  if (!f.cx.agent_online) return;
  f.step(step_removing, 0, {});
  f.send();
}

namespace {

service_decision remove(const service& s, const service_requested& r, const service_context& cx) {
  flow f(s, cx, asked(r.who));
  begin_removal(f, r.who);
  return std::move(f.d);
}

// Its container is stopped, or started again: without effect on what is deployed.
service_decision set_power(const service& s, op_kind kind, const service_requested& r, const service_context& cx) {
  const auto name = s.project_name + "/" + s.name;
  if (!has_container(s))
    return refuse(s, kind, r.who, cx,
                  {ec::wrong_state,
                   name + " has no container of its own: it is served with its project",
                   "zedctl service rm removes it",
                   {}});
  if (s.current == 0)
    return refuse(s, kind, r.who, cx,
                  {ec::wrong_state, "nothing was deployed to " + name + " yet", "zedctl deploy " + name, {}});
  flow f(s, cx, asked(r.who));
  f.add(operation_accepted{long_operation(s, kind, r.who, cx)});
  if (cx.agent_online) {
    f.step(step_of(f.next), 0, {});
    f.send();
  }
  return std::move(f.d);
}

service_decision edit(const service& s, const service_requested& r, const edit_service& e, const service_context& cx) {
  auto op = operation_for(op_kind::edit_service, s.id.value, s.project_name + "/" + s.name, r.who, cx.now);
  service_edited done{e.retention.value_or(s.retention), e.health_path.value_or(s.health_path), {}, {}, e.lives};
  if (e.settings) {
    auto next = *e.settings;
    for (auto& [key, value] : next.env)
      if (value == secret_mask) {
        const auto before = s.settings.env.find(key);
        if (before == s.settings.env.end())
          return refuse(
              s, op_kind::edit_service, r.who, cx,
              {ec::bad_request, "the value of " + key + " is the mask shown for hidden values", "give its value", {}});
        value = before->second;
      }
    done.settings = std::move(next);
  }
  if (e.hook) {
    done.hook = *e.hook;
    if (done.hook->secret == secret_mask && !done.hook->url.empty()) {
      if (!s.hook)
        return refuse(
            s, op_kind::edit_service, r.who, cx,
            {ec::bad_request, "the secret of the hook is the mask shown for hidden values", "give a secret", {}});
      done.hook->secret = s.hook->secret;
    }
  }
  return at_once<service_decision>(std::move(op), {std::move(done)});
}

}  // namespace

service_decision on_request(const service& s, const service_requested& r, const service_context& cx) {
  const auto kind = std::visit([](const auto& x) { return std::decay_t<decltype(x)>::kind; }, r.what);
  const auto unless_busy = [&](auto then) {
    if (auto no = busy(s)) return refuse(s, kind, r.who, cx, std::move(*no));
    return then();
  };
  if (!cx.agent_known && kind != op_kind::edit_service && kind != op_kind::remove_service)
    return refuse(s, kind, r.who, cx, host_given_up(s, ec::wrong_state));
  return std::visit(
      overload{
          [&](const edit_service& e) { return edit(s, r, e, cx); },
          [&](const start_service&) { return unless_busy([&] { return set_power(s, kind, r, cx); }); },
          [&](const stop_service&) { return unless_busy([&] { return set_power(s, kind, r, cx); }); },
          [&](const remove_service&) {
            if (!cx.agent_known) return remove_at_once(s, r.who, cx);
            return unless_busy([&] { return remove(s, r, cx); });
          },
          [&](const deploy_service& x) {
            if (s.op && s.op->kind == op_kind::remove_service) return refuse(s, kind, r.who, cx, std::move(*busy(s)));
            return deploy(s, r, x, cx);
          },
          [&](const rollback_service& x) { return unless_busy([&] { return roll_back(s, r, x, cx); }); },
          [&](const auto&) {
            return refuse(s, kind, r.who, cx,
                          {ec::internal, "a service cannot carry out this request", "this is a defect: report it", {}});
          },
      },
      r.what);
}

}  // namespace zedops::core::detail
