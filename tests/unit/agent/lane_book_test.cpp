#include "actors/agent/lanes/lane_book.hpp"

#include <rapidcheck.h>

#include <set>

#include "tests/support/catch.hpp"

using namespace zedops::agent;
using namespace zedops::msg;

namespace {

run_command command(const std::string& op, const std::string& server, command_kind kind = command_kind::run) {
  run_command c;
  c.op = {op};
  c.server = {server};
  c.kind = kind;
  return c;
}

}  // namespace

TEST_CASE("lanes: one command per server at a time, in order of arrival", "[unit][agent][fc-13]") {
  lane_book book;
  CHECK(book.offer(command("a", "s1")) == lane_book::entry::accepted);
  CHECK(book.offer(command("b", "s1", command_kind::stop)) == lane_book::entry::accepted);
  auto first = book.startable();
  REQUIRE(first.size() == 1);
  CHECK(first[0].op.value == "a");
  CHECK(book.startable().empty());
  book.finished({"s1"});
  REQUIRE(book.startable().size() == 1);
  CHECK(book.is_running({"s1"}));
}

TEST_CASE("lanes: a stop never waits for the pulls of others", "[unit][agent][acc-17][fc-37]") {
  lane_book book({2, 1});
  for (auto s : {"s1", "s2", "s3"}) book.offer(command(std::string("op-") + s, s));
  CHECK(book.startable().size() == 2);
  book.offer(command("stop", "s4", command_kind::stop));
  auto next = book.startable();
  REQUIRE(next.size() == 1);
  CHECK(next[0].op.value == "stop");
  CHECK(book.waiting() == 1);
}

TEST_CASE("lanes: nothing begins on a held server, and others go on", "[unit][agent]") {
  lane_book book;
  book.hold({"s1"});
  book.offer(command("a", "s1"));
  book.offer(command("b", "s2"));
  auto first = book.startable();
  REQUIRE(first.size() == 1);
  CHECK(first[0].op.value == "b");
  CHECK(book.has({"s1"}));
  CHECK(book.has({"s2"}));
  CHECK_FALSE(book.has({"s3"}));
  book.release({"s1"});
  REQUIRE(book.startable().size() == 1);
  book.finished({"s1"});
  CHECK_FALSE(book.has({"s1"}));
}

TEST_CASE("lanes: copies have their own slots, and delay no other command", "[unit][agent][fc-23]") {
  lane_book book({1, 1, 1});
  book.offer(command("a", "s1", command_kind::move));
  book.offer(command("b", "s2", command_kind::move));
  book.offer(command("c", "s3", command_kind::run));
  book.offer(command("d", "s4", command_kind::stop));
  const auto now = book.startable();
  REQUIRE(now.size() == 3);
  CHECK(now[0].op.value == "a");
  CHECK(now[1].op.value == "c");
  CHECK(now[2].op.value == "d");
  book.finished({"s1"});
  REQUIRE(book.startable().size() == 1);
}

TEST_CASE("lanes: a repeated attempt is a duplicate, and queues are bounded", "[unit][agent]") {
  lane_book book({1, 1});
  book.offer(command("a", "s1"));
  CHECK(book.offer(command("a", "s1")) == lane_book::entry::duplicate);
  (void)book.startable();
  CHECK(book.offer(command("a", "s1")) == lane_book::entry::duplicate);
  for (size_t i = 0; i < lane_queue_max; ++i)
    CHECK(book.offer(command("w" + std::to_string(i), "s1")) == lane_book::entry::accepted);
  CHECK(book.offer(command("more", "s1")) == lane_book::entry::full);
  CHECK(book.withdraw({"w3"})->op.value == "w3");
  CHECK_FALSE(book.withdraw({"a"}));
  CHECK(book.offer(command("more", "s1")) == lane_book::entry::accepted);
}

TEST_CASE("lanes: for any arrivals and endings limits and order hold, and everything is run", "[unit][agent]") {
  REQUIRE(rc::check("limits, order, completeness", [] {
    const lane_limits limits{*rc::gen::inRange<size_t>(1, 4), *rc::gen::inRange<size_t>(1, 3)};
    lane_book book(limits);
    std::map<std::string, std::vector<int>> begun;  // server -> serials in order of start
    std::map<std::string, command_kind> running;
    int serial = 0, accepted = 0, started = 0;
    auto start = [&] {
      for (auto& c : book.startable()) {
        RC_ASSERT(!running.contains(c.server.value));
        running[c.server.value] = c.kind;
        auto& order = begun[c.server.value];
        const int n = std::stoi(c.op.value);
        const bool later = order.empty() || order.back() < n;  // RC_ASSERT evaluates both sides of ||
        RC_ASSERT(later);
        order.push_back(n);
        ++started;
      }
      size_t slow = 0;
      for (auto& [s, k] : running) slow += class_of(k) == lane_class::slow ? 1 : 0;
      RC_ASSERT(slow <= limits.slow_max);
      RC_ASSERT(running.size() - slow <= limits.quick_max);
    };
    const auto steps = *rc::gen::inRange(1, 60);
    for (int i = 0; i < steps; ++i) {
      if (running.empty() || *rc::gen::inRange(0, 3) != 0) {
        auto kind = *rc::gen::element(command_kind::run, command_kind::stop, command_kind::replace);
        auto r = book.offer(command(std::to_string(++serial), "s" + std::to_string(*rc::gen::inRange(0, 5)), kind));
        accepted += r == lane_book::entry::accepted ? 1 : 0;
      } else {
        auto i2 = running.begin();
        std::advance(i2, *rc::gen::inRange<size_t>(0, running.size()));
        book.finished({i2->first});
        running.erase(i2);
      }
      start();
    }
    while (!running.empty()) {
      book.finished({running.begin()->first});
      running.erase(running.begin());
      start();
    }
    RC_ASSERT(started == accepted);
    RC_ASSERT(book.waiting() == 0u);
  }));
}
