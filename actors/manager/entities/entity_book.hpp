// The running actors of entities. The registry alone writes it, when it starts one and when one is down; the gateway
// looks up which actor to ask, which saves each request the way through the registry.
#pragma once
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "actors/runtime/interfaces.hpp"

namespace zedops::manager {

class entity_book {
 public:
  void put(const std::string& id, rt::entity_actor a) {
    std::unique_lock lock(mutex_);
    alive_[id] = std::move(a);
  }
  void erase(const std::string& id) {
    std::unique_lock lock(mutex_);
    alive_.erase(id);
  }
  // Takes them all out: handles must not outlive the actor system.
  std::unordered_map<std::string, rt::entity_actor> take() {
    std::unique_lock lock(mutex_);
    return std::exchange(alive_, {});
  }

  std::optional<rt::entity_actor> find(const std::string& id) const {
    std::shared_lock lock(mutex_);
    auto i = alive_.find(id);
    return i == alive_.end() ? std::nullopt : std::optional(i->second);
  }
  size_t size() const {
    std::shared_lock lock(mutex_);
    return alive_.size();
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, rt::entity_actor> alive_;
};

}  // namespace zedops::manager
