#include <thread>

#include "bus/credit.hpp"
#include "bus/detail/outbox.hpp"
#include "tests/support/catch.hpp"

using namespace zedops::bus;

TEST_CASE("credit: a pool stops at its limit and wakes its reader when half is back", "[unit][bus]") {
  int wakes = 0;
  auto pool = std::make_shared<credit_pool>(4, [&] { ++wakes; });
  std::vector<credit> held;
  while (pool->may_read()) held.emplace_back(pool);
  CHECK(held.size() == 4);
  CHECK(pool->outstanding() == 4);
  held.pop_back();
  CHECK_FALSE(pool->may_read());
  CHECK(wakes == 0);
  held.pop_back();
  CHECK(wakes == 1);
  CHECK(pool->may_read());
  held.clear();
  CHECK(wakes == 1);  // only a starved reader is woken
  CHECK(pool->outstanding() == 0);
}

TEST_CASE("credit: moving a credit neither returns nor doubles it", "[unit][bus]") {
  auto pool = std::make_shared<credit_pool>(4, [] {});
  credit a(pool);
  credit b = std::move(a);
  CHECK(pool->outstanding() == 1);
  b = credit(pool);
  CHECK(pool->outstanding() == 1);
  b.release();
  b.release();
  CHECK(pool->outstanding() == 0);
}

TEST_CASE("credit: a starved reader is always woken, whatever other threads do", "[unit][bus]") {
  constexpr int messages = 20'000;
  detail::wake_fd wake;
  std::atomic<int> wakes{0};
  auto pool = std::make_shared<credit_pool>(2, [&] { ++wakes, wakes.notify_one(); });
  std::mutex mutex;
  std::deque<credit> queue;
  std::atomic<bool> finished{false};
  std::thread worker([&] {
    while (!finished) {
      std::deque<credit> taken;
      {
        std::lock_guard guard(mutex);
        taken.swap(queue);
      }
      if (taken.empty()) std::this_thread::yield();
    }
  });
  int seen = 0;
  for (int i = 0; i < messages; ++i) {
    // Blocks for ever, and the test times out, when a wake-up is lost.
    while (!pool->may_read()) wakes.wait(seen), seen = wakes;
    std::lock_guard guard(mutex);
    queue.emplace_back(pool);
  }
  finished = true;
  worker.join();
  CHECK(pool->outstanding() <= 2);
}

TEST_CASE("outbox: its limits hold for count and bytes until the loop is done with a message", "[unit][bus]") {
  detail::wake_fd wake;
  detail::outbox<int> box(3, 100);
  CHECK(box.push(1, 40, wake));
  CHECK(box.push(2, 40, wake));
  CHECK_FALSE(box.push(3, 40, wake));  // bytes
  CHECK(box.push(3, 20, wake));
  CHECK_FALSE(box.push(4, 0, wake));  // count
  auto batch = box.take();
  CHECK(batch.size() == 3);
  CHECK_FALSE(box.push(4, 0, wake));  // taken is not sent
  box.done(1, 40);
  CHECK(box.push(4, 40, wake));
  box.set_closed(true);
  box.done(2, 60);
  CHECK_FALSE(box.push(5, 1, wake));
}
