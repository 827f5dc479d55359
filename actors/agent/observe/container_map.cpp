#include "actors/agent/observe/container_map.hpp"

#include <algorithm>
#include <set>

namespace zedops::agent {

using namespace msg;

void container_map::replace_servers(std::vector<known_server> servers) {
  servers_.clear();
  by_recorded_id_.clear();
  by_name_.clear();
  for (auto& s : servers) watch(std::move(s));
}

void container_map::watch(known_server server) {
  forget(server.id);
  if (!server.container_id.empty()) by_recorded_id_[server.container_id] = server.id;
  if (!server.container_name.empty()) by_name_[server.container_name] = server.id;
  auto id = server.id;
  servers_[std::move(id)] = std::move(server);
}

void container_map::forget(const server_id& id) {
  auto i = servers_.find(id);
  if (i == servers_.end()) return;
  auto drop_index = [&](auto& index, const std::string& key) {
    if (auto k = index.find(key); k != index.end() && k->second == id) index.erase(k);
  };
  drop_index(by_recorded_id_, i->second.container_id);
  drop_index(by_name_, i->second.container_name);
  servers_.erase(i);
}

void container_map::bind(const server_id& id, const std::string& container_id) {
  auto i = servers_.find(id);
  if (i == servers_.end() || i->second.container_id == container_id) return;
  auto server = i->second;
  server.container_id = container_id;
  watch(std::move(server));
}

const known_server* container_map::server(const server_id& id) const {
  auto i = servers_.find(id);
  return i == servers_.end() ? nullptr : &i->second;
}

bool container_map::put(container_view seen, ticket t) {
  auto& e = containers_[seen.id];
  if (e.seen > t) return false;
  e.seen = t;
  if (seen.state == container_state::removing && e.view) {
    seen.state = e.view->state;
    seen.health = e.view->health;
  }
  if (e.view)
    if (auto owner = value_of(e.view->labels, label::server); !owner.empty())
      by_label_[server_id{std::string(owner)}].erase(seen.id);
  if (auto owner = value_of(seen.labels, label::server); !owner.empty() && is_ours(seen.labels, manager_))
    by_label_[server_id{std::string(owner)}][seen.id] = true;
  e.view = std::move(seen);
  return true;
}

bool container_map::drop(const std::string& container_id, ticket t) {
  auto i = containers_.find(container_id);
  if (i == containers_.end()) {
    containers_[container_id] = {std::nullopt, t};
    forget_old_graves();
    return false;
  }
  auto& e = i->second;
  if (e.seen > t) return false;
  e.seen = t;
  if (!e.view) return false;
  if (auto owner = value_of(e.view->labels, label::server); !owner.empty()) {
    server_id server{std::string(owner)};
    if (auto l = by_label_.find(server); l != by_label_.end()) {
      l->second.erase(container_id);
      if (l->second.empty()) by_label_.erase(l);
    }
  }
  e.view.reset();
  forget_old_graves();
  return true;
}

// An answer that was on its way when its container vanished arrives soon or never; a thousand removals later it is
// never.
void container_map::forget_old_graves() {
  if (containers_.size() <= graves_max) return;
  size_t graves = 0;
  for (const auto& [id, e] : containers_) graves += e.view ? 0 : 1;
  if (graves <= graves_max) return;
  const auto horizon = ticket_ > graves_max / 2 ? ticket_ - graves_max / 2 : 0;
  std::erase_if(containers_, [&](const auto& kv) { return !kv.second.view && kv.second.seen < horizon; });
}

void container_map::keep_only(const std::vector<std::string>& ids, ticket t) {
  const std::set<std::string_view> listed(ids.begin(), ids.end());
  std::vector<std::string> gone;
  for (const auto& [id, e] : containers_)
    if (e.view && e.seen < t && !listed.contains(id)) gone.push_back(id);
  for (const auto& id : gone) drop(id, t);
}

const container_view* container_map::container(const std::string& id) const {
  auto i = containers_.find(id);
  return i == containers_.end() || !i->second.view ? nullptr : &*i->second.view;
}

std::optional<server_id> container_map::server_of(const container_view& c) const {
  if (auto i = by_recorded_id_.find(c.id); i != by_recorded_id_.end()) return i->second;
  if (!is_ours(c.labels, manager_)) return std::nullopt;
  if (auto owner = value_of(c.labels, label::server); !owner.empty()) return server_id{std::string(owner)};
  if (auto i = by_name_.find(c.name); i != by_name_.end()) return i->second;
  return std::nullopt;
}

container_map::claims container_map::claims_for(const known_server& s) const {
  claims out;
  auto add = [&](const std::string& id) {
    const auto* c = container(id);
    if (!c) return;
    auto& list = believable(*c, s.container_id, s.container_name) ? out.good : out.inherited;
    if (std::find(list.begin(), list.end(), c) == list.end()) list.push_back(c);
  };
  if (!s.container_id.empty()) add(s.container_id);
  if (auto l = by_label_.find(s.id); l != by_label_.end())
    for (const auto& [id, unused] : l->second) {
      auto recorded = by_recorded_id_.find(id);  // labelled for this server, but recorded as another's
      if (recorded == by_recorded_id_.end() || recorded->second == s.id) add(id);
    }
  if (out.good.empty())  // by name: rare, so the walk over all containers does not matter
    for (const auto& [id, e] : containers_)
      if (e.view && e.view->name == s.container_name && server_of(*e.view) == s.id) add(id);
  return out;
}

// Lower is better. A recorded one that a replacement has set aside counts less than a successor that is alive.
int container_map::rank(const container_view& c, const known_server& s) const {
  const bool recorded = c.id == s.container_id;
  const bool aside = is_set_aside(c.name);
  if (recorded && !aside) return 0;
  const bool named = c.name == s.container_name;
  const bool alive = c.state == container_state::running || c.state == container_state::paused ||
                     c.state == container_state::restarting;
  if (named && alive) return 1;
  if (recorded) return 2;
  return 3 + (named ? 0 : 4) + (aside ? 2 : 0) + (alive ? 0 : 1);
}

std::string container_map::drift_of(const container_view& c, const known_server& s) const {
  std::string out;
  auto say = [&](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  if (!s.container_name.empty() && c.name != s.container_name) say("renamed to " + c.name);
  if (value_of(c.labels, label::server) != s.id.value) {
    auto other = value_of(c.labels, label::server);
    say(other.empty() ? "lost its label " + std::string(label::server) : "labelled for server " + std::string(other));
  }
  if (!is_ours(c.labels, manager_)) {
    auto other = value_of(c.labels, label::manager);
    say(other.empty() || other == manager_ ? "lost its label " + std::string(label::managed)
                                           : "labelled for manager " + std::string(other));
  }
  return out;
}

observation container_map::observe(const server_id& id) const {
  observation o;
  o.server = id;
  auto known = server(id);
  known_server stranger;
  if (!known) {
    stranger.id = id;
    known = &stranger;
  }
  auto [all, inherited] = claims_for(*known);
  for (const auto* c : inherited) o.rivals.push_back(c->id);
  if (all.empty()) {
    o.container = presence::absent;
    return o;
  }
  std::sort(all.begin(), all.end(), [&](const container_view* a, const container_view* b) {
    const int ra = rank(*a, *known), rb = rank(*b, *known);
    return ra != rb ? ra < rb : a->id < b->id;
  });
  o.container = presence::present;
  o.view = *all.front();
  for (size_t i = 1; i < all.size(); ++i) o.rivals.push_back(all[i]->id);
  if (known != &stranger) o.drift = drift_of(o.view, *known);
  return o;
}

std::vector<container_view> container_map::unclaimed() const {
  std::vector<container_view> out;
  for (const auto& [id, e] : containers_) {
    if (!e.view || !is_ours(e.view->labels, manager_)) continue;
    if (!value_of(e.view->labels, label::project).empty()) continue;  // a project's server
    if (!value_of(e.view->labels, label::service).empty()) continue;  // a service's container
    if (!value_of(e.view->labels, label::build).empty()) continue;    // a builder
    auto owner = server_of(*e.view);
    if (!owner || !servers_.contains(*owner)) out.push_back(*e.view);
  }
  return out;
}

}  // namespace zedops::agent
