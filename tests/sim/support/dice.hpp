// Seeded chance. The same seed gives the same throws on every machine: no std distribution is used.
#pragma once
#include <chrono>
#include <cstdint>
#include <vector>

#include "actors/runtime/ports.hpp"

namespace zedops::sim {

class dice {
 public:
  explicit dice(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}

  uint64_t bits() {  // splitmix64
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t n) { return n == 0 ? 0 : bits() % n; }
  bool percent(uint64_t p) { return below(100) < p; }
  bool per_mille(uint64_t p) { return below(1000) < p; }
  msg::duration between(msg::duration low, msg::duration high) {
    return low + msg::duration(below(static_cast<uint64_t>((high - low).count()) + 1));
  }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

 private:
  uint64_t state_;
};

class seeded_randomness final : public rt::randomness {
 public:
  explicit seeded_randomness(uint64_t seed) : dice_(seed) {}
  uint64_t bits() override { return dice_.bits(); }

 private:
  dice dice_;
};

}  // namespace zedops::sim
