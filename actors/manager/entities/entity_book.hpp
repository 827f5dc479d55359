// The running actors of entities. The registry alone writes it, when it starts one and when one is down or may rest;
// the gateway looks up which actor to ask, which saves each request the way through the registry.
#pragma once
#include <atomic>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "actors/runtime/interfaces.hpp"

namespace zedops::manager {

class entity_book {
 public:
  using actors = std::unordered_map<std::string, rt::entity_actor>;

  void put(const std::string& id, rt::entity_actor a) {
    std::unique_lock lock(mutex_);
    auto& e = alive_[id];
    e.actor = std::move(a);
    e.used = true;
  }
  void erase(const std::string& id) {
    std::unique_lock lock(mutex_);
    alive_.erase(id);
  }
  // Takes them all out: handles must not outlive the actor system.
  actors take() {
    std::unique_lock lock(mutex_);
    return taken([](const entry&) { return true; });
  }
  // Takes out those that nobody has looked up since the last call.
  actors take_unused() {
    std::unique_lock lock(mutex_);
    return taken([](entry& e) { return !e.used.exchange(false); });
  }

  std::optional<rt::entity_actor> find(const std::string& id) const {
    std::shared_lock lock(mutex_);
    auto i = alive_.find(id);
    if (i == alive_.end()) return std::nullopt;
    i->second.used = true;
    return i->second.actor;
  }
  size_t size() const {
    std::shared_lock lock(mutex_);
    return alive_.size();
  }

 private:
  struct entry {
    rt::entity_actor actor;
    mutable std::atomic<bool> used{true};
  };
  template <class F>
  actors taken(F wanted) {
    actors out;
    for (auto i = alive_.begin(); i != alive_.end();) {
      if (!wanted(i->second)) {
        ++i;
        continue;
      }
      out.emplace(i->first, std::move(i->second.actor));
      i = alive_.erase(i);
    }
    return out;
  }

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, entry> alive_;
};

}  // namespace zedops::manager
