// Facts folded into the record of a service, and what follows from it.
#include <algorithm>
#include <utility>

#include "actors/core/deploy/service_machine.hpp"
#include "actors/core/operation_facts.hpp"
#include "actors/core/overload.hpp"

namespace zedops::core {

using namespace msg;

namespace {

template <class Service>
auto* find(Service& s, uint32_t number) {
  auto i = std::ranges::find(s.deployments, number, &deployment::number);
  return i == s.deployments.end() ? nullptr : std::to_address(i);
}

constexpr duration removal_again = std::chrono::minutes(10);

void enter(deployment& d, deploy_phase p, time_point at) {
  if (!d.phases.empty() && d.phases.back().ended_at == never) d.phases.back().ended_at = at;
  d.phases.push_back({p, at, p == deploy_phase::active || p == deploy_phase::failed ? at : time_point{}});
  d.phase = p;
  d.phase_updated_at = at;
}

// From now on `number` is what is served.
void switch_to(service& s, uint32_t number) {
  s.stopped = false;
  if (s.current == number) return;
  if (auto* before = find(s, s.current)) before->status = deploy_status::cancelled;
  s.current = number;
  if (auto* now = find(s, number)) {
    now->status = deploy_status::success;
    now->worked = true;
  }
}

void lives_for(service& s, duration d, time_point at) {
  s.lives = d;
  s.expires_at = d == duration{0} ? time_point{} : at + d;
}

void begin(service& s, const deployment& d) {
  s.deployments.push_back(d);
  s.deployed = d.number;
  if (s.op && s.op->id == d.id) s.run = deploy_run{d.number, false, d.phase, false, {}, false};
  while (s.deployments.size() > deployments_listed_max) {
    const auto old = std::ranges::find_if(s.deployments, [&](const deployment& x) {
      return x.number != s.current && x.ended_at != never && (x.pruned || !x.worked);
    });
    if (old == s.deployments.end()) return;
    s.deployments.erase(old);
  }
}

void change_phase(service& s, const deployment_phase_changed& x, time_point at) {
  auto* d = find(s, x.number);
  if (!d) return;
  if (d->worked && d->phase == x.phase) {  // served again, or still, but from another container
    for (const auto& [key, value] : x.proof) d->proof[key] = value;
    return;
  }
  enter(*d, x.phase, at);
  d->progress = std::max(d->progress, x.progress);
  d->status = row_of(x.phase).status;
  d->note.clear();
  for (const auto& [key, value] : x.proof) d->proof[key] = value;
  if (const auto c = x.proof.find("commit"); c != x.proof.end() && d->source.commit.empty())
    d->source.commit = c->second;
  if (const auto i = x.proof.find("image");
      i != x.proof.end() && d->source.kind == source_kind::image && d->source.digest.empty())
    d->source.digest = i->second;
  if (s.run) s.run->phase = x.phase;
  if (x.phase == deploy_phase::active) switch_to(s, x.number);
}

void end_deployment(service& s, const deployment_ended& x, time_point at) {
  auto* d = find(s, x.number);
  if (!d) return;
  if (x.status != deploy_status::success) {
    d->proof["ended_in"] = std::string(name_of(d->phase));
    enter(*d, deploy_phase::failed, at);
  }
  d->status = x.status;
  d->failure = x.failure;
  d->ended_at = at;
}

void on_progress(service& s, const operation_progressed& x, time_point at) {
  if (!s.run || s.run->is_rollback || s.run->going_back) return;
  auto* d = find(s, s.run->number);
  if (!d) return;
  d->progress = std::max(d->progress, x.progress);
  d->note = x.note;
  d->phase_updated_at = at;
  d->status =
      x.step == step_waiting && d->phase == deploy_phase::queued ? deploy_status::pending : row_of(d->phase).status;
}

// A removal that failed is not retried at once.
void put_off_expiry(service& s, const fact& f, time_point at) {
  const auto* x = std::get_if<operation_ended>(&f);
  if (x && s.op && s.op->id == x->id && s.op->kind == op_kind::remove_service && s.expires_at != never)
    s.expires_at = std::max(s.expires_at, at + removal_again);
}

// One is open; a deployment may wait for its end, and takes its place. What ends where it begins (a change of settings)
// may come between, and is neither.
void fold_operations(service& s, const fact& f) {
  const auto* id = operation_of(f);
  if (!id) return;
  if (const auto* x = std::get_if<operation_accepted>(&f); x && s.op && s.op->id != *id) {
    if (x->op->kind == op_kind::deploy) s.waiting = *x->op;
    return;
  }
  if (s.waiting && s.waiting->id == *id) {
    if (fold_operation(s.waiting, f)) s.waiting.reset();
    return;
  }
  if (!fold_operation(s.op, f)) return;
  s.op = std::exchange(s.waiting, {});
  s.run.reset();
  if (!s.op) return;
  const auto next = std::ranges::find(s.deployments, s.op->id, &deployment::id);
  if (next != s.deployments.end()) s.run = deploy_run{next->number, false, next->phase, false, {}, false};
}

}  // namespace

const deployment* find_deployment(const service& s, uint32_t number) { return find(s, number); }

const deployment* waiting_deployment(const service& s) {
  if (!s.waiting) return nullptr;
  const auto i = std::ranges::find(s.deployments, s.waiting->id, &deployment::id);
  return i == s.deployments.end() ? nullptr : std::to_address(i);
}

const deployment* previous_deployment(const service& s) {
  const deployment* best = nullptr;
  for (const auto& d : s.deployments)
    if (d.worked && !d.pruned && d.number != s.current && (s.current == 0 || d.number < s.current)) best = &d;
  return best;
}

std::vector<std::string> host_names_of(const service& s) {
  auto out = s.settings.hosts;
  const auto add = [&](const deployment* d) {
    if (d && d->settings) out.insert(out.end(), d->settings->hosts.begin(), d->settings->hosts.end());
  };
  add(find(s, s.current));
  if (s.run) add(find(s, s.run->number));
  add(waiting_deployment(s));
  std::ranges::sort(out);
  const auto twice = std::ranges::unique(out);
  out.erase(twice.begin(), twice.end());
  return out;
}

std::vector<uint32_t> kept_deployments(const service& s) {
  std::vector<uint32_t> out;
  const auto keep = [&](uint32_t n) {
    if (n != 0 && std::ranges::find(out, n) == out.end()) out.push_back(n);
  };
  keep(s.current);
  if (s.run) keep(s.run->number);
  if (const auto* before = previous_deployment(s)) keep(before->number);
  uint32_t successes = 0;
  for (auto d = s.deployments.rbegin(); d != s.deployments.rend() && successes < s.retention; ++d)
    if (d->worked && !d->pruned) keep(d->number), ++successes;
  std::ranges::sort(out);
  return out;
}

void evolve(service& s, const fact& f, time_point at) {
  std::visit(overload{
                 [&](const service_created& x) { s = *x.record; },
                 [&](const service_edited& x) {
                   s.retention = x.retention;
                   s.health_path = x.health_path;
                   if (x.settings) s.settings = *x.settings;
                   if (x.lives) lives_for(s, *x.lives, at);
                   if (x.hook) s.hook = x.hook->url.empty() ? sparse<service_hook>{} : x.hook;
                 },
                 [&](const service_started&) { s.stopped = false; },
                 [&](const service_stopped&) { s.stopped = true; },
                 [&](const service_removed&) { s.removed = true; },
                 [&](const service_health_changed& x) {
                   s.health = x.to;
                   s.health_reason = x.reason;
                 },
                 [&](const deployment_started& x) {
                   begin(s, *x.record);
                   lives_for(s, s.lives, at);
                 },
                 [&](const deployment_phase_changed& x) { change_phase(s, x, at); },
                 [&](const deployment_going_back& x) {
                   if (!s.run) return;
                   s.run->going_back = true;
                   s.run->failure = x.failure;
                   s.run->cancelled = !x.failure.has_value();
                 },
                 [&](const deployment_ended& x) { end_deployment(s, x, at); },
                 [&](const deployments_pruned& x) {
                   for (const auto n : x.numbers)
                     if (auto* d = find(s, n)) d->pruned = true;
                 },
                 [&](const rollback_started& x) {
                   s.rollbacks.push_back(x.record);
                   if (s.rollbacks.size() > rollbacks_listed_max) s.rollbacks.erase(s.rollbacks.begin());
                   s.run = deploy_run{x.record.to, true, deploy_phase::queued, false, {}, false};
                 },
                 [&](const rollback_phase_changed& x) {
                   if (!s.run) return;
                   s.run->phase = x.phase;
                   if (x.phase == deploy_phase::active) switch_to(s, s.run->number);
                 },
                 [&](const rollback_ended& x) {
                   auto i = std::ranges::find(s.rollbacks, x.id, &rollback::id);
                   if (i == s.rollbacks.end()) return;
                   i->state = x.state;
                   i->reason = x.reason;
                   i->ended_at = at;
                 },
                 [&](const operation_progressed& x) { on_progress(s, x, at); },
                 [](const auto&) {},
             },
             f);
  put_off_expiry(s, f, at);
  fold_operations(s, f);
}

void apply(service& s, const log_entry& e) {
  for (const auto& n : e.facts) {
    evolve(s, n.what, e.time);
    if (!operation_of(n.what)) s.seq = n.subject_seq;
    else if (s.op && s.op->id == *operation_of(n.what)) s.op->seq = n.subject_seq;
    else if (s.waiting && s.waiting->id == *operation_of(n.what)) s.waiting->seq = n.subject_seq;
  }
  if (s.id.empty()) return;
  s.log_head = e.first_seq;
  if (is_refusal(e)) return;
  s.updated_at = e.time;
  ++s.revision;
}

error entity<service>::taken(std::string_view claim, const service& owner) {
  const auto name = owner.project_name + "/" + owner.name;
  if (claim.starts_with("host-name/"))
    return {ec::already_exists,
            std::string(claim.substr(10)) + " leads to " + name + " already",
            "choose another host name, or remove it there: zedctl service edit " + name + ", then deploy that",
            {}};
  if (claim.starts_with("service/"))
    return {ec::already_exists,
            "project " + owner.project_name + " has a service " + owner.name + " already",
            "choose another name, or deploy to that one",
            {}};
  return {
      ec::port_conflict, "a port of that host belongs to the service " + name, "choose another, or leave it out", {}};
}

std::vector<numbered_fact> entity<service>::number(const service& s, std::vector<fact> facts) {
  auto id = s.id.value;
  for (const auto& f : facts)
    if (const auto* made = std::get_if<service_created>(&f)) id = made->record->id.value;
  return number_facts(kind, id, s.seq, s.op ? &*s.op : nullptr, std::move(facts), waiting(s));
}

}  // namespace zedops::core
