// The records of one kind of entity in memory, with their indexes: which holds a claim, which has an operation, what is
// due. Behind the catalog's lock.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/manager/records/claim_index.hpp"
#include "actors/runtime/entity.hpp"

namespace zedops::manager {

// What the catalog needs of each kind, whatever its records are.
class any_records {
 public:
  using due_list = std::vector<std::string>;  // ids
  virtual ~any_records() = default;
  virtual const rt::kind& of() const = 0;
  virtual void put(const rt::any_record& r) = 0;
  virtual rt::any_record find(const std::string& id) const = 0;  // also one that is gone
  virtual void drop_gone(const std::string& id) = 0;             // nothing refers to it any more
  virtual rt::any_record claim_owner(const std::string& claim) const = 0;
  virtual rt::any_record operation_owner(const std::string& op) const = 0;
  virtual void open_operations(std::vector<rt::any_record>& out) const = 0;
  virtual size_t open_count() const = 0;
  // Those whose deadline has passed; of those that need an agent for it, only those for whose agent `there` is true.
  virtual void due(msg::time_point now, size_t limit, const std::function<bool(const msg::agent_id&)>& there,
                   due_list& out) const = 0;
};

template <core::entity_record R>
class records_of : public any_records {
 public:
  using record_ptr = std::shared_ptr<const R>;
  using key = decltype(R::id);
  using table = std::map<key, record_ptr>;
  using row = typename table::value_type;  // stays in its place while its record changes: indexes point at it
  using traits = core::entity<R>;

  const rt::kind& of() const override { return rt::kind_of<R>; }
  const table& all() const { return rows_; }

  void put(record_ptr r) {
    // At start-up they arrive in order.
    const bool last = rows_.empty() || std::prev(rows_.end())->first < r->id;
    auto i = last ? rows_.end() : rows_.lower_bound(r->id);
    if (i == rows_.end() || i->first != r->id) {
      const auto id = r->id;
      index(*rows_.emplace_hint(i, id, std::move(r)));
      return;
    }
    const bool same = same_keys(*i->second, *r);
    if (!same) unindex(*i);
    i->second = std::move(r);
    if (!same) index(*i);
  }
  record_ptr at(const key& id) const {
    auto i = rows_.find(id);
    return i == rows_.end() ? nullptr : i->second;
  }

  void put(const rt::any_record& r) override { put(r.as<R>()); }
  rt::any_record find(const std::string& id) const override { return wrap(at({id})); }
  void drop_gone(const std::string& id) override {
    auto i = rows_.find({id});
    if (i == rows_.end() || !traits::gone(*i->second)) return;
    unindex(*i);
    rows_.erase(i);
  }
  record_ptr holder(const std::string& claim) const {
    const auto* found = claims_.find(hash_of(claim), [&](const row& r) {
      bool held = false;
      traits::each_claim(*r.second, [&](std::string_view one) { held = held || one == claim; });
      return held;
    });
    return found ? found->second : nullptr;
  }
  rt::any_record claim_owner(const std::string& claim) const override { return wrap(holder(claim)); }
  rt::any_record operation_owner(const std::string& op) const override {
    auto i = operations_.find(op);
    return i == operations_.end() ? nullptr : wrap(i->second->second);
  }
  void open_operations(std::vector<rt::any_record>& out) const override {
    for (const auto& [op, r] : operations_)
      if (traits::open(*r->second)->id.value == op) out.push_back(wrap(r->second));
  }
  size_t open_count() const override { return operations_.size(); }
  void due(msg::time_point now, size_t limit, const std::function<bool(const msg::agent_id&)>& there,
           due_list& out) const override {
    for (const auto& [agent, all] : due_) {
      if (!agent.empty() && !there(agent)) continue;
      for (auto i = all.begin(); i != all.end() && i->first <= now && out.size() < limit; ++i)
        out.push_back(i->second.value);
    }
  }

 protected:
  // For further indexes; `live` ones are not gone.
  virtual void index_more(const row&, bool) {}
  virtual void unindex_more(const row&, bool) {}
  virtual bool same_more(const R&, const R&) const { return true; }

 private:
  static size_t hash_of(std::string_view claim) { return std::hash<std::string_view>{}(claim); }
  static rt::any_record wrap(record_ptr r) { return r ? rt::any_record(std::move(r)) : rt::any_record{}; }

  bool same_keys(const R& a, const R& b) const {
    const auto same = [](const msg::operation* x, const msg::operation* y) {
      return (x != nullptr) == (y != nullptr) && (!x || x->id == y->id);
    };
    return same(traits::open(a), traits::open(b)) && same(core::waiting_of(a), core::waiting_of(b)) &&
           traits::due(a) == traits::due(b) && traits::due_with(a) == traits::due_with(b) && !traits::gone(a) &&
           !traits::gone(b) && traits::same_claims(a, b) && same_more(a, b);
  }
  void index(const row& r) {
    const bool live = !traits::gone(*r.second);
    index_more(r, live);
    if (!live) return;
    traits::each_claim(*r.second, [&](std::string_view claim) { claims_.insert(hash_of(claim), &r); });
    for (const auto* op : {traits::open(*r.second), core::waiting_of(*r.second)})
      if (op) operations_[op->id.value] = &r;
    if (auto due = traits::due(*r.second); due != msg::never) due_[traits::due_with(*r.second)].emplace(due, r.first);
  }
  void unindex(const row& r) {
    const bool live = !traits::gone(*r.second);
    unindex_more(r, live);
    if (!live) return;
    traits::each_claim(*r.second, [&](std::string_view claim) { claims_.erase(hash_of(claim), &r); });
    for (const auto* op : {traits::open(*r.second), core::waiting_of(*r.second)})
      if (op) operations_.erase(op->id.value);
    if (auto due = traits::due(*r.second); due != msg::never)
      if (auto i = due_.find(traits::due_with(*r.second)); i != due_.end()) {
        i->second.erase({due, r.first});
        if (i->second.empty()) due_.erase(i);
      }
  }

  table rows_;
  claim_index<row> claims_;
  std::unordered_map<std::string, const row*> operations_;
  // What only an agent can do is due when the agent is connected: however much of it waits, nothing else waits for it.
  std::map<msg::agent_id, std::set<std::pair<msg::time_point, key>>> due_;
};

}  // namespace zedops::manager
