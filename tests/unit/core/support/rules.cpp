#include "tests/unit/core/support/rules.hpp"

#include <algorithm>
#include <array>

#include "actors/core/overload.hpp"
#include "messages/records/condition.hpp"

namespace zedops::core::testing {
namespace {

template <class... Inputs>
bool is(const input& in) {
  return (std::holds_alternative<Inputs>(in) || ...);
}

bool same_but_for_log(server a, server b) {
  a.log_head = b.log_head = 0;
  return a == b;
}

bool refusal_changes_nothing(const step& x) {
  if (!x.d.refusal) return true;
  return x.d.effects.empty() && same_but_for_log(x.before, x.after) &&
         std::all_of(x.d.facts.begin(), x.d.facts.end(),
                     [](const fact& f) { return std::holds_alternative<operation_refused>(f); });
}

bool refusal_says_cause_and_remedy(const step& x) {
  return !x.d.refusal || (!x.d.refusal->message.empty() && !x.d.refusal->hint.empty());
}

bool refused_request_leaves_one_audit_record(const step& x) {
  if (!x.d.refusal || !is<requested, created>(x.in)) return true;
  const auto* f = fact_in<operation_refused>(x.d);
  return x.d.facts.size() == 1 && f && !f->op->id.empty() && f->op->failure == x.d.refusal && !f->op->actor.empty();
}

bool one_operation_at_a_time(const step& x) {
  bool open = x.before.op.has_value();
  for (const auto& f : x.d.facts) {
    if (std::holds_alternative<operation_accepted>(f)) {
      if (open) return false;
      open = true;
    }
    if (const auto* e = std::get_if<operation_ended>(&f)) {
      if (!open || !ended(e->status)) return false;
      open = false;
    }
  }
  return open == x.after.op.has_value();
}

bool commands_serve_the_open_operation(const step& x) {
  for (const auto& e : x.d.effects)
    if (const auto* c = std::get_if<send_command>(&e))
      if (!x.cx.agent_online || !x.after.op || c->op != x.after.op->id || c->attempt != x.after.op->attempt ||
          c->time_max <= 0s)
        return false;
  return true;
}

bool open_operations_have_a_deadline(const step& x) { return !x.after.op || next_due(x.after) != never; }

bool commands_past_their_time_are_withdrawn(const step& x) {
  const bool given_up = is<tick>(x.in) && x.before.op && !x.after.op;
  const auto* w = effect_in<withdraw_command>(x.d);
  const bool cancelled = is<cancel_requested>(x.in) && x.before.op &&
                         (x.before.op->kind == op_kind::move || x.before.op->kind == op_kind::adopt);
  const bool sent_again = is<agent_ready>(x.in) && x.before.op && x.before.op->step == "cancelling";
  if (is<agent_ready>(x.in) && !x.before.op)  // given up while its agent was away
    return !w || (x.before.last_error && w->op.value == x.before.last_error->operation);
  if (sent_again) return !x.cx.agent_online || (w && w->op == x.before.op->id);
  if (cancelled) return !w || (x.after.op && w->op == x.after.op->id);  // its agent rolls everything back
  if (!given_up || never_sent(*x.before.op)) return w == nullptr;
  return w && w->op == x.before.op->id;
}

bool status_facts_lead_on_from_each_other(const step& x) {
  auto at = x.before.status;
  for (const auto& f : x.d.facts) {
    if (const auto* made = std::get_if<server_created>(&f)) at = made->record->status;
    const auto* c = std::get_if<status_changed>(&f);
    if (!c) continue;
    if (c->from != at || c->to == c->from || c->reason.empty()) return false;
    at = c->to;
  }
  return true;
}

bool looking_never_changes_the_desired_state(const step& x) {
  return !is<seen, unseen, acted, progressed, agent_ready>(x.in) || x.after.desired == x.before.desired;
}

bool only_a_failed_purge_resets_the_desired_state(const step& x) {
  if (!is<reported>(x.in) || x.after.desired == x.before.desired) return true;
  // A report of success while a container still exists is a failure, too.
  const auto& report = std::get<reported>(x.in).report;
  const bool failed = report.failure || report.after.container == presence::present;
  // After an adoption that failed and left something nothing may start it automatically.
  if (x.before.op && x.before.op->kind == op_kind::adopt && report.failure)
    return x.after.desired == desired_state::stopped;
  return x.before.op && x.before.op->kind == op_kind::purge && failed;
}

bool deletion_is_not_undone_by_looking(const step& x) {
  if (!is<seen, unseen, progressed, agent_ready>(x.in)) return true;
  const auto gone = in({server_status::deleted, server_status::deleting});
  return !contains(gone, x.before.status) || contains(gone, x.after.status);
}

bool purged_is_the_end(const step& x) {
  return x.before.status != server_status::purged || same_but_for_log(x.before, x.after);
}

bool an_error_is_no_observation(const step& x) {
  const auto* o = std::get_if<seen>(&x.in);
  const bool blind =
      is<unseen>(x.in) || (o && o->what.container == presence::unknown && o->what.data == data_state::unknown);
  if (!blind) return true;
  auto expected = x.before;
  if (!x.before.op && !x.before.id.empty() && x.before.status != server_status::purged) expected.stale = true;
  if (expected.data == data_state::present) expected.past = x.after.past;  // a change that only notes what was known
  expected.observed_at = x.after.observed_at;
  expected.updated_at = x.after.updated_at;
  expected.revision = x.after.revision;
  expected.seq = x.after.seq;
  return x.d.effects.empty() && same_but_for_log(expected, x.after);
}

bool an_open_operation_is_left_alone(const step& x) {
  return !x.before.op || !is<seen, unseen>(x.in) || (x.d.facts.empty() && x.d.effects.empty());
}

bool data_is_removed_only_on_request_or_retention(const step& x) {
  for (const auto& e : x.d.effects)
    if (const auto* c = std::get_if<send_command>(&e))
      if (c->remove_data && (c->kind != command_kind::purge || !x.after.op->remove_data)) return false;
  const auto* accepted = fact_in<operation_accepted>(x.d);
  if (!accepted || !accepted->op->remove_data) return true;
  if (is<tick>(x.in))
    return x.before.status == server_status::deleted && x.before.purge_at != never && x.before.purge_at <= x.cx.now;
  const auto* r = std::get_if<requested>(&x.in);
  const auto* p = r ? std::get_if<purge_server>(&r->what) : nullptr;
  return p && p->confirm && p->remove_data && !p->keep_data;
}

// Without data that was seen no container is made, unless the user said so and the look did not fail.
bool missing_data_is_not_glossed_over(const step& x) {
  const auto* accepted = fact_in<operation_accepted>(x.d);
  if (!accepted || is<created>(x.in)) return true;
  const auto& op = *accepted->op;
  if (op.kind != op_kind::start && op.kind != op_kind::recreate && op.kind != op_kind::rebuild) return true;
  const auto& s = x.before;
  if (s.status != server_status::missing && !(s.status == server_status::failed && s.has_run)) return true;
  const auto& now = x.after;
  if (now.stale || now.data == data_state::unknown) return false;
  return now.data == data_state::present || op.fresh || nothing_to_lose(now);
}

bool fresh_is_asked_for(const step& x) {
  const auto* accepted = fact_in<operation_accepted>(x.d);
  if (!accepted || !accepted->op->fresh || is<created>(x.in)) return true;
  const auto* r = std::get_if<requested>(&x.in);
  if (!r) return false;
  if (x.before.status == server_status::failed && !x.before.has_run) return true;  // a create is resumed
  return std::visit(
      overload{[](const start_server& q) { return q.fresh; }, [](const recreate_server& q) { return q.fresh; },
               [](const rebuild_server& q) { return q.fresh; }, [](const restore_server& q) { return q.fresh; },
               [](const auto&) { return false; }},
      r->what);
}

bool record_is_forgotten_only_after_a_purge(const step& x) {
  if (!fact_in<server_purged>(x.d)) return true;
  if (is<given_up>(x.in)) return !x.cx.agent_online && effect_in<forget>(x.d);
  const auto* told = std::get_if<reported>(&x.in);
  if (!told || !x.before.op || !effect_in<forget>(x.d)) return false;
  const auto& r = told->report;
  const bool never_was =
      x.before.op->kind == op_kind::adopt && r.failure && r.untouched && r.after.container != presence::present;
  return never_was || x.before.op->kind == op_kind::purge;
}

bool what_a_user_set_stays(const step& x) {
  if (is<created>(x.in)) return true;
  const auto& a = x.before;
  const auto& b = x.after;
  // Only a report of a move changes the data path.
  const auto* told = std::get_if<reported>(&x.in);
  const bool moved = told && !told->report.failure && x.before.op && x.before.op->kind == op_kind::move &&
                     b.data_path == x.before.op->data_to;
  const bool late = told && !told->report.failure && b.data_path == told->report.data_root;
  const bool fixed = a.id == b.id && a.name == b.name && a.agent == b.agent && a.ports == b.ports &&
                     a.template_name == b.template_name && (a.data_path == b.data_path || moved || late);
  const auto* r = std::get_if<requested>(&x.in);
  if (r && std::holds_alternative<edit_server>(r->what)) return fixed;
  return fixed && a.env == b.env && a.image == b.image && a.image_tag == b.image_tag && a.recovery == b.recovery;
}

bool deciding_twice_is_deciding_once(const step& x) {
  const auto again = decide(x.before, x.in, x.cx);
  return pack(entry_of(x.before, again, x.cx.now, 1)) == pack(entry_of(x.before, x.d, x.cx.now, 1)) &&
         again.effects.size() == x.d.effects.size();
}

struct rule {
  const char* says;
  bool (*holds)(const step&);
};
constexpr std::array rules = {
    rule{"a refusal changes nothing", refusal_changes_nothing},
    rule{"a refusal names cause and remedy", refusal_says_cause_and_remedy},
    rule{"a refused request leaves one audit record", refused_request_leaves_one_audit_record},
    rule{"one operation is open at most", one_operation_at_a_time},
    rule{"commands serve the open operation and an agent that is online", commands_serve_the_open_operation},
    rule{"an open operation has a deadline", open_operations_have_a_deadline},
    rule{"a command is withdrawn when its operation has passed its deadline, and only then",
         commands_past_their_time_are_withdrawn},
    rule{"each status fact begins where the last one ended", status_facts_lead_on_from_each_other},
    rule{"looking never changes the desired state", looking_never_changes_the_desired_state},
    rule{"a report changes the desired state only when a purge failed", only_a_failed_purge_resets_the_desired_state},
    rule{"deletion is not undone by looking", deletion_is_not_undone_by_looking},
    rule{"purged is the end", purged_is_the_end},
    rule{"an error is no observation", an_error_is_no_observation},
    rule{"looking leaves an open operation alone", an_open_operation_is_left_alone},
    rule{"data is removed only when asked for or when retention is over", data_is_removed_only_on_request_or_retention},
    rule{"missing data is not glossed over", missing_data_is_not_glossed_over},
    rule{"empty directories are asked for", fresh_is_asked_for},
    rule{"a record is forgotten only by a purge that succeeded", record_is_forgotten_only_after_a_purge},
    rule{"what a user set stays as it is", what_a_user_set_stays},
    rule{"deciding twice is deciding once", deciding_twice_is_deciding_once},
};

}  // namespace

std::optional<std::string> broken_rule(const step& s) {
  for (const auto& r : rules)
    if (!r.holds(s)) return r.says;
  return std::nullopt;
}

std::optional<std::string> broken_life_rule(const server& s) {
  if (s.id.empty() || s.status == server_status::purged) return std::nullopt;
  if (s.status == server_status::creating && !s.op) return "creating without an operation would be for ever";
  if (s.status == server_status::deleting && !s.op && s.desired != desired_state::deleted)
    return "deleting without an operation is only the desired state, which every sync retries";
  const bool gone = s.status == server_status::deleted || (s.status == server_status::deleting && !s.op);
  if (gone && (s.deleted_at == never || s.purge_at == never)) return "a deleted server has a time and a retention";
  if (s.status == server_status::deleted && next_due(s) == never) return "a deleted server has a time of purge";
  const bool alive = contains(in({server_status::running, server_status::stopped, server_status::missing}), s.status);
  if (alive && (s.deleted_at != never || s.purge_at != never)) return "a live server has no time of purge";
  if (alive && !s.op && (s.desired == desired_state::deleted || s.desired == desired_state::purged))
    return "a live server is not desired to be deleted";
  return std::nullopt;
}

std::string text_of(const server& s, const input& in) {
  std::string out = std::string(name_of(s.status)) + ", desired " + std::string(name_of(s.desired)) + ", data " +
                    std::string(name_of(s.data)) + (s.stale ? " (stale)" : "");
  if (s.op) out += ", open " + std::string(name_of(s.op->kind)) + " [" + s.op->step + "]";
  constexpr std::array names = {"created", "requested", "cancel_requested", "progressed", "reported",
                                "seen",    "unseen",    "agent_ready",      "tick",       "data_seen",
                                "acted",   "given_up"};
  static_assert(names.size() == std::variant_size_v<input>);
  out += std::string(" <- ") + names[in.index()];
  if (const auto* r = std::get_if<requested>(&in))
    out += " " + std::string(row_of(static_cast<op_kind>(r->what.index())).word());
  if (const auto* o = std::get_if<seen>(&in))
    out += " container " + std::string(name_of(o->what.container)) + " " + std::string(name_of(o->what.view.state)) +
           ", data " + std::string(name_of(o->what.data));
  if (const auto* r = std::get_if<reported>(&in))
    out += std::string(r->report.failure ? " failure" : " success") + ", container " +
           std::string(name_of(r->report.after.container));
  return out;
}

}  // namespace zedops::core::testing
