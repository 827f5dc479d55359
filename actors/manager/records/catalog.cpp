#include "actors/manager/records/catalog.hpp"

#include <algorithm>
#include <mutex>

#include "actors/core/plan/claims.hpp"
#include "messages/condition.hpp"
#include "messages/names.hpp"

namespace zedops::manager {

using namespace msg;
using read_lock = std::shared_lock<std::shared_mutex>;
using write_lock = std::unique_lock<std::shared_mutex>;

namespace {
size_t slot(server_status s) { return static_cast<size_t>(s); }
bool live(const msg::server& s) { return s.status != server_status::purged; }
size_t hash_of(std::string_view claim) { return std::hash<std::string_view>{}(claim); }

template <class Rows, class Row>
auto place_of(Rows& rows, const Row& r) {
  if (rows.empty() || rows.back()->first < r.first) return rows.end();
  return std::lower_bound(rows.begin(), rows.end(), &r, [](auto* a, auto* b) { return a->first < b->first; });
}
bool due_with_agent(const msg::server& s) {
  return !s.op && s.status == server_status::deleted && !in_restart_series(s);
}
}  // namespace

void catalog::index(const row& r) {
  const auto& s = *r.second;
  ++by_status_[slot(s.status)];
  if (!live(s)) {
    names_.erase(&r);
    return;
  }
  auto& of_agent = by_agent_[s.agent];
  of_agent.insert(place_of(of_agent, r), &r);
  core::each_claim(s, [&](std::string_view claim) { claims_.insert(hash_of(claim), &r); });
  names_.insert(&r);
  if (s.op) operations_[s.op->id.value] = s.id;
  if (auto due = core::next_due(s); due != never) dues_of(s).emplace(due, s.id);
}

void catalog::unindex(const row& r) {
  const auto& s = *r.second;
  --by_status_[slot(s.status)];
  if (!live(s)) return;
  auto& of_agent = by_agent_[s.agent];
  if (auto i = place_of(of_agent, r); i != of_agent.end() && *i == &r) of_agent.erase(i);
  core::each_claim(s, [&](std::string_view claim) { claims_.erase(hash_of(claim), &r); });
  if (s.op) operations_.erase(s.op->id.value);
  if (auto due = core::next_due(s); due != never) dues_of(s).erase({due, s.id});
}

const catalog::row* catalog::holder_of(const std::string& claim) const {
  return claims_.find(hash_of(claim), [&](const row& r) {
    bool held = false;
    core::each_claim(*r.second, [&](std::string_view one) { held = held || one == claim; });
    return held;
  });
}

void catalog::drop_purged(const std::vector<server_id>& ids) {
  write_lock lock(mutex_);
  for (const auto& id : ids) {
    auto i = servers_.find(id);
    if (i == servers_.end() || live(*i->second)) continue;
    unindex(*i);
    servers_.erase(i);
  }
}

void catalog::put(server_ptr s) {
  write_lock lock(mutex_);
  put_locked(std::move(s));
}

void catalog::put(const std::vector<server_ptr>& many) {
  write_lock lock(mutex_);
  for (const auto& s : many) put_locked(s);
}

void catalog::put_locked(server_ptr s) {
  // A start-up brings them in order.
  const bool last = servers_.empty() || std::prev(servers_.end())->first < s->id;
  auto i = last ? servers_.end() : servers_.lower_bound(s->id);
  if (i == servers_.end() || i->first != s->id) {
    const auto& id = s->id;
    index(*servers_.emplace_hint(i, id, std::move(s)));
    return;
  }
  const auto& old = *i->second;
  const bool same_keys = old.status == s->status && old.op.has_value() == s->op.has_value() &&
                         (!s->op || old.op->id == s->op->id) && core::next_due(old) == core::next_due(*s) &&
                         due_with_agent(old) == due_with_agent(*s) && live(old) && old.ports == s->ports &&
                         old.name == s->name && old.agent == s->agent;
  if (!same_keys) unindex(*i);
  i->second = std::move(s);
  if (!same_keys) index(*i);
}

void catalog::put(agent_ptr a) {
  write_lock lock(mutex_);
  const bool gone = a->status == agent_status::revoked;
  if (!gone) agent_names_[a->name] = a->id;
  else if (auto i = agent_names_.find(a->name); i != agent_names_.end() && i->second == a->id) agent_names_.erase(i);
  (gone ? agents_ : former_).erase(a->id);
  auto& place = (gone ? former_ : agents_)[a->id];
  place = std::move(a);
}

void catalog::put_damaged(const std::string& id, const std::string& reason) {
  msg::server s;
  s.id.value = id;
  s.name = id;
  s.status = server_status::failed;
  s.last_error = error{ec::internal,
                       "the stored record of this server is damaged: " + reason,
                       "restore a backup of the store: zedctl store restore",
                       {}};
  put(std::make_shared<const msg::server>(std::move(s)));
}

server_ptr catalog::server(const server_id& id) const {
  read_lock lock(mutex_);
  auto i = servers_.find(id);
  return i == servers_.end() ? nullptr : i->second;
}

agent_ptr catalog::agent(const agent_id& id) const {
  read_lock lock(mutex_);
  auto i = agents_.find(id);
  return i == agents_.end() ? nullptr : i->second;
}

agent_ptr catalog::agent_named(const std::string& name) const {
  read_lock lock(mutex_);
  auto i = agent_names_.find(name);
  return i == agent_names_.end() ? nullptr : agents_.at(i->second);
}

agent_ptr catalog::agent_ever(const agent_id& id) const {
  if (auto a = agent(id)) return a;
  read_lock lock(mutex_);
  auto i = former_.find(id);
  return i == former_.end() ? nullptr : i->second;
}

bool catalog::agent_online(const agent_id& id) const {
  auto a = agent(id);
  return a && is_connected(a->status);
}

result<agent_ptr> catalog::resolve_agent(std::string_view text) const {
  read_lock lock(mutex_);
  if (auto i = agents_.find(agent_id{std::string(text)}); i != agents_.end()) return i->second;
  if (auto i = agent_names_.find(std::string(text)); i != agent_names_.end()) return agents_.at(i->second);
  std::vector<std::string> names;
  for (const auto& [id, a] : agents_) names.push_back(a->name);
  auto hint = did_you_mean(text, names);
  return fail(ec::not_found, "there is no agent '" + std::string(text.substr(0, 64)) + "'",
              hint.empty() ? "zedctl agent ls" : hint);
}

result<server_ptr> catalog::resolve(std::string_view text) const {
  constexpr size_t prefix_bytes_min = 4;
  if (text.empty()) return fail(ec::bad_request, "no server was named", "give a name or an id");
  if (auto slash = text.find('/'); slash != std::string_view::npos) {
    auto a = resolve_agent(text.substr(0, slash));
    if (!a) return fail(a.error());
    if (auto s = claim_owner(core::name_claim((*a)->id, text.substr(slash + 1)))) return s;
    return fail(ec::not_found, "there is no server '" + std::string(text.substr(0, 80)) + "'",
                "zedctl server ls --all");
  }
  read_lock lock(mutex_);
  if (auto i = servers_.find(server_id{std::string(text)}); i != servers_.end()) return i->second;
  server_ptr found;
  for (auto i = names_.lower_bound(text); i != names_.end() && (*i)->second->name == text; ++i) {
    if (!agents_.contains((*i)->second->agent)) continue;
    if (found)
      return fail(ec::bad_request, "more than one agent has a server '" + std::string(text) + "'",
                  "write agent/name, e.g. " + agents_.at(found->agent)->name + "/" + std::string(text));
    found = (*i)->second;
  }
  if (found) return found;
  if (text.size() < prefix_bytes_min) {
    // Never one of them, however few there are: with the next server it would mean another.
    std::string some;
    auto i = servers_.lower_bound(server_id{std::string(text)});
    for (int n = 0; n < 3 && i != servers_.end() && i->first.value.starts_with(text); ++n, ++i)
      some += (n ? ", " : "") + i->first.value + " (" + i->second->name + ")";
    if (!some.empty())
      return fail(ec::bad_request, "'" + std::string(text) + "' is too short for the beginning of an id: " + some,
                  "write " + std::to_string(prefix_bytes_min) + " characters at least, or the name");
  }
  if (text.size() >= prefix_bytes_min) {
    auto i = servers_.lower_bound(server_id{std::string(text)});
    if (i != servers_.end() && i->first.value.starts_with(text)) {
      auto next = std::next(i);
      if (next == servers_.end() || !next->first.value.starts_with(text)) return i->second;
      return fail(ec::bad_request, "more than one server id begins with '" + std::string(text) + "'",
                  "write more of it");
    }
  }
  return fail(ec::not_found, "there is no server '" + std::string(text.substr(0, 64)) + "'", "zedctl server ls --all");
}

server_ptr catalog::claim_owner(const std::string& claim) const {
  read_lock lock(mutex_);
  const auto* holder = holder_of(claim);
  return holder ? holder->second : nullptr;
}

server_ptr catalog::operation_owner(const operation_id& op) const {
  read_lock lock(mutex_);
  auto i = operations_.find(op.value);
  return i == operations_.end() ? nullptr : servers_.find(i->second)->second;
}

server_ptr catalog::adopter_of(const std::string& container) const {
  read_lock lock(mutex_);
  for (const auto& [op, id] : operations_)
    if (const auto& s = servers_.find(id)->second; s->op && s->op->original == container) return s;
  return nullptr;
}

std::vector<server_ptr> catalog::servers_of(const agent_id& id) const {
  read_lock lock(mutex_);
  std::vector<server_ptr> out;
  auto i = by_agent_.find(id);
  if (i == by_agent_.end()) return out;
  out.reserve(i->second.size());
  for (const auto* r : i->second) out.push_back(r->second);
  return out;
}

std::vector<agent_ptr> catalog::agents() const {
  read_lock lock(mutex_);
  std::vector<agent_ptr> out;
  for (const auto& [id, a] : agents_) out.push_back(a);
  return out;
}

std::vector<server_ptr> catalog::page(const std::string& after, size_t limit,
                                      const std::function<bool(const msg::server&)>& wanted) const {
  read_lock lock(mutex_);
  std::vector<server_ptr> out;
  for (auto i = after.empty() ? servers_.begin() : servers_.upper_bound(server_id{after});
       i != servers_.end() && out.size() < limit; ++i)
    if (live(*i->second) && wanted(*i->second)) out.push_back(i->second);
  return out;
}

std::vector<server_id> catalog::all_ids() const {
  read_lock lock(mutex_);
  std::vector<server_id> out;
  out.reserve(servers_.size());
  for (const auto& [id, s] : servers_)
    if (live(*s)) out.push_back(id);
  return out;
}

std::vector<server_ptr> catalog::open_operations() const {
  read_lock lock(mutex_);
  std::vector<server_ptr> out;
  for (const auto& [op, id] : operations_) out.push_back(servers_.find(id)->second);
  return out;
}

// What only its agent can do is due when the agent is there: however much of it waits, nobody else waits behind it.
catalog::dues& catalog::dues_of(const msg::server& s) { return due_with_agent(s) ? due_with_agent_[s.agent] : due_; }

std::vector<server_id> catalog::due(time_point now, size_t limit, retention ended) const {
  read_lock lock(mutex_);
  std::vector<server_id> out;
  const auto take = [&](const dues& all) {
    for (auto i = all.begin(); i != all.end() && i->first <= now && out.size() < limit; ++i) out.push_back(i->second);
  };
  take(due_);
  if (ended == retention::waits) return out;
  for (const auto& [id, all] : due_with_agent_)
    if (auto a = agents_.find(id); a != agents_.end() && is_connected(a->second->status)) take(all);
  return out;
}

catalog::counts catalog::count() const {
  read_lock lock(mutex_);
  counts c;
  for (size_t i = 0; i < by_status_.size(); ++i) {
    const auto status = static_cast<server_status>(i);
    if (by_status_[i] == 0 || status == server_status::purged) continue;
    c.by_status[status] = by_status_[i];
    c.servers += by_status_[i];
  }
  c.open_operations = operations_.size();
  return c;
}

void catalog::touch(const agent_id& id, const liveliness& l) {
  write_lock lock(mutex_);
  touched_[id] = l;
}

catalog::liveliness catalog::touched(const agent_id& id) const {
  read_lock lock(mutex_);
  auto i = touched_.find(id);
  return i == touched_.end() ? liveliness{} : i->second;
}

catalog::agent_counts catalog::count(const agent_id& id) const {
  read_lock lock(mutex_);
  agent_counts c;
  auto i = by_agent_.find(id);
  if (i == by_agent_.end()) return c;
  for (const auto* r : i->second) {
    const auto& s = *r->second;
    ++c.servers;
    if (s.status == server_status::running) ++c.running;
  }
  return c;
}

}  // namespace zedops::manager
