// Folding facts into the record, numbering them, and the deadlines that follow from a record.
#include <algorithm>

#include "actors/core/operation_facts.hpp"
#include "actors/core/overload.hpp"
#include "actors/core/server/server_machine.hpp"
#include "messages/records/condition.hpp"

namespace zedops::core {

using namespace msg;

namespace {

// The Engine counts what its own restart rule did. A container that has been up for long is in no series, however
// much the count has risen since the last look.
void note_engine_restarts(server& s, const server_observed& x, time_point at) {
  if (x.restarts > s.restarts && x.observed_at - x.started_at < restart_quiet)
    note_restarts(s, static_cast<uint32_t>(x.restarts - s.restarts), at);
}

// An operation that was accepted is a new beginning.
constexpr bool begins_anew(op_kind k) { return k != op_kind::edit; }

}  // namespace

void evolve(server& s, const fact& f, time_point at) {
  const bool ended = fold_operation(s.op, f);
  std::visit(overload{
                 [&](const server_created& x) {
                   s = *x.record;
                   s.op.reset();
                 },
                 [&](const server_edited& x) {
                   s.image = x.image;
                   s.image_tag = x.image_tag;
                   s.env = x.env;
                   s.data_path = x.data_path;
                   s.recovery = x.recovery;
                   s.pending_rebuild = x.pending_rebuild;
                   s.crash = x.crash;
                   s.priority = x.priority;
                   s.spec = x.spec;
                 },
                 [&](const status_changed& x) {
                   s.status = x.to;
                   if (x.to == server_status::running && !s.op) s.has_run = true;  // else once it has proved itself
                 },
                 [&](const desired_changed& x) { s.desired = x.to; },
                 [&](const container_bound& x) { s.container_id = x.container_id; },
                 [&](const server_observed& x) {
                   note_engine_restarts(s, x, at);
                   if (s.data == data_state::present || x.data == data_state::present) s.past = data_past::some;
                   s.container = x.container;
                   s.health = x.health;
                   s.exit_code = x.exit_code;
                   s.restarts = x.restarts;
                   s.data = x.data;
                   s.data_bytes = x.data_bytes;
                   s.stale = x.stale;
                   if (x.data_problem.empty()) s.data_problem_since = never;
                   else if (s.data_problem.empty()) s.data_problem_since = at;
                   s.data_problem = x.data_problem;
                   s.observed_at = x.observed_at;
                   s.container_image = x.image;
                   s.started_at = x.started_at;
                 },
                 [&](const drift_changed& x) { s.drift = x.drift; },
                 [&](const error_changed& x) {
                   s.last_error = x.failure;
                   s.failed_at = x.failure ? at : never;
                 },
                 [&](const server_deleted& x) {
                   s.deleted_at = x.deleted_at;
                   s.purge_at = x.purge_at;
                 },
                 [&](const server_restored&) {
                   s.deleted_at = never;
                   s.purge_at = never;
                 },
                 [&](const server_purged&) { s.status = server_status::purged; },
                 [&](const operation_accepted& x) {
                   if (begins_anew(x.op->kind)) s.restart_run.reset();
                 },
                 [&](const operation_progressed&) {},
                 [&](const operation_ended& x) {
                   if (!ended) return;
                   const bool began_anew = s.op->fresh && x.status == op_status::succeeded;
                   const bool seen_bare = !s.stale && (s.data == data_state::empty || s.data == data_state::absent);
                   if (began_anew && seen_bare) s.past = data_past::none;
                   if (s.status == server_status::running) s.has_run = true;
                   s.op.reset();
                 },
                 [&](const operation_refused&) {},
                 [&](const agent_acted& x) {
                   s.incident_seq = x.what.seq;
                   if (x.what.kind == incident_kind::restarted) note_restarts(s, 1, std::min(x.what.at, at));
                   if (x.what.kind == incident_kind::gave_up) s.restart_run.reset();
                 },
                 [&](const condition_changed& x) {
                   if (!holds(x.condition, condition::restarting) && in_restart_series(s)) s.restart_run.reset();
                 },
                 // facts of agents
                 [&](const agent_registered&) {},
                 [&](const agent_connected&) {},
                 [&](const agent_suspected&) {},
                 [&](const agent_lost&) {},
                 [&](const agent_removed&) {},
                 [&](const recovery_held&) {},
                 [&](const recovery_released&) {},
                 [&](const sync_completed&) {},
                 [&](const sync_failed&) {},
                 // of projects and services
                 [&](const msg::project_created&) {},
                 [&](const msg::project_edited&) {},
                 [&](const msg::project_served&) {},
                 [&](const msg::project_removed&) {},
                 [&](const msg::service_created&) {},
                 [&](const msg::service_edited&) {},
                 [&](const msg::service_removed&) {},
                 [&](const msg::service_health_changed&) {},
                 [&](const msg::service_repaired&) {},
                 [&](const msg::deployment_started&) {},
                 [&](const msg::deployment_phase_changed&) {},
                 [&](const msg::deployment_going_back&) {},
                 [&](const msg::deployment_ended&) {},
                 [&](const msg::deployments_pruned&) {},
                 [&](const msg::rollback_started&) {},
                 [&](const msg::rollback_phase_changed&) {},
                 [&](const msg::rollback_ended&) {},
                 [&](const msg::service_started&) {},
                 [&](const msg::service_stopped&) {},
             },
             f);
  s.updated_at = at;
}

std::vector<numbered_fact> number(const server& s, std::vector<fact> facts) {
  auto id = s.id.value;
  for (const auto& f : facts)
    if (const auto* made = std::get_if<server_created>(&f)) id = made->record->id.value;
  return number_facts("server", id, s.seq, s.op ? &*s.op : nullptr, std::move(facts));
}

void apply(server& s, const log_entry& entry) {
  bool changed = false;
  for (const auto& n : entry.facts) {
    const bool refused = std::holds_alternative<operation_refused>(n.what);
    const auto before = s.updated_at;
    evolve(s, n.what, entry.time);
    if (operation_of(n.what)) {
      if (s.op && *operation_of(n.what) == s.op->id) s.op->seq = n.subject_seq;
    } else {
      s.seq = n.subject_seq;
    }
    if (refused) s.updated_at = before;
    else changed = true;
  }
  if (changed) ++s.revision;
  s.log_head = entry.first_seq;
}

time_point retry_at(const server& s) {
  if (!s.last_error) return never;
  return (s.failed_at == never ? s.updated_at : s.failed_at) + recovery_retry;
}

time_point next_due(const server& s) {
  if (s.status == server_status::purged) return never;
  if (s.op) return s.op->deadline;
  if (in_restart_series(s)) return s.restart_run->last + restart_quiet;
  if (s.status == server_status::deleted)  // after a purge that failed not at once again
    return std::max(s.purge_at, retry_at(s));
  return never;
}

}  // namespace zedops::core
