#include "actors/manager/records/claim_index.hpp"

#include <rapidcheck.h>

#include <map>
#include <set>

#include "tests/support/catch.hpp"

using zedops::manager::claim_index;

namespace {

using claims = claim_index<int>;

// Every holder that the index gives for a hash.
std::set<int> holders(const claims& of, size_t hash) {
  std::set<int> out;
  of.find(hash, [&](int holder) {
    out.insert(holder);
    return false;
  });
  return out;
}

}  // namespace

TEST_CASE("claim index: an empty one has no holder", "[unit][manager]") {
  claims none;
  none.erase(7, nullptr);
  CHECK(holders(none, 7).empty());
}

TEST_CASE("claim index: it equals a map of sets, whatever is inserted and removed", "[unit][manager]") {
  REQUIRE(rc::check("against a model", [](const std::vector<std::tuple<uint8_t, uint8_t, bool>>& steps) {
    std::vector<int> pool(8);
    for (int i = 0; i < 8; ++i) pool[static_cast<size_t>(i)] = i;
    claims real;
    std::map<size_t, std::set<int>> model;
    for (auto [hash, who, in] : steps) {
      // Few and neighbouring hashes, so that runs meet and wrap around.
      const size_t h = 60 + hash % 9;
      const auto* holder = &pool[who % pool.size()];
      if (in && model[h].insert(*holder).second) real.insert(h, holder);
      if (!in && model[h].erase(*holder) > 0) real.erase(h, holder);
      for (size_t each = 60; each < 69; ++each) RC_ASSERT(holders(real, each) == model[each]);
    }
  }));
}

TEST_CASE("claim index: a hundred thousand are found again, and none after its removal", "[unit][manager]") {
  constexpr size_t count = 100'000;
  std::vector<int> pool(count);
  claims real;
  const auto hash = [](size_t i) { return i * 0x9e3779b97f4a7c15; };
  for (size_t i = 0; i < count; ++i) real.insert(hash(i), &pool[i]);
  for (size_t i = 0; i < count; i += 2) real.erase(hash(i), &pool[i]);
  for (size_t i = 0; i < count; ++i) {
    const auto* found = real.find(hash(i), [](int) { return true; });
    REQUIRE(found == (i % 2 == 0 ? nullptr : &pool[i]));
  }
}
