#include "tests/unit/core/support/cluster.hpp"

#include <algorithm>

#include "actors/core/overload.hpp"
#include "actors/core/plan/claims.hpp"
#include "tests/unit/core/support/templates.hpp"

namespace zedops::core::testing {

namespace {
constexpr size_t servers_max = 12;  // alive at once
const server_template& games() {
  static const auto t = builtin_template("project-zomboid");
  return t;
}
}  // namespace

cluster::cluster(uint64_t seed, int hosts) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {
  for (int i = 0; i < hosts; ++i) {
    host h;
    h.id = {"agent" + std::to_string(i)};
    hosts_.emplace(h.id.value, std::move(h));
  }
}

uint64_t cluster::roll(uint64_t sides) {  // splitmix64
  uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return (z ^ (z >> 31)) % sides;
}

cluster::host& cluster::some_host() {
  auto i = hosts_.begin();
  std::advance(i, static_cast<long>(roll(hosts_.size())));
  return i->second;
}
server* cluster::some_server() {
  if (servers_.empty()) return nullptr;
  auto i = servers_.begin();
  std::advance(i, static_cast<long>(roll(servers_.size())));
  return &i->second;
}

context cluster::now_for(const host& h) const {
  context cx;
  cx.now = now_;
  cx.agent_online = h.online;
  return cx;
}

// What the server's actor and the journal do: decide, commit, fold, and only then execute the effects.
void cluster::give(const std::string& id, const input& in) {
  auto i = servers_.find(id);
  const auto* made = std::get_if<created>(&in);
  static const server blank_record;
  const server& known = i == servers_.end() ? blank_record : i->second;
  const auto cx = now_for(hosts_.at(made ? made->record.agent.value : known.agent.value));
  const auto d = decide(known, in, cx);
  ++decisions_;
  // Most observations confirm what is known. Checking each of these too would cost more than everything else.
  if (d.facts.empty() && d.effects.empty() && decisions_ % 16 != 0) return;
  const auto before = known;
  auto after = before;
  if (!d.facts.empty()) {
    const auto entry = entry_of(before, d, now_, seq_ + 1);
    seq_ += entry.facts.size();
    apply(after, entry);
  }
  if (auto rule = broken_rule({before, in, cx, d, after})) broken(*rule + ": " + text_of(before, in));
  if (auto rule = broken_life_rule(after)) broken(*rule + ": " + text_of(before, in));
  for (const auto& f : d.facts) {
    if (const auto* a = std::get_if<operation_accepted>(&f); a && ++accepted_[a->op->id.value] > 1)
      broken("accepted twice: " + a->op->id.value);
    if (const auto* e = std::get_if<operation_ended>(&f);
        e && (++ended_[e->id.value] > 1 || !accepted_.contains(e->id.value)))
      broken("ended twice, or never accepted: " + e->id.value);
  }
  if (after.id.empty()) return;
  const auto tree = after.agent.value + "/" + after.name;
  removable_.erase(tree);
  if (after.op && after.op->remove_data) removable_.insert(tree);
  for (const auto& claim : claims_of(after)) {
    if (after.status == server_status::purged) claims_.erase(claim);
    else if (auto [c, fresh] = claims_.emplace(claim, id); !fresh && c->second != id)
      broken(claim + " was given twice");
  }
  if (after.status == server_status::purged) {
    ++purged_;
    if (hosts_.at(after.agent.value).bodies.contains(id)) broken("a purged server has a container: " + id);
    servers_.erase(id);
  } else {
    servers_[id] = after;
  }
  for (const auto& e : d.effects) carry_out(after, e);
}

void cluster::carry_out(const server& s, const effect& e) {
  auto& h = host_of(s);
  if (!h.online) return;  // dropped: what is still due is sent on its return
  if (const auto* w = std::get_if<withdraw_command>(&e))
    for (auto& o : h.queue) o.withdrawn = o.withdrawn || o.what.op == w->op;
  const auto* c = std::get_if<send_command>(&e);
  if (!c) return;
  if (accepted_[c->op.value] == 0) broken("a command left before its operation was durable");
  if (auto done = h.done.find(c->op.value); done != h.done.end() && done->second.attempt == c->attempt)
    return h.reports.emplace_back(s.id, done->second), void();
  for (auto& o : h.queue) {
    if (o.server == s.id && o.what.op != c->op) o.withdrawn = true;
    if (o.what.op == c->op && o.what.attempt == c->attempt) return;  // its report is still to come
  }
  h.queue.push_back({s.id, *c, now_});
}

void cluster::create() {
  if (servers_.size() >= servers_max) return;
  auto& h = some_host();
  const auto name = "srv" + std::to_string(roll(servers_max));
  auto ports =
      choose_ports(games(), {}, [&](protocol p, uint16_t n) { return claims_.contains(port_claim(h.id, p, n)); });
  if (!ports) return;
  auto s = new_record();
  s.id = {"s" + std::to_string(++ids_)};
  s.name = name;
  s.agent = h.id;
  s.ports = *ports;
  s.recovery = one_in(2) ? recovery_policy::automatic : recovery_policy::manual;
  for (const auto& claim : claims_of(s))
    if (claims_.contains(claim)) return;  // the journal refuses
  if (!h.online) return;
  give(s.id.value, created{s, {{"o" + std::to_string(++ids_)}, "ann", {}, 1}, one_in(4) ? "f0re1gn" : ""});
}

void cluster::request(server& s) {
  const request_info who{{"o" + std::to_string(++ids_)}, "ann", {}, ids_};
  const bool keep = one_in(2);
  server_request what;
  switch (roll(10)) {
    case 0: what = start_server{"", one_in(3)}; break;
    case 1: what = stop_server{}; break;
    case 2: what = restart_server{}; break;
    case 3: what = rebuild_server{}; break;
    case 4: what = recreate_server{"", one_in(3)}; break;
    case 5: what = remove_server{}; break;
    case 6: what = restore_server{"", one_in(3)}; break;
    case 7: what = purge_server{"", true, keep, !keep}; break;
    case 8: what = move_server{"", s.data_path == "/mnt/one" ? "/mnt/two" : "/mnt/one"}; break;
    default:
      if (s.op) return give(s.id.value, cancel_requested{s.op->id, "ann"});
      what = edit_server{};
  }
  give(s.id.value, requested{std::move(what), who});
}

void cluster::sweep() {
  std::vector<std::string> due;
  for (const auto& [id, s] : servers_)
    if (next_due(s) <= now_) due.push_back(id);
  for (const auto& id : due)
    if (servers_.contains(id)) give(id, tick{});
}

std::optional<std::string> cluster::step() {
  ++steps_;
  auto& h = some_host();
  switch (roll(20)) {
    case 0: create(); break;
    case 1:
    case 2:
    case 3:
      if (auto* s = some_server()) request(*s);
      break;
    case 4:
    case 5:
    case 6: execute(h); break;
    case 7:
    case 8:
    case 9: deliver(h); break;
    case 10: link(h, !h.online); break;
    case 11: link(h, true); break;
    case 12: look_at_all(h); break;
    case 13:
      if (one_in(3)) by_hand(h);
      break;
    case 14: h.engine = !one_in(3); break;
    case 15: h.mounted = !one_in(3); break;
    case 16:  // restored at the last moment, or a moment too late
      if (auto* s = some_server(); s && s->status == server_status::deleted && !s->op) {
        const auto id = s->id.value;
        now_ = std::max(now_, s->purge_at - (one_in(2) ? 1ms : 0ms));
        if (one_in(2)) sweep();
        if (servers_.contains(id)) {
          const bool open = servers_.at(id).op.has_value();
          give(id, requested{restore_server{"", true}, {{"o" + std::to_string(++ids_)}, "ann", {}, ids_}});
          if (!open && servers_.contains(id) && servers_.at(id).deleted_at != never)
            broken("a restore was lost: " + id);
          ++last_second_;
        }
        sweep();
      }
      break;
    case 17: now_ -= one_in(8) ? 1h : 0h; break;
    default: {
      constexpr std::array<duration, 6> pauses = {0s, 1s, 30s, 3min, 20min, 25h};
      now_ += pauses[roll(pauses.size())];
      sweep();
    }
  }
  return broken_;
}

std::optional<std::string> cluster::rest() {
  for (auto& [id, h] : hosts_) h.engine = h.mounted = true;
  for (int round = 0; round < 60 && !broken_; ++round) {
    for (auto& [id, h] : hosts_) {
      link(h, true);
      while (!h.queue.empty()) execute(h);
      while (!h.reports.empty()) deliver(h);
      look_at_all(h);
    }
    now_ += 1min;
    sweep();
  }
  for (const auto& [id, s] : servers_) {
    const auto& h = host_of(s);
    auto b = h.bodies.find(id);
    const bool alive = b != h.bodies.end() && b->second.alive;
    if (s.op) broken(id + " has an open operation: " + std::string(name_of(s.op->kind)) + " " + s.op->step);
    if (s.status == server_status::running && !alive) broken(id + " is said to run");
    if (s.status == server_status::stopped && (b == h.bodies.end() || alive)) broken(id + " is said to be stopped");
    if (s.status == server_status::missing && b != h.bodies.end()) broken(id + " is said to be missing");
    if (s.status == server_status::deleted && b != h.bodies.end()) broken(id + " is deleted and has a container");
  }
  for (const auto& [op, n] : accepted_)
    if (!ended_.contains(op)) broken("operation " + op + " never ended");
  return broken_;
}

}  // namespace zedops::core::testing
