// What services are looked up by, beside what all kinds are.
#pragma once
#include "actors/core/deploy/service_machine.hpp"
#include "actors/manager/records/records_of.hpp"

namespace zedops::manager {

class service_records final : public records_of<msg::service> {
 public:
  struct by_id {
    bool operator()(const row* a, const row* b) const { return a->first < b->first; }
  };
  using rows = std::set<const row*, by_id>;

  // In the order of ids, not removed; null: none.
  const rows* of_project(const msg::project_id& id) const { return found(by_project_, id); }
  const rows* of_agent(const msg::agent_id& id) const { return found(by_agent_, id); }

 private:
  template <class Key>
  static const rows* found(const std::map<Key, rows>& in, const Key& id) {
    auto i = in.find(id);
    return i == in.end() ? nullptr : &i->second;
  }
  template <class Key>
  static void take_out(std::map<Key, rows>& in, const Key& id, const row& r) {
    auto i = in.find(id);
    if (i == in.end()) return;
    i->second.erase(&r);
    if (i->second.empty()) in.erase(i);
  }
  void index_more(const row& r, bool live) override {
    if (!live) return;
    by_project_[r.second->project].insert(&r);
    by_agent_[r.second->agent].insert(&r);
  }
  void unindex_more(const row& r, bool live) override {
    if (!live) return;
    take_out(by_project_, r.second->project, r);
    take_out(by_agent_, r.second->agent, r);
  }
  bool same_more(const msg::service& a, const msg::service& b) const override {
    return a.project == b.project && a.agent == b.agent;
  }

  std::map<msg::project_id, rows> by_project_;
  std::map<msg::agent_id, rows> by_agent_;
};

}  // namespace zedops::manager
