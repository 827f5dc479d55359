#include "actors/core/server/decide_move.hpp"

#include <algorithm>

#include "actors/core/server/decide_request.hpp"
#include "actors/core/server/observe.hpp"
#include "messages/base/names.hpp"

namespace zedops::core::detail {

using namespace msg;

namespace {

server_edited at_root(const server& s, std::string root, bool pending_rebuild) {
  auto f = edited_as_is(s);
  f.data_path = std::move(root);
  f.pending_rebuild = pending_rebuild;
  return f;
}

}  // namespace

std::string tidy_path(const std::string& path) {
  std::string out;
  for (char c : path)
    if (c != '/' || out.empty() || out.back() != '/') out += c;
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

std::optional<error> check_move(const server& s, const std::string& to) {
  if (auto ok = check_data_path(to); !ok) return ok.error();
  const auto tree = s.data_path + "/" + s.name;
  if (to == s.data_path)
    return error{ec::bad_request, "the data of " + s.name + " is in " + to + " already", "name another folder", {}};
  if (to == tree || to.starts_with(tree + "/"))
    return error{ec::bad_request, to + " is within the data that would move", "name a folder outside of " + tree, {}};
  if (s.status == server_status::running || s.status == server_status::stopped) return std::nullopt;  // its agent looks
  if (s.stale || s.data == data_state::unknown)
    return error{ec::data_unknown,
                 "the data of " + s.name + " could not be looked at",
                 "check that its disk is mounted, then: zedctl server check-data " + s.name,
                 {}};
  if (s.data != data_state::present)
    return error{ec::no_data,
                 "there is no data of " + s.name + " to move",
                 "restore it to " + tree + " first, or purge the server and create it with the other data path",
                 {}};
  return std::nullopt;
}

void settle_switch(decision& d, const server& s, const operation& op, const command_result& r, const context& cx) {
  for (auto& f : facts_of(s, r.after, "move")) d.facts.push_back(std::move(f));
  const bool remade = r.after.container == presence::present && r.after.view.id != s.container_id;
  d.facts.emplace_back(at_root(s, op.data_to, s.pending_rebuild && !remade));
  d.facts.emplace_back(operation_progressed{op.id, op_status::running, "cleaning", 95, r.note, op.attempt + 1,
                                            cx.now + cx.time_max[static_cast<size_t>(op.kind)]});
  auto next = s;
  for (const auto& f : d.facts) evolve(next, f, cx.now);
  d.effects.emplace_back(watch{});  // from now on its agent looks at the new tree
  if (cx.agent_online) d.effects.emplace_back(command_for(next, *next.op, cx));
}

std::string leftover_note(const server& s, const operation& op, const error& why) {
  return "moved, but the old tree is left: " + why.message + "; remove " + op.data_from + "/" + s.name + " by hand";
}

void follow_late_switch(decision& d, const server& s, const command_result& r) {
  // Only while nothing else succeeded since: an old report that is repeated must not mislead the record.
  const bool latest = s.last_error && s.last_error->operation == r.op.value;
  if (r.failure || r.data_root.empty() || r.data_root == s.data_path || !latest || s.id.empty() ||
      s.status == server_status::purged)
    return;
  d.why = {cause_kind::report, r.op.value, {}};
  d.facts.emplace_back(at_root(s, r.data_root, s.pending_rebuild));
  d.effects.emplace_back(watch{});
}

void describe_move(std::vector<std::string>& out, const server& s, const operation& op) {
  const bool runs = s.status == server_status::running;
  const auto size = s.data_bytes ? " (" + format_bytes(*s.data_bytes) + " when last seen)" : std::string{};
  if (runs) out.push_back("stop it as its template says");
  out.push_back("copy " + op.data_from + "/" + s.name + size + " to " + op.data_to + "/" + s.name +
                "; each file is compared by size and hash");
  if (!s.container_id.empty())
    out.push_back(runs ? "make its container again on the copy and prove that it runs; else everything is rolled back"
                       : "make its container again on the copy; it stays stopped");
  out.push_back("then remove " + op.data_from + "/" + s.name);
}

decision cancel_at_work(const server& s, const operation& op, const std::string& actor, const context& cx) {
  decision d;
  d.why = {cause_kind::request, op.id.value, actor};
  if (switched(s, op)) {
    d.refusal = error{ec::wrong_state, "the data is at its new place already; only the old tree is being removed",
                      "move it back when this is over: zedctl server move " + s.name + " --data-path " + op.data_from,
                      op.id.value};
    return d;
  }
  if (!cx.agent_online) {
    d.refusal = error{ec::agent_unreachable, "the agent that carries it out is not connected",
                      "start zedops-agent on its host, then cancel again", op.id.value};
    return d;
  }
  d.facts.emplace_back(operation_progressed{op.id, op_status::running, std::string(step_cancelling), op.progress,
                                            "cancelled by " + actor + "; everything is rolled back", op.attempt,
                                            std::max(op.deadline, cx.now + stall_max)});
  d.effects.emplace_back(withdraw_command{op.id});
  return d;
}

}  // namespace zedops::core::detail
