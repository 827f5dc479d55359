// Who holds a claim, by the claim's hash: a hundred thousand servers hold some hundred thousand names and ports, so an
// entry is two words in one flat table (linear probing, no tombstones). The record itself tells which claim it is.
#pragma once
#include <cstddef>
#include <vector>

namespace zedops::manager {

template <class Holder>
class claim_index {
 public:
  void insert(size_t hash, const Holder* holder) {
    if ((count_ + 1) * 4 > slots_.size() * 3) grow();
    place({hash, holder});
    ++count_;
  }

  void erase(size_t hash, const Holder* holder) {
    if (slots_.empty()) return;
    size_t i = home(hash);
    while (slots_[i].holder && !(slots_[i].hash == hash && slots_[i].holder == holder)) i = after(i);
    if (!slots_[i].holder) return;
    --count_;
    // What was pushed past this slot moves back, so that no search ends too early.
    for (size_t j = after(i); slots_[j].holder; j = after(j)) {
      if (distance(home(slots_[j].hash), j) < distance(i, j)) continue;
      slots_[i] = slots_[j];
      i = j;
    }
    slots_[i] = {};
  }

  // The first holder under that hash for which `is_it` says yes.
  template <class F>
  const Holder* find(size_t hash, F is_it) const {
    if (slots_.empty()) return nullptr;
    for (size_t i = home(hash); slots_[i].holder; i = after(i))
      if (slots_[i].hash == hash && is_it(*slots_[i].holder)) return slots_[i].holder;
    return nullptr;
  }

 private:
  struct slot {
    size_t hash = 0;
    const Holder* holder = nullptr;  // null: free
  };
  size_t home(size_t hash) const { return hash & (slots_.size() - 1); }
  size_t after(size_t i) const { return (i + 1) & (slots_.size() - 1); }
  size_t distance(size_t from, size_t to) const { return (to - from) & (slots_.size() - 1); }
  void place(slot s) {
    size_t i = home(s.hash);
    while (slots_[i].holder) i = after(i);
    slots_[i] = s;
  }
  void grow() {
    constexpr size_t slots_min = 64;
    std::vector<slot> old(slots_.empty() ? slots_min : slots_.size() * 2);
    old.swap(slots_);
    for (const auto& s : old)
      if (s.holder) place(s);
  }

  std::vector<slot> slots_;  // a power of two, or none
  size_t count_ = 0;
};

}  // namespace zedops::manager
