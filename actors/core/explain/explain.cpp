// The sentence, and what comes next.
#include "actors/core/explain/explain.hpp"

#include <algorithm>

#include "actors/core/server/server_machine.hpp"
#include "messages/base/names.hpp"
#include "messages/records/condition.hpp"
#include "messages/records/incident_text.hpp"

namespace zedops::core {

using namespace msg;

bool damaged(const server& s) { return s.agent.empty() && s.revision == 0 && s.last_error.has_value(); }

namespace detail {

bool agent_away(const explain_input& in) {
  return !in.agent || (in.agent->status != agent_status::online && in.agent->status != agent_status::suspect);
}

std::string agent_name(const explain_input& in) { return in.agent ? in.agent->name : in.record.agent.value; }

std::string start_command(const server& s) {
  const bool continues = s.status == server_status::failed && !s.has_run;
  const bool fresh =
      !continues && s.status != server_status::stopped && s.data != data_state::present && !nothing_to_lose(s);
  return std::string("zedctl server start ") + (fresh ? "--fresh " : "") + s.name;
}

namespace {

std::string away_text(const explain_input& in) {
  if (!in.agent) return "agent " + agent_name(in) + " is no longer known";
  auto out = "agent " + agent_name(in) + " is " + std::string(name_of(in.agent->status));
  return in.agent_seen == never ? out : out + " since " + to_rfc3339(in.agent_seen);
}

// A failed recovery, or a failed purge at the end of retention, waits; see next_due and wants_recovery.
std::optional<time_point> recovery_at(const server& s) {
  if (s.op || s.status != server_status::missing || s.desired != desired_state::running ||
      s.recovery != recovery_policy::automatic || s.stale || (s.data != data_state::present && !nothing_to_lose(s)))
    return std::nullopt;
  return s.last_error ? retry_at(s) : s.updated_at;
}

// An agent's number is taken for what it may be: no restart waits longer than a day.
time_point next_start(const incident& deed) {
  return deed.at + std::min<duration>(deed.next_in, std::chrono::hours(24));
}

const incident* newest_deed(const explain_input& in) {
  for (auto e = in.entries.rbegin(); e != in.entries.rend(); ++e)
    if (const auto* a = fact_in<agent_acted>(*e)) return &a->what;
  return nullptr;
}

std::string step_text(const operation& op) {
  if (op.step == step_waiting) return "waits for its agent";
  std::string out = op.step.empty() ? "sent" : op.step;
  if (op.progress > 0) out += " " + std::to_string(op.progress) + "%";
  return op.note.empty() ? out : out + ", " + op.note;
}

std::string missing_outlook(const server& s, const explain_input& in) {
  if (s.stale || s.data == data_state::unknown)
    return "it is not known whether its data exists" +
           (s.data_problem.empty() ? std::string{} : " (" + s.data_problem + ")") +
           ", so nothing is created: zedctl server check-data " + s.name;
  const bool bare = nothing_to_lose(s);
  if (s.data != data_state::present && !bare)
    return "its data is " + std::string(name_of(s.data)) +
           "; to start over with empty directories: " + start_command(s);
  std::string out = bare ? "it never had data, so none is lost; " : "data is present; ";
  if (s.desired != desired_state::running)
    return out + "it should be " + std::string(name_of(s.desired)) + ", so nothing is done until: " + start_command(s);
  auto at = recovery_at(s);
  if (!at) return out + "recovery is manual, so it waits for: " + start_command(s);
  out += "recovery is automatic";
  if (agent_away(in)) return out + ", so it is made again once its agent is back";
  return *at > in.now ? out + ", and tries again in " + format_age(*at - in.now) : out + ", so it is made again now";
}

std::string stopped_outlook(const server& s, const explain_input& in) {
  if (s.desired == desired_state::stopped) return "as desired";
  if (const auto* deed = newest_deed(in); deed && deed->next_in > duration{} && next_start(*deed) > in.now)
    return "it should be running, and its agent starts it in " + format_age(next_start(*deed) - in.now);
  std::string out = "it should be running; ";
  if (s.crash != crash_policy::engine) out += "its crash policy is " + std::string(name_of(s.crash)) + ", so ";
  return out + "it waits for: " + start_command(s);
}

std::string running_outlook(const server& s) {
  std::string out =
      s.desired == desired_state::running ? "as desired" : "although it should be " + std::string(name_of(s.desired));
  if (s.container == container_state::restarting) out += "; its container keeps ending and the Engine starts it again";
  if (s.container == container_state::paused) out += "; its container is paused: docker unpause on its host";
  if (s.health == health_state::unhealthy) out += "; its health check fails: zedctl server logs " + s.name;
  return out;
}

std::string outlook(const explain_input& in) {
  const auto& s = in.record;
  if (s.op) return std::string(row_of(s.op->kind).word()) + " is under way (" + step_text(*s.op) + ")";
  switch (s.status) {
    case server_status::creating: return "nothing is under way";
    case server_status::running: return running_outlook(s);
    case server_status::stopped: return stopped_outlook(s, in);
    case server_status::missing: return missing_outlook(s, in);
    case server_status::failed: return "it waits for: " + start_command(s);
    case server_status::deleting: return "the removal of its container is tried again with every sync";
    case server_status::deleted:
      return "until " + to_rfc3339(next_due(s)) + " it can be restored: zedctl server restore " + s.name;
    case server_status::purged: return "its history stays while it is kept";
  }
  return {};
}

std::string summary(const explain_input& in) {
  const auto& s = in.record;
  if (damaged(s))
    return s.name + " is failed because " + s.last_error->message +
           "; all other servers work; zedctl store verify shows the extent, zedctl store restore brings back a backup";
  auto out = s.name + " is " + std::string(name_of(s.status));
  const auto cause = cause_of_state(in);
  out += cause.empty() ? "; the events that are kept do not show why" : " because " + cause;
  out += "; " + outlook(in);
  if (s.status == server_status::purged) return out;
  if (!s.drift.empty()) out += "; changed from outside: " + s.drift;
  if (s.stale && s.status != server_status::missing)
    out += s.data_problem.empty() ? "; the last look at it failed, so this may be out of date"
                                  : "; its data cannot be looked at: " + s.data_problem;
  if (agent_away(in)) {
    out += "; " + away_text(in) + ", so this is what was last known";
    if (in.agent_seen != never) out += ", " + ago(in.agent_seen, in.now);
  }
  return out;
}

void timers(const explain_input& in, std::vector<explain_line>& out) {
  const auto& s = in.record;
  const auto add = [&](time_point at, explain_kind kind, std::string text, std::string ref = {}) {
    out.push_back({shown(at), kind, std::move(text), std::move(ref)});
  };
  if (s.op) {
    const auto kind = std::string(row_of(s.op->kind).word());
    add(s.op->deadline, explain_kind::timer,
        s.op->step == step_waiting ? kind + " is given up unless its agent came back before"
                                   : kind + " is given up unless it ended, or made progress, before",
        s.op->id.value);
    return;
  }
  if (s.status == server_status::deleted)
    add(next_due(s), s.last_error ? explain_kind::retry : explain_kind::timer,
        s.last_error ? "the purge is tried again" : "purged with its data, unless it was restored before");
  if (auto at = recovery_at(s))
    add(std::max(*at, in.now), explain_kind::retry, "recovery makes its container again from the record");
  if (s.status == server_status::deleting) add(never, explain_kind::retry, "the next sync removes its container");
  if (s.stale) add(never, explain_kind::retry, "every sync looks at it again");
  const auto* deed = newest_deed(in);
  if (deed && deed->next_in > duration{} && next_start(*deed) > in.now)
    add(next_start(*deed), explain_kind::retry, "its agent starts it again");
}

void choices(const explain_input& in, std::vector<explain_line>& out) {
  const auto& s = in.record;
  const auto add = [&](std::string text) { out.push_back({std::nullopt, explain_kind::command, std::move(text), {}}); };
  if (damaged(s)) {
    add("zedctl store verify  # Looks at every record");
    add("zedctl store restore FILE  # With the manager stopped");
    return;
  }
  if (s.op) {
    add("zedctl op wait " + s.op->id.value + "  # Follow it to its end");
    if (s.op->step == step_waiting) add("zedctl op cancel " + s.op->id.value + "  # Give it up");
    return;
  }
  for (const auto& row : operation_table) {
    if (!contains(row.allowed, s.status)) continue;
    if (needs_agent(row.offline) && agent_away(in)) continue;
    std::string command = row.kind == op_kind::start
                              ? start_command(s)
                              : std::string("zedctl server ").append(row.word()).append(" ").append(s.name);
    add(command + "  # " + std::string(row.help));
  }
}

}  // namespace

std::vector<explain_line> next_lines(const explain_input& in) {
  std::vector<explain_line> out;
  if (in.record.status == server_status::purged) return out;
  if (!damaged(in.record)) {
    if (agent_away(in))
      out.push_back({std::nullopt, explain_kind::agent,
                     "waits for its agent: " + away_text(in) + "; start zedops-agent on its host",
                     in.record.agent.value});
    timers(in, out);
  }
  choices(in, out);
  return out;
}

}  // namespace detail

explanation explain(const explain_input& in) {
  explanation out;
  out.server = view_of(in.record, in.agent);
  out.summary = detail::summary(in);
  out.past = detail::past_lines(in);
  out.next = detail::next_lines(in);
  return out;
}

}  // namespace zedops::core
