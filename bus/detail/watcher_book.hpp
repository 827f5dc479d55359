// How much each watcher of events watches. ZeroMQ keeps all topics in one tree, one node per byte, and walks the whole
// tree whenever a watcher leaves: without a bound, one peer takes gigabytes, and blocks all others for a second when it
// leaves.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace zedops::bus::detail {

// A connection: descriptors are reused, the kernel's cookies for sockets are not.
struct connection {
  int fd = -1;
  uint64_t cookie = 0;
  friend auto operator<=>(const connection&, const connection&) = default;
};

struct watcher_limits {
  size_t topics_max;  // of one watcher
  size_t bytes_max;   // of all topics of all watchers
};

class watcher_book {
 public:
  explicit watcher_book(watcher_limits limits) : limits_(limits) {}

  enum class entry : uint8_t { added, known, beyond };  // beyond: more than it may have; nothing was noted
  // `alive(connection)` is called only when room is short: a watcher that left is not reported.
  template <class Alive>
  entry subscribe(const connection& who, std::string_view topic, Alive&& alive, const std::string& key = {}) {
    if (!key.empty()) keys_[who] = key;
    auto& topics = watchers_[who];
    if (topics.contains(topic)) return entry::known;
    if (topics.size() >= limits_.topics_max) return entry::beyond;
    const size_t bytes = cost_of(topic);
    if (bytes_ + bytes > limits_.bytes_max || watchers_.size() > 2 * swept_) sweep(who, alive);
    if (bytes_ + bytes > limits_.bytes_max) return entry::beyond;
    topics.emplace(topic);
    bytes_ += bytes;
    return entry::added;
  }

  // False: it had no such topic.
  bool unsubscribe(const connection& who, std::string_view topic) {
    const auto w = watchers_.find(who);
    if (w == watchers_.end()) return false;
    const auto t = w->second.find(topic);
    if (t == w->second.end()) return false;
    bytes_ -= cost_of(topic);
    w->second.erase(t);
    if (w->second.empty()) keys_.erase(who);
    return true;
  }

  // Watchers that connected with a key, and what each watches.
  size_t with_keys() const { return keys_.size(); }
  template <class F>
  void each_with_key(F&& f) const {
    for (const auto& [who, key] : keys_)
      if (const auto w = watchers_.find(who); w != watchers_.end()) f(who, key, w->second);
  }
  size_t bytes() const { return bytes_; }
  size_t watchers() const { return watchers_.size(); }

 private:
  using table = std::map<connection, std::set<std::string, std::less<>>>;

  static size_t cost_of(std::string_view topic) { return topic.size() + 1; }  // the empty topic is one, too
  table::iterator drop(table::iterator w) {
    for (const auto& t : w->second) bytes_ -= cost_of(t);
    keys_.erase(w->first);
    return watchers_.erase(w);
  }
  template <class Alive>
  void sweep(const connection& asking, Alive&& alive) {
    for (auto w = watchers_.begin(); w != watchers_.end();)
      w = w->first == asking || alive(w->first) ? std::next(w) : drop(w);
    swept_ = std::max<size_t>(watchers_.size(), swept_min);
  }

  static constexpr size_t swept_min = 64;
  watcher_limits limits_;
  table watchers_;
  std::map<connection, std::string> keys_;
  size_t bytes_ = 0;
  size_t swept_ = swept_min;  // watchers after the last sweep: another when they have doubled
};

}  // namespace zedops::bus::detail
