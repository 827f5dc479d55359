// Which of the things that happened brought about the state that a server is in, and the words for who and when.
#include "actors/core/explain/explain.hpp"
#include "messages/api/operations.hpp"
#include "messages/base/names.hpp"
#include "messages/records/incident_text.hpp"

namespace zedops::core::detail {

using namespace msg;

namespace {

std::string to_do(op_kind kind) {
  switch (kind) {
    case op_kind::create: return "create it";
    case op_kind::remove: return "delete it";
    case op_kind::start:
    case op_kind::stop:
    case op_kind::restart:
    case op_kind::rebuild:
    case op_kind::recreate:
    case op_kind::edit:
    case op_kind::restore:
    case op_kind::purge:
    case op_kind::create_project:
    case op_kind::edit_project:
    case op_kind::remove_project:
    case op_kind::create_service:
    case op_kind::edit_service:
    case op_kind::remove_service:
    case op_kind::deploy:
    case op_kind::start_service:
    case op_kind::stop_service:
    case op_kind::rollback: break;  // of no server
    case op_kind::move: return "move its data";
    case op_kind::adopt: return "take over a container for it";
  }
  return std::string(name_of(kind)) + " it";
}

const operation* operation_of(const explain_input& in, const operation_id& id) {
  for (const auto& e : in.entries)
    for (const auto& n : e.facts)
      if (const auto* a = std::get_if<operation_accepted>(&n.what); a && a->op->id == id) return &*a->op;
  return nullptr;
}

std::string outcome_text(const explain_input& in, const operation_ended& x) {
  const auto* op = operation_of(in, x.id);
  std::string out =
      op ? std::string(row_of(op->kind).word()) + " by " + who_text(op->actor) : "operation " + x.id.value;
  out += " " + std::string(name_of(x.status));
  return x.failure ? out + " (" + x.failure->message + ")" : out;
}

std::string seen_cause(const log_entry& e, const status_changed& t, const std::string& agent) {
  const auto* sight = fact_in<server_observed>(e);
  const auto code = sight ? " with exit code " + std::to_string(sight->exit_code) : std::string{};
  const bool event = e.why.kind == cause_kind::container_event;
  const auto by = event ? " (" + event_name(e) + " event)" : std::string{};
  switch (t.to) {
    case server_status::missing:
      return event ? "its container was removed by hand" + by : "agent " + agent + " found that its container is gone";
    case server_status::stopped:
      return event ? "its container ended" + code + by
                   : "agent " + agent + " found that its container had ended" + code;
    case server_status::running:
      return event ? "its container was started by hand" + by : "agent " + agent + " found its container running";
    case server_status::creating:
    case server_status::failed:
    case server_status::deleting:
    case server_status::deleted:
    case server_status::purged: break;
  }
  return t.reason.empty() ? "agent " + agent + " reported it" : t.reason;
}

}  // namespace

bool answers_a_sight(const log_entry& e) { return fact_in<operation_accepted>(e) && fact_in<server_observed>(e); }

// Where an operation answers the event, the cause names that operation; the transition still has the event.
std::string event_name(const log_entry& e) {
  constexpr std::string_view begin = "container ";
  const auto* t = fact_in<status_changed>(e);
  if (answers_a_sight(e) && t && t->reason.starts_with(begin)) return t->reason.substr(begin.size());
  return e.why.ref;
}

std::string cause_of_state(const explain_input& in) {
  const agent_acted* deed = nullptr;
  for (auto e = in.entries.rbegin(); e != in.entries.rend(); ++e) {
    for (auto n = e->facts.rbegin(); n != e->facts.rend(); ++n) {
      if (const auto* a = std::get_if<agent_acted>(&n->what); a && !deed) deed = a;
      if (std::holds_alternative<server_purged>(n->what))
        if (const auto* x = fact_in<operation_ended>(*e)) return outcome_text(in, *x) + " " + ago(e->time, in.now);
      if (const auto* m = std::get_if<server_created>(&n->what); m && in.record.status == server_status::creating) {
        const auto* op = fact_in<operation_accepted>(*e);
        return (op ? asked_for(op->op) : std::string("it was requested")) + " " + ago(e->time, in.now);
      }
      const auto* t = std::get_if<status_changed>(&n->what);
      if (!t || t->to != in.record.status) continue;
      if (!deed) deed = fact_in<agent_acted>(*e);
      if (deed) return incident_text(deed->what) + " " + ago(deed->what.at, in.now);
      const auto when = " " + ago(e->time, in.now);
      if (const auto* x = fact_in<operation_ended>(*e)) return outcome_text(in, *x) + when;
      if (const auto* a = fact_in<operation_accepted>(*e); a && !answers_a_sight(*e)) return asked_for(a->op) + when;
      return seen_cause(*e, *t, agent_name(in)) + when;
    }
  }
  return {};
}

std::string asked_for(const operation& op) { return who_text(op.actor) + " asked to " + to_do(op.kind); }

std::string who_text(std::string_view actor) {
  constexpr std::string_view system = "system:";
  if (actor.empty()) return "an unknown user";
  if (!actor.starts_with(system)) return std::string(actor);
  return "zedops itself (" + std::string(actor.substr(system.size())) + ")";
}

std::string ago(time_point then, time_point now) { return format_age(now - then) + " ago"; }

}  // namespace zedops::core::detail
