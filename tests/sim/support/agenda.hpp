// Virtual time and the events planned in it. Two events planned for the same moment happen in the order of planning.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "messages/base/time.hpp"

namespace zedops::sim {

using msg::duration;

class agenda {
 public:
  duration now() const { return now_; }
  void at(duration when, std::function<void()> what) {
    plans_.emplace(std::pair{std::max(when, now_), ++count_}, std::move(what));
  }
  void in(duration wait, std::function<void()> what) { at(now_ + wait, std::move(what)); }

  std::optional<duration> next() const {
    return plans_.empty() ? std::nullopt : std::optional(plans_.begin()->first.first);
  }
  void move_to(duration t) { now_ = t; }
  // Runs the first event that is due. False: none is.
  bool do_one() {
    if (plans_.empty() || plans_.begin()->first.first > now_) return false;
    auto what = std::move(plans_.begin()->second);
    plans_.erase(plans_.begin());
    what();
    return true;
  }

 private:
  duration now_{0};
  uint64_t count_ = 0;
  std::map<std::pair<duration, uint64_t>, std::function<void()>> plans_;
};

}  // namespace zedops::sim
