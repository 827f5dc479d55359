// Commands: fenced by term, executed once per attempt, one per server at a time.
#include "actors/agent/deploy/deploy_job.hpp"
#include "actors/agent/session/core_state.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

namespace {
// Until the manager has recorded a move, the data counts as being where it was.
const data_layout& data_that_counts(const run_command& c) {
  return c.kind == command_kind::move ? c.source : c.plan.data;
}

// What an earlier life of this process began and did not end is in the journal only.
std::vector<run_command> left_at_work(const agent_state& state,
                                      const std::function<bool(const journal_entry&)>& which) {
  std::vector<run_command> out;
  for (auto& e : state.cut_short())
    if (which(e)) {
      e.command->term = state.term();
      out.push_back(std::move(*e.command));
    }
  return out;
}
}  // namespace

void core_state::on_command(run_command c) {
  auto& state = deps->env.state;
  if (c.term < state.term())
    return send_result(refusal(
        c, agent_refusal::outdated,
        {ec::not_leader,
         "command of term " + std::to_string(c.term) + ", but term " + std::to_string(state.term()) + " was seen",
         "another manager leads now: ask that one",
         {}}));
  if (auto known = state.find(c.op);
      known && known->result && known->attempt >= c.attempt && known->result->server == c.server)
    return send_result(*known->result);
  if (stopping)
    return send_result(
        refusal(c, agent_refusal::stopping, {ec::busy, "the agent is being stopped", "repeat when it is back", {}}));
  supersede(c);
  // Its events must find the server, also before the manager's next welcome.
  if (c.kind != command_kind::deploy)
    eyes->view().watch({c.server, c.container_id, c.plan.container.name, data_that_counts(c)});
  const auto server = c.server;
  switch (book.offer(c)) {
    case lane_book::entry::accepted: return start_lanes();
    case lane_book::entry::duplicate:
      if (auto a = active.find(server); a != active.end() && a->second->command.op == c.op)
        send(a->second->report->last());  // attach: the rest is reported as it comes
      return;
    case lane_book::entry::full:
      return send_result(
          refusal(c, agent_refusal::lanes_full, {ec::busy, "too many commands wait on this host", "repeat later", {}}));
  }
}

void core_state::start_lanes() {
  for (auto& c : book.startable()) {
    auto a = std::make_shared<active_command>();
    a->command = std::move(c);
    a->report = std::make_shared<reporter>(
        a->command,
        [this, post = post()](command_progress p) {
          post([this, p = std::move(p)] {
            if (where == phase::live) send(p);
          });
        },
        deps->env.clock.steady);
    if (called_off.erase(a->command.op) > 0) a->cancel.cancel();
    active[a->command.server] = a;
    const bool deploys = a->command.kind == command_kind::deploy;
    if (!deploys) guard->on_command_begins(a->command.server);
    auto& worker = deploys ? deps->workers.deploys : deps->workers.lanes;
    worker.run([this, a, &env = deps->env, post = post()] {
      auto result = run_lane(env, *a);
      post([this, a, result = std::move(result)] { on_finished(a, result); });
    });
  }
}

// A phase that waits for a free lane makes no progress, and the manager gives up phases without progress: once a minute
// its waiting is reported. Not for one that waits for an earlier phase of its service: that one ends, or hangs.
void core_state::tell_waiting() {
  std::map<operation_id, turn> still;
  for (const auto& c : book.queue()) {
    if (c.kind != command_kind::deploy || !c.deploy || book.is_running(c.server)) continue;
    const auto known = turns.find(c.op);
    auto t = known == turns.end() ? turn{now()} : known->second;
    const auto waited = std::chrono::floor<std::chrono::minutes>(now() - t.since);
    if (waited > t.told) {
      t.told = waited;
      send(command_progress{c.op,
                            c.attempt,
                            c.server,
                            deploy_job::step_of(*c.deploy),
                            0,
                            "waits its turn, " + format_duration(waited),
                            c.term,
                            {}});
    }
    still.emplace(c.op, t);
  }
  turns = std::move(still);
}

void core_state::on_finished(std::shared_ptr<active_command> a, command_result r) {
  auto& view = eyes->view();
  const auto& c = a->command;
  const bool deploys = c.kind == command_kind::deploy;
  if (deploys) on_phase_ended();
  else if (c.kind == command_kind::purge && !r.failure) view.forget(c.server);
  else if (r.after.container == presence::present) view.bind(c.server, r.after.view.id);
  else if (r.after.container == presence::absent) view.bind(c.server, {});
  active.erase(c.server);
  book.finished(c.server);
  if (!deploys) guard->on_command_ended(c, r);
  send_result(std::move(r));
  start_lanes();
}

// A result that cannot be sent stays in the journal: the manager asks again when it is back.
void core_state::send_result(command_result r) {
  if (where != phase::live) return;
  if (unsent.empty() && send(r)) return;
  if (unsent.size() < results_unsent_max) unsent.push_back(std::move(r));
}

void core_state::flush_results() {
  while (!unsent.empty() && send(unsent.front())) unsent.pop_front();
}

// One operation per server is open at the manager, so an earlier one of this server has ended there. Its withdrawal may
// have been lost with a connection; this does not depend on it.
void core_state::supersede(const run_command& by) {
  std::vector<run_command> waiting;
  while (auto earlier = book.withdraw_other(by.server, by.op)) waiting.push_back(std::move(*earlier));
  // Not one that had switched: the new command's record says which of its containers counts, and settles that.
  for (auto& c : left_at_work(deps->env.state, [&](const journal_entry& e) {
         return e.command->server == by.server && e.command->op != by.op && e.note != note_switched;
       }))
    waiting.push_back(std::move(c));
  for (auto& c : waiting) call_off(std::move(c), "another operation arrived before it began");
  if (auto a = active.find(by.server); a != active.end() && a->second->command.op != by.op) a->second->cancel.cancel();
}

// A command that began in an earlier run of this process still gets its turn, to roll back what it had done.
void core_state::call_off(run_command c, std::string why) {
  if (!has_begun(c)) return send_result(refusal(c, agent_refusal::withdrawn, {ec::cancelled, std::move(why), {}, {}}));
  called_off.insert(c.op);
  book.offer(std::move(c));
}

bool core_state::has_begun(const run_command& c) const {
  const auto known = deps->env.state.find(c.op);
  return known && !known->note.empty();
}

command_result core_state::refusal(const run_command& c, agent_refusal kind, error why) const {
  auto r = refused_result(c, kind, std::move(why));
  r.untouched = c.kind == command_kind::adopt && !has_begun(c);
  return r;
}

void core_state::on_cancel(const cancel_command& c) {
  if (auto waiting = book.withdraw(c.op)) {
    call_off(std::move(*waiting), "cancelled before it began");
    return start_lanes();
  }
  for (auto& [server, a] : active)
    if (a->command.op == c.op) a->cancel.cancel();
  if (stopping) return;
  for (auto& left : left_at_work(deps->env.state, [&](const journal_entry& e) { return e.command->op == c.op; }))
    call_off(std::move(left), "cancelled while this agent was away");
  start_lanes();
}

}  // namespace zedops::agent
