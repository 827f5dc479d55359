#include "actors/manager/usage/usage_book.hpp"

#include "persistence/memory_store.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::manager;
using namespace zedops::msg;
using namespace std::chrono_literals;

namespace {

constexpr time_point noon{duration{1'714'564'800'000}};  // at a quarter of an hour

// A store that stays when its book is gone, as a disk does.
struct kept_store {
  std::shared_ptr<store::memory_store> home = std::make_shared<store::memory_store>();
  usage_book::opener opener() const {
    struct lent final : store::store {
      explicit lent(std::shared_ptr<zedops::store::memory_store> s) : to(std::move(s)) {}
      zedops::store::result<std::unique_ptr<zedops::store::writer>> begin_write(zedops::store::write_kind k) override {
        return to->begin_write(k);
      }
      zedops::store::result<std::unique_ptr<zedops::store::reader>> begin_read() const override {
        return to->begin_read();
      }
      uint64_t epoch() const override { return to->epoch(); }
      zedops::store::stats statistics() const override { return to->statistics(); }
      zedops::store::result<zedops::store::verify_report> backup(const std::filesystem::path& f) const override {
        return to->backup(f);
      }
      std::shared_ptr<zedops::store::memory_store> to;
    };
    return [home = home]() -> result<std::unique_ptr<store::store>> { return std::make_unique<lent>(home); };
  }
  uint64_t rows() const { return (*home->begin_read())->count(store::table::usage); }
};

usage of(uint32_t host, uint32_t server) {
  usage u;
  u.host.cpu_millis = host;
  u.servers.push_back({server_id{"s1"}, {}});
  u.servers.back().used.cpu_millis = server;
  u.servers.back().used.memory_bytes = server * 10;
  return u;
}

std::vector<uint32_t> cpu(const usage_book& b, const std::string& entity, const usage_tier& tier, duration last,
                          time_point now) {
  std::vector<uint32_t> out;
  const auto points = b.points(entity, tier, last, now);
  REQUIRE(points);
  for (const auto& p : *points) out.push_back(p.used.cpu_millis);
  return out;
}

}  // namespace

TEST_CASE("usage: a sample is there at once, and after it was written", "[unit][manager]") {
  kept_store disk;
  usage_book book(disk.opener());
  CHECK_FALSE(book.tells({"a1"}));
  book.take({"a1"}, of(100, 50), noon);
  CHECK(book.tells({"a1"}));
  CHECK(cpu(book, "s1", usage_tiers[0], 1min, noon) == std::vector<uint32_t>{50});
  CHECK(cpu(book, "a1", usage_tiers[0], 1min, noon) == std::vector<uint32_t>{100});
  CHECK(book.commit(noon));  // it is not open yet
  CHECK(disk.rows() == 0);
  REQUIRE(book.open());
  REQUIRE(book.commit(noon));
  CHECK(disk.rows() > 1);
  CHECK(cpu(book, "s1", usage_tiers[0], 1min, noon) == std::vector<uint32_t>{50});
  usage_book later(disk.opener());  // of the next run
  REQUIRE(later.open());
  CHECK(cpu(later, "s1", usage_tiers[0], 1min, noon + 30s) == std::vector<uint32_t>{50});
  CHECK(cpu(later, "s2", usage_tiers[0], 1min, noon).empty());
}

TEST_CASE("usage: averages are made when their time is over, also over a restart", "[unit][manager]") {
  kept_store disk;
  {
    usage_book book(disk.opener());
    REQUIRE(book.open());
    for (uint32_t i = 0; i < 3; ++i) book.take({"a1"}, of(1, 100 * (i + 1)), noon + i * 15s);
    REQUIRE(book.commit(noon + 45s));
    CHECK(cpu(book, "s1", usage_tiers[1], 10min, noon + 45s).empty());  // the minute is not over
  }
  usage_book book(disk.opener());
  REQUIRE(book.open());
  REQUIRE(book.commit(noon + 62s));
  CHECK(cpu(book, "s1", usage_tiers[1], 10min, noon + 62s) == std::vector<uint32_t>{200});
  const auto points = book.points("s1", usage_tiers[1], 10min, noon + 62s);
  CHECK(points->front().at == noon);
  CHECK(points->front().used.memory_bytes == 2'000);
  REQUIRE(book.commit(noon + 63s));  // nothing is made twice, and nothing is lost by it
  CHECK(cpu(book, "s1", usage_tiers[1], 10min, noon + 63s) == std::vector<uint32_t>{200});
  // Half an hour of silence: the coarser averages come all the same, and where nothing was told there is no point.
  REQUIRE(book.commit(noon + 30min));
  CHECK(cpu(book, "s1", usage_tiers[2], 1h, noon + 30min) == std::vector<uint32_t>{200});
  CHECK(cpu(book, "s1", usage_tiers[3], 1h, noon + 30min) == std::vector<uint32_t>{200});
}

TEST_CASE("usage: three days of it take a bounded room", "[unit][manager]") {
  kept_store disk;
  usage_book book(disk.opener());
  REQUIRE(book.open());
  size_t bound = 1;  // how far the averages are made
  for (const auto& t : usage_tiers) bound += static_cast<size_t>(t.kept / std::max<duration>(t.every, 15s)) + 6;
  bound *= 2;  // the host and one server
  for (auto t = noon; t < noon + 74h; t += 1min) {
    for (int i = 0; i < 4; ++i) book.take({"a1"}, of(10, 10), t + i * 15s);
    REQUIRE(book.commit(t + 45s));
  }
  const auto now = noon + 74h;
  CHECK(disk.rows() <= bound);
  CHECK(cpu(book, "s1", usage_tiers[0], 30min, now).size() >= 119);
  CHECK(cpu(book, "s1", usage_tiers[1], 3h, now).size() >= 179);
  CHECK(cpu(book, "s1", usage_tiers[2], 12h, now).size() >= 143);
  CHECK(cpu(book, "s1", usage_tiers[3], 72h, now).size() >= 287);
}

TEST_CASE("usage: the finest figures that go back far enough are shown", "[unit][manager]") {
  CHECK(usage_book::tier_for(10min).every == 3s);
  CHECK(usage_book::tier_for(30min).every == 3s);
  CHECK(usage_book::tier_for(31min).every == 1min);
  CHECK(usage_book::tier_for(12h).every == 5min);
  CHECK(usage_book::tier_for(24h * 365).every == 15min);
}

TEST_CASE("usage: a time that is none costs no more than one look", "[unit][manager][hostile]") {
  kept_store disk;
  usage_book book(disk.opener());
  REQUIRE(book.open());
  book.take({"a1"}, of(1, 7), noon - 3s);
  book.take({"a1"}, of(1, 8), noon);
  for (const auto last : {duration::min(), duration{-1}, duration{0}}) {
    CHECK(&usage_book::tier_for(last) == &usage_tiers.front());
    for (const auto& tier : usage_tiers) CHECK(cpu(book, "s1", tier, last, noon).size() <= 1);
    CHECK(cpu(book, "s1", usage_tiers.front(), last, noon) == std::vector<uint32_t>{8});
  }
  CHECK(cpu(book, "s1", usage_tiers.front(), duration::max(), noon) == std::vector<uint32_t>{7, 8});
}

TEST_CASE("usage: a disk that is full loses no sample that can still be kept", "[unit][manager]") {
  kept_store disk;
  usage_book book(disk.opener());
  REQUIRE(book.open());
  disk.home->set_disk(store::disk::is_full);
  book.take({"a1"}, of(1, 2), noon);
  CHECK_FALSE(book.commit(noon));
  CHECK(cpu(book, "s1", usage_tiers[0], 1min, noon) == std::vector<uint32_t>{2});
  disk.home->set_disk(store::disk::has_room);
  CHECK(book.commit(noon + 15s));
  CHECK(cpu(book, "s1", usage_tiers[0], 1min, noon) == std::vector<uint32_t>{2});
}

TEST_CASE("usage: a clock that was ahead for a while stops no averages", "[unit][manager]") {
  kept_store disk;
  usage_book book(disk.opener());
  REQUIRE(book.open());
  book.take({"a1"}, of(1, 1), noon + 1000h);
  REQUIRE(book.commit(noon + 1001h));
  book.take({"a1"}, of(7, 7), noon);
  REQUIRE(book.commit(noon + 61s));
  CHECK(cpu(book, "s1", usage_tiers[1], 10min, noon + 61s) == std::vector<uint32_t>{7});
}

TEST_CASE("usage: a host that could not be looked at is a gap, not a host at rest", "[unit][manager]") {
  kept_store disk;
  usage_book book(disk.opener());
  auto u = of(0, 5);
  u.host = {};
  book.take({"a1"}, u, noon);
  CHECK(cpu(book, "a1", usage_tiers[0], 1min, noon).empty());
  CHECK(cpu(book, "s1", usage_tiers[0], 1min, noon) == std::vector<uint32_t>{5});
  CHECK(book.tells({"a1"}));
  CHECK_FALSE(book.newest({"a1"}, noon));
}
