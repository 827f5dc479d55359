#include "bus/detail/watcher_book.hpp"

#include "tests/support/catch.hpp"

using zedops::bus::detail::connection;
using zedops::bus::detail::watcher_book;
using entry = watcher_book::entry;

namespace {

const auto all_alive = [](const connection&) { return true; };
const auto all_gone = [](const connection&) { return false; };

std::string topic(size_t n) { return "server." + std::to_string(n); }

}  // namespace

TEST_CASE("watchers: the topics of one watcher are limited", "[unit][bus]") {
  watcher_book book({3, 1'000});
  const connection one{7, 1}, other{8, 2};
  for (size_t i = 0; i < 3; ++i) CHECK(book.subscribe(one, topic(i), all_alive) == entry::added);
  CHECK(book.subscribe(one, topic(1), all_alive) == entry::known);
  CHECK(book.subscribe(one, topic(3), all_alive) == entry::beyond);
  CHECK(book.subscribe(other, topic(3), all_alive) == entry::added);
  CHECK(book.unsubscribe(one, topic(0)));
  CHECK(book.subscribe(one, topic(3), all_alive) == entry::added);
}

TEST_CASE("watchers: only a subscribed topic can be unsubscribed", "[unit][bus]") {
  watcher_book book({3, 1'000});
  CHECK_FALSE(book.unsubscribe({7, 1}, topic(0)));
  CHECK(book.subscribe({7, 1}, topic(0), all_alive) == entry::added);
  CHECK_FALSE(book.unsubscribe({7, 1}, topic(1)));
  CHECK_FALSE(book.unsubscribe({7, 2}, topic(0)));
  CHECK(book.unsubscribe({7, 1}, topic(0)));
  CHECK(book.bytes() == 0);
}

TEST_CASE("watchers: all together have a limit, and watchers that left make room", "[unit][bus]") {
  watcher_book book({100, 100});
  size_t taken = 0;
  for (int fd = 0; book.subscribe({fd, 1}, topic(0), all_alive) == entry::added; ++fd) ++taken;
  CHECK(taken == 100 / (topic(0).size() + 1));
  CHECK(book.bytes() <= 100);
  CHECK(book.subscribe({500, 1}, topic(0), all_gone) == entry::added);
  CHECK(book.watchers() == 1);
}

TEST_CASE("watchers: a reused descriptor is another watcher", "[unit][bus]") {
  watcher_book book({1, 1'000});
  CHECK(book.subscribe({7, 1}, topic(0), all_alive) == entry::added);
  CHECK(book.subscribe({7, 2}, topic(1), all_alive) == entry::added);
}

TEST_CASE("watchers: those that left are not remembered for ever", "[unit][bus]") {
  watcher_book book({10, 1'000'000});
  for (uint64_t cookie = 0; cookie < 10'000; ++cookie) (void)book.subscribe({7, cookie}, topic(cookie), all_gone);
  CHECK(book.watchers() < 200);
}
