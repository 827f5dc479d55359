// The indexes of servers and agents, beside those of all kinds.
#pragma once
#include <array>
#include <tuple>

#include "actors/core/agent/agent_machine.hpp"
#include "actors/core/server/server_machine.hpp"
#include "actors/manager/records/records_of.hpp"

namespace zedops::manager {

class server_records final : public records_of<msg::server> {
 public:
  struct by_name {  // then by id; a server keeps its name in all versions of its record
    using is_transparent = void;
    bool operator()(const row* a, const row* b) const {
      return std::tie(a->second->name, a->first) < std::tie(b->second->name, b->first);
    }
    bool operator()(const row* a, std::string_view name) const { return a->second->name < name; }
    bool operator()(std::string_view name, const row* b) const { return name < b->second->name; }
  };
  using statuses = std::array<uint64_t, msg::enum_names<msg::server_status>::list.size()>;

  const std::set<const row*, by_name>& names() const { return names_; }  // of those that are not purged
  const statuses& by_status() const { return by_status_; }
  // In the order of ids, not purged; null: none.
  const std::vector<const row*>* of_agent(const msg::agent_id& id) const {
    auto i = by_agent_.find(id);
    return i == by_agent_.end() ? nullptr : &i->second;
  }

 private:
  static auto place_of(std::vector<const row*>& rows, const row& r) {
    if (rows.empty() || rows.back()->first < r.first) return rows.end();
    return std::lower_bound(rows.begin(), rows.end(), &r, [](auto* a, auto* b) { return a->first < b->first; });
  }
  void index_more(const row& r, bool live) override {
    ++by_status_[static_cast<size_t>(r.second->status)];
    if (!live) {
      names_.erase(&r);
      return;
    }
    auto& of_agent = by_agent_[r.second->agent];
    of_agent.insert(place_of(of_agent, r), &r);
    names_.insert(&r);
  }
  void unindex_more(const row& r, bool live) override {
    --by_status_[static_cast<size_t>(r.second->status)];
    if (!live) return;
    auto& of_agent = by_agent_[r.second->agent];
    if (auto i = place_of(of_agent, r); i != of_agent.end() && *i == &r) of_agent.erase(i);
  }
  bool same_more(const msg::server& a, const msg::server& b) const override { return a.status == b.status; }

  std::map<msg::agent_id, std::vector<const row*>> by_agent_;
  std::set<const row*, by_name> names_;
  statuses by_status_{};
};

class agent_records final : public records_of<msg::agent> {
 public:
  // By name, of those that are not removed; null: none.
  const row* named(const std::string& name) const {
    auto i = names_.find(name);
    return i == names_.end() ? nullptr : i->second;
  }

 private:
  void index_more(const row& r, bool live) override {
    if (live) names_[r.second->name] = &r;
  }
  void unindex_more(const row& r, bool) override {
    if (auto i = names_.find(r.second->name); i != names_.end() && i->second == &r) names_.erase(i);
  }
  bool same_more(const msg::agent& a, const msg::agent& b) const override { return a.name == b.name; }

  std::unordered_map<std::string, const row*> names_;
};

}  // namespace zedops::manager
