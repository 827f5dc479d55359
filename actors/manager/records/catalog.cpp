#include "actors/manager/records/catalog.hpp"

#include <algorithm>
#include <mutex>

#include "actors/core/plan/claims.hpp"
#include "messages/base/names.hpp"
#include "messages/records/condition.hpp"

namespace zedops::manager {

using namespace msg;
using read_lock = std::shared_lock<std::shared_mutex>;
using write_lock = std::unique_lock<std::shared_mutex>;

catalog::catalog(std::vector<std::unique_ptr<any_records>> more)
    : more_(std::move(more)), kinds_{&servers_, &agents_, &projects_, &services_} {
  for (auto& m : more_) kinds_.push_back(m.get());
}

any_records* catalog::kind_at(const std::string& id) {
  for (auto* k : kinds_)
    if (!id.empty() && k->of().letter == id.front()) return k;
  return nullptr;
}
const any_records* catalog::kind_at(const std::string& id) const { return const_cast<catalog*>(this)->kind_at(id); }

void catalog::put(const std::vector<rt::any_record>& many) {
  write_lock lock(mutex_);
  for (const auto& r : many)
    for (auto* k : kinds_)
      if (&k->of() == &r.of()) k->put(r);
  ++revision_;
}
void catalog::put(const rt::any_record& r) { put(std::vector{r}); }

void catalog::drop_gone(const std::vector<std::string>& ids) {
  write_lock lock(mutex_);
  for (const auto& id : ids)
    if (auto* k = kind_at(id)) k->drop_gone(id);
  ++revision_;
}

rt::any_record catalog::find(const std::string& id) const {
  read_lock lock(mutex_);
  const auto* k = kind_at(id);
  return k ? k->find(id) : rt::any_record{};
}

rt::any_record catalog::claim_owner(const std::string& claim) const {
  read_lock lock(mutex_);
  for (const auto* k : kinds_)
    if (auto owner = k->claim_owner(claim)) return owner;
  return {};
}

rt::any_record catalog::operation_owner(const operation_id& op) const {
  read_lock lock(mutex_);
  for (const auto* k : kinds_)
    if (auto owner = k->operation_owner(op.value)) return owner;
  return {};
}

std::optional<operation> catalog::open_operation(const operation_id& op) const {
  const auto owner = operation_owner(op);
  const auto* open = owner ? owner.operation(op) : nullptr;
  return open ? std::optional(*open) : std::nullopt;
}

std::vector<rt::any_record> catalog::open_operations() const {
  read_lock lock(mutex_);
  std::vector<rt::any_record> out;
  for (const auto* k : kinds_) k->open_operations(out);
  return out;
}

std::vector<std::string> catalog::due(time_point now, size_t limit, retention ended) const {
  read_lock lock(mutex_);
  std::vector<std::string> out;
  const auto there = [&](const agent_id& id) {
    if (ended == retention::waits) return false;
    const auto a = live_agent(id);
    return a && is_connected(a->status);
  };
  for (const auto* k : kinds_) k->due(now, limit, there, out);
  return out;
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
  put(server_ptr(std::make_shared<const msg::server>(std::move(s))));
}

server_ptr catalog::server(const server_id& id) const {
  read_lock lock(mutex_);
  return servers_.at(id);
}

agent_ptr catalog::live_agent(const agent_id& id) const {
  auto a = agents_.at(id);
  return a && a->status != agent_status::revoked ? a : nullptr;
}

agent_ptr catalog::agent(const agent_id& id) const {
  read_lock lock(mutex_);
  return live_agent(id);
}

agent_ptr catalog::agent_named(const std::string& name) const {
  read_lock lock(mutex_);
  const auto* r = agents_.named(name);
  return r ? r->second : nullptr;
}

agent_ptr catalog::agent_ever(const agent_id& id) const {
  read_lock lock(mutex_);
  return agents_.at(id);
}

bool catalog::agent_online(const agent_id& id) const {
  auto a = agent(id);
  return a && is_connected(a->status);
}

result<agent_ptr> catalog::resolve_agent(std::string_view text) const {
  read_lock lock(mutex_);
  if (auto a = live_agent({std::string(text)})) return a;
  if (const auto* r = agents_.named(std::string(text))) return r->second;
  std::vector<std::string> names;
  for (const auto& [id, a] : agents_.all())
    if (a->status != agent_status::revoked) names.push_back(a->name);
  auto hint = did_you_mean(text, names);
  return fail(ec::not_found, "there is no agent '" + std::string(text.substr(0, 64)) + "'",
              hint.empty() ? "zedctl agent ls" : hint);
}

result<server_ptr> catalog::resolve_unpurged(std::string_view text) const {
  auto s = resolve(text);
  if (s && (*s)->status == server_status::purged)
    return fail(ec::not_found, "the server '" + std::string(text.substr(0, 80)) + "' was purged",
                "zedctl server ls --all");
  return s;
}

result<server_ptr> catalog::resolve(std::string_view text) const {
  constexpr size_t prefix_bytes_min = 4;
  if (text.empty()) return fail(ec::bad_request, "no server was given", "give a name or an id");
  if (auto slash = text.find('/'); slash != std::string_view::npos) {
    auto a = resolve_agent(text.substr(0, slash));
    if (!a) return fail(a.error());
    if (auto s = claim_owner(core::name_claim((*a)->id, text.substr(slash + 1))).as<msg::server>()) return s;
    return fail(ec::not_found, "there is no server '" + std::string(text.substr(0, 80)) + "'",
                "zedctl server ls --all");
  }
  read_lock lock(mutex_);
  if (auto s = servers_.at({std::string(text)})) return s;
  const auto& rows = servers_.all();
  const auto& names = servers_.names();
  server_ptr found;
  for (auto i = names.lower_bound(text); i != names.end() && (*i)->second->name == text; ++i) {
    if (!live_agent((*i)->second->agent)) continue;
    if (found)
      return fail(ec::bad_request, "more than one agent has a server '" + std::string(text) + "'",
                  "write agent/name, e.g. " + live_agent(found->agent)->name + "/" + std::string(text));
    found = (*i)->second;
  }
  if (found) return found;
  if (text.size() < prefix_bytes_min) {
    // Never a match, however few there are: with the next server it could mean another one.
    std::string some;
    auto i = rows.lower_bound(server_id{std::string(text)});
    for (int n = 0; n < 3 && i != rows.end() && i->first.value.starts_with(text); ++n, ++i)
      some += (n ? ", " : "") + i->first.value + " (" + i->second->name + ")";
    if (!some.empty())
      return fail(ec::bad_request, "'" + std::string(text) + "' is too short for a prefix of an id: " + some,
                  "write at least " + std::to_string(prefix_bytes_min) + " characters, or the name");
  }
  if (text.size() >= prefix_bytes_min) {
    auto i = rows.lower_bound(server_id{std::string(text)});
    if (i != rows.end() && i->first.value.starts_with(text)) {
      auto next = std::next(i);
      if (next == rows.end() || !next->first.value.starts_with(text)) return i->second;
      return fail(ec::bad_request, "more than one server id begins with '" + std::string(text) + "'",
                  "write more of it");
    }
  }
  return fail(ec::not_found, "there is no server '" + std::string(text.substr(0, 64)) + "'", "zedctl server ls --all");
}

server_ptr catalog::adopter_of(const std::string& container) const {
  for (const auto& r : open_operations())
    if (r.open()->original == container) return r.as<msg::server>();
  return nullptr;
}

std::vector<server_ptr> catalog::servers_of(const agent_id& id) const {
  read_lock lock(mutex_);
  std::vector<server_ptr> out;
  const auto* rows = servers_.of_agent(id);
  if (!rows) return out;
  out.reserve(rows->size());
  for (const auto* r : *rows) out.push_back(r->second);
  return out;
}

std::vector<agent_ptr> catalog::agents() const {
  read_lock lock(mutex_);
  std::vector<agent_ptr> out;
  for (const auto& [id, a] : agents_.all())
    if (a->status != agent_status::revoked) out.push_back(a);
  return out;
}

std::vector<server_ptr> catalog::page(const std::string& after, size_t limit,
                                      const std::function<bool(const msg::server&)>& wanted) const {
  read_lock lock(mutex_);
  std::vector<server_ptr> out;
  const auto& rows = servers_.all();
  for (auto i = after.empty() ? rows.begin() : rows.upper_bound(server_id{after});
       i != rows.end() && out.size() < limit; ++i)
    if (i->second->status != server_status::purged && wanted(*i->second)) out.push_back(i->second);
  return out;
}

std::vector<server_id> catalog::all_ids() const {
  read_lock lock(mutex_);
  std::vector<server_id> out;
  out.reserve(servers_.all().size());
  for (const auto& [id, s] : servers_.all())
    if (s->status != server_status::purged) out.push_back(id);
  return out;
}

catalog::counts catalog::count() const {
  read_lock lock(mutex_);
  counts c;
  const auto& by_status = servers_.by_status();
  for (size_t i = 0; i < by_status.size(); ++i) {
    const auto status = static_cast<server_status>(i);
    if (by_status[i] == 0 || status == server_status::purged) continue;
    c.by_status[status] = by_status[i];
    c.servers += by_status[i];
  }
  for (const auto* k : kinds_) c.open_operations += k->open_count();
  return c;
}

void catalog::touch(const agent_id& id, const liveliness& l) {
  write_lock lock(mutex_);
  auto& known = touched_[id];
  if (known.last_sync != l.last_sync) ++revision_;
  known = l;
}

catalog::liveliness catalog::touched(const agent_id& id) const {
  read_lock lock(mutex_);
  auto i = touched_.find(id);
  return i == touched_.end() ? liveliness{} : i->second;
}

catalog::agent_counts catalog::count(const agent_id& id) const {
  read_lock lock(mutex_);
  agent_counts c;
  const auto* rows = servers_.of_agent(id);
  if (!rows) return c;
  for (const auto* r : *rows) {
    const auto& s = *r->second;
    ++c.servers;
    if (s.status == server_status::running) ++c.running;
  }
  return c;
}

}  // namespace zedops::manager
