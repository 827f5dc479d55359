// What led a server to where it is, one line per thing that happened.
#include <algorithm>
#include <map>

#include "actors/core/explain/explain.hpp"
#include "messages/api/operations.hpp"
#include "messages/base/names.hpp"
#include "messages/records/incident_text.hpp"

namespace zedops::core::detail {

using namespace msg;

namespace {

std::string short_id(const std::string& id) { return id.substr(0, 12); }

std::string words(std::string_view step) {
  std::string out(step);
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

// The Engine was only looked at: worth a line when it went wrong.
bool only_a_look(const engine_call& c) {
  for (std::string_view begin : {"list ", "inspect ", "look at ", "read the log"})
    if (c.call.starts_with(begin)) return true;
  return false;
}

std::string call_text(const engine_call& c) {
  auto out = c.call;
  if (c.status != 0) out += ": HTTP " + std::to_string(c.status);
  out += (c.status != 0 ? ", " : ": ") + format_duration(c.took);
  return c.problem.empty() ? out : out + ", " + c.problem;
}

std::string seen_text(const server_observed& f) {
  if (!f.data_problem.empty()) return "its data could not be looked at: " + f.data_problem;
  if (f.stale) return "could not be looked at";
  std::string out = f.container ? "container " + std::string(name_of(*f.container)) : "no container";
  if (f.container && (*f.container == container_state::exited || *f.container == container_state::dead))
    out += " with exit code " + std::to_string(f.exit_code);
  if (f.restarts > 0) out += ", restarted " + std::to_string(f.restarts) + " times by the Engine";
  if (f.health != health_state::none) out += ", " + std::string(name_of(f.health));
  return out + ", data " + std::string(name_of(f.data));
}

// Sizes change all the time and explain nothing.
bool same_sight(const server_observed& a, const server_observed& b) {
  return a.container == b.container && a.health == b.health && a.exit_code == b.exit_code && a.restarts == b.restarts &&
         a.data == b.data && a.stale == b.stale && a.data_problem == b.data_problem;
}

std::string seer(const log_entry& e) {
  switch (e.why.kind) {
    case cause_kind::container_event: return "container event " + event_name(e);
    case cause_kind::report: return "report of its agent";
    case cause_kind::sync:
    case cause_kind::link:
    case cause_kind::timer:
    case cause_kind::recovery:
    case cause_kind::request: break;
  }
  return e.why.ref == "data" ? "look at its data" : "comparison with its host";
}

// What the entries have about one operation, gathered.
struct work {
  operation op;
  std::vector<std::string> steps;
  uint32_t attempts = 1;
};

class story {
 public:
  explicit story(const explain_input& in) : in_(in) {
    for (const auto& e : in_.entries)
      for (const auto& n : e.facts) gather(n.what);
  }

  std::vector<explain_line> tell() {
    for (const auto& e : in_.entries) {
      const auto* ended = fact_in<operation_ended>(e);
      const bool answers = answers_a_sight(e);
      if (!answers) desire(e);
      deeds_of_agent(e);
      const auto* bound = fact_in<container_bound>(e);
      if (bound && !bound->container_id.empty()) container_ = bound->container_id;
      if (bound && container_.empty()) container_ = bound->previous;
      if (ended) calls(*ended);
      else event(e);
      transitions(e);
      if (answers) desire(e);
      if (ended) end(e, *ended);
    }
    if (lines_.size() > explain_lines_max)
      lines_.erase(lines_.begin(), lines_.end() - static_cast<std::ptrdiff_t>(explain_lines_max));
    for (auto& l : lines_)
      if (l.times > 1) l.line.text += " (" + std::to_string(l.times) + " times)";
    std::vector<explain_line> out;
    out.reserve(lines_.size());
    for (auto& l : lines_) out.push_back(std::move(l.line));
    return out;
  }

 private:
  struct counted_line {
    explain_line line;
    uint32_t times = 1;
  };

  void gather(const fact& f) {
    if (const auto* a = std::get_if<operation_accepted>(&f)) work_[a->op->id] = {a->op, {}, 1};
    const auto* p = std::get_if<operation_progressed>(&f);
    if (!p) return;
    auto i = work_.find(p->id);
    if (i == work_.end()) return;  // it began before these entries
    auto& w = i->second;
    w.attempts = std::max(w.attempts, p->attempt);
    const bool news = std::find(w.steps.begin(), w.steps.end(), p->step) == w.steps.end();
    if (news && p->step != "sent" && w.steps.size() < explain_steps_max) w.steps.push_back(p->step);
  }

  // The same thing over and over is one line, with the time of the last.
  void say(time_point at, explain_kind kind, std::string text, std::string ref = {}) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    if (!lines_.empty() && lines_.back().line.kind == kind && lines_.back().line.text == text) {
      lines_.back().line.at = shown(at);
      ++lines_.back().times;
      return;
    }
    lines_.push_back({{shown(at), kind, std::move(text), std::move(ref)}, 1});
  }

  void desire(const log_entry& e) {
    const auto* made = fact_in<server_created>(e);
    const auto* accepted = fact_in<operation_accepted>(e);
    const auto* wanted = fact_in<desired_changed>(e);
    if (const auto* r = fact_in<operation_refused>(e))
      say(e.time, explain_kind::desire,
          asked_for(*r->op) + "; refused" + (r->op->failure ? ": " + r->op->failure->message : ""), r->op->id.value);
    if (!accepted) {
      if (wanted)
        say(e.time, explain_kind::desire, "desired from now on: " + std::string(name_of(wanted->to)), e.why.ref);
      return;
    }
    auto text = asked_for(*accepted->op);
    if (made)
      text += " from template " + made->record->template_name + " with image " + made->record->image + ":" +
              made->record->image_tag;
    if (const auto* x = fact_in<server_edited>(e); x && x->pending_rebuild)
      text += "; applied by the next rebuild or recreate";
    if (wanted) text += "; desired from now on: " + std::string(name_of(wanted->to));
    say(e.time, explain_kind::desire, std::move(text), accepted->op->id.value);
    command(e, *accepted->op);
  }

  void command(const log_entry& e, const operation& op) {
    if (fact_in<operation_ended>(e)) return;  // nothing was left to be done
    const auto& w = work_.at(op.id);
    std::string text{row_of(op.kind).word()};
    text += op.step == step_waiting ? " kept for agent " + agent_name(in_) + ", which is away"
                                    : " given to agent " + agent_name(in_);
    std::string steps;
    for (const auto& s : w.steps) steps += (steps.empty() ? "" : ", ") + words(s);
    if (!steps.empty()) text += ": " + steps;
    if (w.attempts > 1) text += " (" + std::to_string(w.attempts) + " attempts)";
    say(e.time, explain_kind::command, std::move(text), op.id.value);
  }

  void deeds_of_agent(const log_entry& e) {
    for (const auto& n : e.facts)
      if (const auto* a = std::get_if<agent_acted>(&n.what))
        say(a->what.at, explain_kind::agent, incident_text(a->what), short_id(a->what.container_id));
  }

  void calls(const operation_ended& x) {
    for (const auto& c : x.calls)
      if (!only_a_look(c) || !c.problem.empty()) say(c.at, explain_kind::engine_call, call_text(c), x.id.value);
  }

  void event(const log_entry& e) {
    if (const auto* f = fact_in<server_observed>(e)) {
      const bool news = !sight_ || !same_sight(*sight_, *f);
      sight_ = *f;
      if (news) say(e.time, explain_kind::event, seer(e) + ": " + seen_text(*f), short_id(container_));
    }
    if (const auto* f = fact_in<drift_changed>(e))
      say(e.time, explain_kind::event,
          f->drift.empty() ? "changes from outside are gone" : "changed from outside: " + f->drift);
    if (const auto* f = fact_in<error_changed>(e); f && f->failure && !fact_in<agent_acted>(e))
      say(e.time, explain_kind::event, f->failure->message);
  }

  void transitions(const log_entry& e) {
    for (const auto& n : e.facts) {
      if (const auto* t = std::get_if<status_changed>(&n.what))
        say(e.time, explain_kind::transition,
            std::string(name_of(t->from)) + " → " + std::string(name_of(t->to)) +
                (t->reason.empty() ? "" : ": " + t->reason));
      if (const auto* p = std::get_if<server_purged>(&n.what))
        say(e.time, explain_kind::transition,
            p->data_removed        ? "purged with its data"
            : p->kept_path.empty() ? "purged"
                                   : "purged; its data stays in " + p->kept_path);
    }
  }

  void end(const log_entry& e, const operation_ended& x) {
    if (const auto* f = fact_in<server_observed>(e)) sight_ = *f;
    auto i = work_.find(x.id);
    const bool known = i != work_.end();
    if (known && fact_in<operation_accepted>(e) && !x.failure && x.note.empty()) return;  // its desire said all
    std::string text = (known ? std::string(row_of(i->second.op.kind).word()) : "operation " + x.id.value) + " " +
                       std::string(name_of(x.status));
    if (known && x.ended_at > i->second.op.started_at)
      text += " after " + format_age(x.ended_at - i->second.op.started_at);
    if (x.failure) text += ": " + x.failure->message;
    else if (!x.note.empty()) text += ": " + x.note;
    say(e.time, explain_kind::command, std::move(text), x.id.value);
  }

  const explain_input& in_;
  std::map<operation_id, work> work_;
  std::optional<server_observed> sight_;  // the last one
  std::string container_;                 // that it was of
  std::vector<counted_line> lines_;
};

}  // namespace

std::vector<explain_line> past_lines(const explain_input& in) { return story(in).tell(); }

}  // namespace zedops::core::detail
