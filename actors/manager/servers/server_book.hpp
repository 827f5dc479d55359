// The actors of servers that are alive. The registry alone writes it, when it starts one and when one is down; the
// gateway looks up whom to ask, which saves each request the way through the registry.
#pragma once
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "actors/runtime/interfaces.hpp"

namespace zedops::manager {

class server_book {
 public:
  void put(const msg::server_id& id, rt::server_actor a) {
    std::unique_lock lock(mutex_);
    alive_[id.value] = std::move(a);
  }
  void erase(const msg::server_id& id) {
    std::unique_lock lock(mutex_);
    alive_.erase(id.value);
  }
  // Takes them all out: handles must not outlive the actor system.
  std::unordered_map<std::string, rt::server_actor> take() {
    std::unique_lock lock(mutex_);
    return std::exchange(alive_, {});
  }

  std::optional<rt::server_actor> find(const msg::server_id& id) const {
    std::shared_lock lock(mutex_);
    auto i = alive_.find(id.value);
    return i == alive_.end() ? std::nullopt : std::optional(i->second);
  }
  size_t size() const {
    std::shared_lock lock(mutex_);
    return alive_.size();
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, rt::server_actor> alive_;
};

}  // namespace zedops::manager
