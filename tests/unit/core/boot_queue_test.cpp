// The order in which servers are started after their host came up, and how many at once.
#include "actors/core/guard/boot_queue.hpp"

#include <rapidcheck.h>

#include <algorithm>

#include "tests/support/catch.hpp"

using namespace zedops::core;

namespace {

std::vector<std::string> ids(const std::vector<boot_queue::turn>& turns) {
  std::vector<std::string> out;
  for (const auto& t : turns) out.push_back(t.id.value);
  return out;
}

}  // namespace

TEST_CASE("boot queue: by priority, then by name, a few at once, with progress", "[unit][core]") {
  boot_queue q(2);
  q.add({{"s1"}, "zebra", 0});
  q.add({{"s2"}, "ant", 0});
  q.add({{"s3"}, "moose", 10});
  q.add({{"s4"}, "bear", -1});
  q.add({{"s2"}, "ant", 0});
  auto first = q.startable();
  CHECK(ids(first) == std::vector<std::string>{"s3", "s2"});
  CHECK(first[0].number == 1);
  CHECK(first[1].number == 2);
  CHECK(first[1].of == 4);
  CHECK(q.startable().empty());
  q.done({"s3"});
  auto next = q.startable();
  REQUIRE(ids(next) == std::vector<std::string>{"s1"});
  CHECK(next[0].number == 3);
  q.done({"s2"});
  q.done({"s1"});
  CHECK(ids(q.startable()) == std::vector<std::string>{"s4"});
  CHECK_FALSE(q.idle());
  q.done({"s4"});
  CHECK(q.idle());
  q.add({{"s5"}, "late", 0});
  CHECK(q.startable()[0].of == 1);
}

TEST_CASE("boot queue: every server gets one turn, never too many at once", "[unit][core]") {
  REQUIRE(rc::check("bounded and complete", [] {
    const auto limit = *rc::gen::inRange<size_t>(1, 5);
    const auto priorities = *rc::gen::container<std::vector<int32_t>>(rc::gen::inRange(-2, 3));
    boot_queue q(limit);
    for (size_t i = 0; i < priorities.size(); ++i)
      q.add({{"s" + std::to_string(i)}, "n" + std::to_string(i), priorities[i]});
    std::vector<std::string> running, all;
    std::vector<int32_t> order;
    while (!q.idle()) {
      for (const auto& t : q.startable()) {
        running.push_back(t.id.value);
        all.push_back(t.id.value);
        order.push_back(priorities[std::stoul(t.id.value.substr(1))]);
        RC_ASSERT(t.number == all.size());
        RC_ASSERT(t.of == priorities.size());
      }
      RC_ASSERT(!running.empty());
      RC_ASSERT(running.size() <= limit);
      const auto which = *rc::gen::inRange<size_t>(0, running.size());
      q.done({running[which]});
      running.erase(running.begin() + static_cast<ptrdiff_t>(which));
    }
    RC_ASSERT(all.size() == priorities.size());
    RC_ASSERT(std::is_sorted(order.rbegin(), order.rend()));
  }));
}
