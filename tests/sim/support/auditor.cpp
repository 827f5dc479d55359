#include "tests/sim/support/auditor.hpp"

#include <algorithm>
#include <cstdint>

#include "actors/core/agent/agent_machine.hpp"
#include "actors/core/plan/claims.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::sim {

using namespace msg;

void auditor::say(std::string what) {
  constexpr size_t broken_max = 20;
  if (enabled && broken_.size() < broken_max) broken_.push_back(std::move(what));
}

void auditor::read_log(const manager::catalog* records) {
  auto r = db_.begin_read();
  if (!r) return;  // the store is down
  std::set<std::string> servers, agents;
  (void)(*r)->scan(
      store::table::log, manager::log_key(m_.last_seq + 1), store::direction::forward,
      [&](std::string_view key, std::string_view value) {
        auto e = unpack<log_entry>(value);
        if (!e) {
          say("a log entry cannot be read: " + e.error().message);
          return false;
        }
        if (manager::log_number(key) != e->first_seq) say("a log entry lies under another number");
        fold(*e);
        if (!is_audit(*e)) (m_.agents.contains({e->entity}) ? agents : servers).insert(e->entity);
        return true;
      },
      [&](const store::corrupt_record&) {});
  for (const auto& id : servers) judge_server(**r, id, records);
  for (const auto& id : agents) judge_agent(**r, id);
}

// A refusal that no server's actor made: it belongs to no entity's chain.
bool auditor::is_audit(const log_entry& e) const {
  if (e.prev != 0) return false;
  for (const auto& n : e.facts)
    if (!std::holds_alternative<operation_refused>(n.what)) return false;
  return true;
}

void auditor::fold(const log_entry& e) {
  if (e.first_seq != m_.last_seq + 1)
    say("events are not gapless: " + std::to_string(m_.last_seq) + " is followed by " + std::to_string(e.first_seq));
  if (e.facts.empty()) say("a log entry without facts");
  for (const auto& n : e.facts) {
    auto& seq = m_.subjects[n.subject];
    if (n.subject_seq != seq + 1)
      say("numbers of " + n.subject + " are not consecutive: " + std::to_string(seq) + " then " +
          std::to_string(n.subject_seq) + " (" + std::string(type_of(n.what)) + ")");
    seq = n.subject_seq;
    if (const auto* x = std::get_if<operation_accepted>(&n.what)) {
      if (m_.accepted.contains(x->op->id)) say("operation " + x->op->id.value + " was accepted twice");
      m_.accepted[x->op->id] = *x->op;
    }
    if (const auto* x = std::get_if<operation_ended>(&n.what)) {
      if (!m_.ended.insert(x->id).second) say("operation " + x->id.value + " ended twice");
      // An agent's refusal to obey is no end: it refused one life of the manager, not the work.
      if (x->failure && x->failure->code == ec::not_leader)
        say("operation " + x->id.value + " ended by a refusal of its agent: " + x->failure->message);
      if (!m_.accepted.contains(x->id)) say("operation " + x->id.value + " ended and was never accepted");
    }
  }
  m_.last_seq = e.first_seq + e.facts.size() - 1;
  const bool of_agent = !e.facts.empty() && e.facts.front().subject.starts_with("agent.");
  if (of_agent) {
    auto& a = m_.agents[{e.entity}];
    if (e.prev != a.log_head) say("the chain of agent " + e.entity + " is broken");
    core::apply(a, e);
  } else if (!is_audit(e)) {
    auto& s = m_.servers[{e.entity}];
    if (e.prev != s.log_head) say("the chain of server " + e.entity + " is broken");
    for (const auto& n : e.facts) {
      const auto* end = std::get_if<operation_ended>(&n.what);
      if (std::holds_alternative<operation_accepted>(n.what)) m_.given_up.erase({e.entity});
      if (end && end->failure && s.op && s.op->remove_data) m_.given_up.insert({e.entity});
    }
    const bool was_purged = s.status == server_status::purged;
    const bool had_op = s.op.has_value();
    core::apply(s, e);
    if (was_purged && s.status != server_status::purged) say("purged server " + e.entity + " came back");
    if (had_op && s.op)
      for (const auto& n : e.facts)
        if (std::holds_alternative<operation_accepted>(n.what) &&
            !std::any_of(e.facts.begin(), e.facts.end(),
                         [](const auto& x) { return std::holds_alternative<operation_ended>(x.what); }))
          say("server " + e.entity + " has two open operations");
    judge_claims(s);
  }
  m_.log.push_back(e);
}

void auditor::judge_claims(const server& s) {
  if (s.id.empty()) return;
  for (const auto& key : core::claims_of(s)) {
    auto i = m_.claims.find(key);
    if (s.status == server_status::purged) {
      if (i != m_.claims.end() && i->second == s.id) m_.claims.erase(i);
    } else if (i == m_.claims.end()) {
      m_.claims[key] = s.id;
    } else if (i->second != s.id) {
      say(key + " belongs to " + i->second.value + " and was given to " + s.id.value);
    }
  }
}

void auditor::judge_server(const store::reader& r, const std::string& id, const manager::catalog* records) {
  const auto& s = m_.servers[{id}];
  if (s.id.empty()) return;  // refused before the server existed
  auto stored = r.get(store::table::servers, id);
  if (!stored || !*stored) return say("server " + id + " has facts and no snapshot");
  if (**stored != pack(s)) say("the snapshot of server " + id + " is not the sum of its facts");
  if (records) {
    if (auto now = records->server({id}); !now || !(*now == s))
      say("the catalog does not know server " + id + " as it is");
    else judge_timer(s, *records);
  }
  if (s.op && core::next_due(s) == never) say("operation " + s.op->id.value + " has no deadline");
  if (s.status == server_status::creating && !s.op) say("server " + id + " is creating without an operation");
  if (s.status == server_status::purged && s.op) say("purged server " + id + " has an open operation");
  if (s.status == server_status::deleted && core::next_due(s) == never)
    say("deleted server " + id + " will never be purged");
}

// The sweeper looks at the index, not at the records.
void auditor::judge_timer(const server& s, const manager::catalog& records) {
  const auto due = core::next_due(s);
  if (due == never) return;
  if (!s.op && s.status == server_status::deleted && !records.agent_online(s.agent)) return;  // due with its agent
  const auto all = records.due(due, SIZE_MAX);
  if (std::find(all.begin(), all.end(), s.id.value) == all.end())
    say("the deadline of server " + s.id.value + " is not armed");
}

void auditor::judge_agent(const store::reader& r, const std::string& id) {
  auto stored = r.get(store::table::agents, id);
  if (!stored || !*stored) return say("agent " + id + " has facts and no snapshot");
  if (**stored != pack(m_.agents[{id}])) say("the snapshot of agent " + id + " is not the sum of its facts");
}

void auditor::on_command(const run_command& c) {
  read_log(nullptr);
  if (!m_.accepted.contains(c.op)) say("command " + c.op.value + " left before its operation was durable");
  if (c.term < m_.highest_term) say("a command carries an old term");
  m_.highest_term = std::max(m_.highest_term, c.term);
}

// A host goes on with its commands, also when the manager that sent them was undone by a restore.
void auditor::go_back(memory to) {
  for (const auto& [id, s] : m_.servers)
    if (s.op && s.op->remove_data) ordered_.insert({s.agent, s.name});
  m_ = std::move(to);
}

void auditor::on_data_removed(const host& h, const std::string& server_name) {
  read_log(nullptr);
  for (const auto& [id, s] : m_.servers)
    if (s.agent == h.agent && s.name == server_name && ((s.op && s.op->remove_data) || m_.given_up.contains(id)))
      return;
  if (ordered_.contains({h.agent, server_name})) return;
  say("the data of " + server_name + " was removed and no open operation wanted it");
}

void auditor::look_at(host& h, const std::string& manager_id) {
  std::map<std::string, int> alive;
  for (const auto& [id, c] : h.containers) {
    if (c.manager() != manager_id) continue;
    if (c.alive()) ++alive[c.server()];
    auto s = m_.servers.find({c.server()});
    // A server that was given up with its host has no rules any more.
    const auto owner = s != m_.servers.end() ? m_.agents.find(s->second.agent) : m_.agents.end();
    const bool given_up = owner != m_.agents.end() && owner->second.status == agent_status::revoked;
    if (s != m_.servers.end() && s->second.status == server_status::purged && !given_up)
      say("purged server " + s->second.name + " has a container: " + c.view.name);
  }
  for (const auto& [server, n] : alive)
    if (n > 1) say("server " + server + " has " + std::to_string(n) + " running containers");
}

// A client that was told of an operation may rely on it: it was durable before the answer.
void auditor::judge_answers() {
  for (; answers_seen_ < clients_.answers.size(); ++answers_seen_) {
    const auto& [request, body] = clients_.answers[answers_seen_];
    const auto& r = clients_.requests.at(request);
    if (!r.verb.starts_with("server.") || r.dry_run) continue;
    const auto told = unpack_map<operation_reply>(body);
    if (!told || told->operation.id.empty()) continue;  // the answer to a read
    if (!m_.accepted.contains(told->operation.id))
      say("request " + request + " was told of " + told->operation.id.value + ", which is not in the log");
    else m_.acknowledged.insert(told->operation.id);
  }
}

uint64_t auditor::lost() const {
  return static_cast<uint64_t>(std::count_if(m_.acknowledged.begin(), m_.acknowledged.end(),
                                             [&](const auto& id) { return !m_.ended.contains(id); }));
}

void auditor::look_at_promises() {
  read_log(nullptr);
  judge_answers();
  for (const auto& id : m_.acknowledged)
    if (!m_.ended.contains(id)) say("operation " + id.value + " was acknowledged and never ended");
}

void auditor::look_at_doors() {
  judge_answers();
  for (; doubles_seen_ < clients_.doubles.size(); ++doubles_seen_)
    say("request " + clients_.doubles[doubles_seen_] + " was answered again after its end");
  for (; events_seen_ < events_.items.size(); ++events_seen_) {
    const auto seq = events_.items[events_seen_].seq;
    if (next_event_ != 0 && seq != next_event_)
      say("published " + std::to_string(seq) + " where " + std::to_string(next_event_) + " was next");
    if (seq > m_.last_seq) say("event " + std::to_string(seq) + " was published before it was durable");
    next_event_ = seq + 1;
  }
}

}  // namespace zedops::sim
