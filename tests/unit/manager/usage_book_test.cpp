#include "actors/manager/usage/usage_book.hpp"

#include "persistence/lmdb_store.hpp"
#include "persistence/memory_store.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::manager;
using namespace zedops::msg;
using namespace std::chrono_literals;

namespace {

constexpr time_point noon{duration{1'714'564'800'000}};  // on a quarter-hour boundary

// A store that outlives its book, as a disk does.
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
  uint64_t samples() const {  // rows of the first tier
    uint64_t n = 0;
    const auto r = *home->begin_read();
    const auto ok = r->scan(
        store::table::usage, {}, store::direction::forward,
        [&](std::string_view key, std::string_view) { return key[0] == 0 && ++n > 0; },
        [](const store::corrupt_record&) {});
    REQUIRE(ok);
    return n;
  }
};

usage of(uint32_t host, uint32_t server) {
  usage u;
  u.host.cpu_millis = host;
  u.servers.push_back({server_id{"s1"}, {}});
  u.servers.back().used.cpu_millis = server;
  u.servers.back().used.memory_bytes = server * 10;
  return u;
}

usage of_many(size_t servers) {
  usage u;
  for (size_t i = 0; i < servers; ++i) {
    u.servers.push_back({server_id{"s" + std::to_string(i)}, {}});
    u.servers.back().used.cpu_millis = 7;
  }
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

TEST_CASE("usage: a sample is available at once, and after it was written", "[unit][manager]") {
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
  usage_book later(disk.opener());  // in the next run
  REQUIRE(later.open());
  CHECK(cpu(later, "s1", usage_tiers[0], 1min, noon + 30s) == std::vector<uint32_t>{50});
  CHECK(cpu(later, "s2", usage_tiers[0], 1min, noon).empty());
}

TEST_CASE("usage: averages are made when their interval is over, also across a restart", "[unit][manager]") {
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
  REQUIRE(book.commit(noon + 63s));  // nothing is made twice, and nothing is lost
  CHECK(cpu(book, "s1", usage_tiers[1], 10min, noon + 63s) == std::vector<uint32_t>{200});
  // Half an hour of silence: the coarser averages are made all the same, and there is no point without samples.
  REQUIRE(book.commit(noon + 30min));
  CHECK(cpu(book, "s1", usage_tiers[2], 1h, noon + 30min) == std::vector<uint32_t>{200});
  CHECK(cpu(book, "s1", usage_tiers[3], 1h, noon + 30min) == std::vector<uint32_t>{200});
}

TEST_CASE("usage: three days of it take a bounded space", "[unit][manager]") {
  kept_store disk;
  usage_book book(disk.opener());
  REQUIRE(book.open());
  size_t bound = 1;  // the row that records how far averages are made
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

TEST_CASE("usage: old samples are dropped when they are due, of however many servers", "[unit][manager]") {
  constexpr size_t servers = 6'000, rounds = 8;
  kept_store disk;
  usage_book book(disk.opener());
  REQUIRE(book.open());
  for (size_t i = 0; i < rounds; ++i) {
    book.take({"a1"}, of_many(servers), noon + i * 15s);
    REQUIRE(book.commit(noon + i * 15s));
  }
  REQUIRE(book.commit(noon + 3min));
  CHECK(disk.samples() == servers * rounds);
  const auto later = noon + 40min;
  book.take({"a1"}, of_many(servers), later);
  REQUIRE(book.commit(later));
  CHECK(disk.samples() == servers);
  CHECK(cpu(book, "s5999", usage_tiers[1], 3h, later) == std::vector<uint32_t>{7, 7});  // the averages stay
}

TEST_CASE("usage: a store that was full accepts samples again once older ones are due", "[unit][manager]") {
  constexpr size_t servers = 200;
  test::temp_dir dir;
  store::lmdb_options options;
  options.dir = dir.path();
  options.map_bytes = options.map_max_bytes = 2 << 20;
  const auto opener = [&] { return store::open_lmdb(options); };
  auto t = noon;
  {
    usage_book book(opener);
    REQUIRE(book.open());
    for (int refused = 0; refused < 20; t += 3s) {
      REQUIRE(t < noon + 20min);
      book.take({"a1"}, of_many(servers), t);
      if (auto ok = book.commit(t); !ok) {
        CHECK(ok.error().code == ec::store_full);
        ++refused;
      }
    }
    t += 40min;
    book.take({"a1"}, of_many(servers), t);
    REQUIRE(book.commit(t));
  }
  usage_book book(opener);  // of the next run: it is in the store
  REQUIRE(book.open());
  CHECK(cpu(book, "s199", usage_tiers[0], 30min, t) == std::vector<uint32_t>{7});
}

TEST_CASE("usage: samples that find no room are written when there is some, as long as they are of use",
          "[unit][manager]") {
  kept_store disk;
  usage_book book(disk.opener());
  REQUIRE(book.open());
  disk.home->set_disk(store::disk::is_full);
  book.take({"a1"}, of_many(12'000), noon);
  CHECK_FALSE(book.commit(noon));
  disk.home->set_disk(store::disk::has_room);
  disk.home->fail_commit(2, {ec::store_full, "no more room", "", {}});
  CHECK_FALSE(book.commit(noon + 15s));
  CHECK(disk.samples() == 5'000);
  disk.home->set_disk(store::disk::is_full);
  CHECK_FALSE(book.commit(noon + 20min));
  CHECK(cpu(book, "s1", usage_tiers[0], 30min, noon + 20min).size() == 1);
  CHECK_FALSE(book.commit(noon + 40min));  // the rest is too old by now, and makes room for newer ones
  disk.home->set_disk(store::disk::has_room);
  CHECK(book.commit(noon + 40min));
  CHECK(disk.samples() == 0);
}

TEST_CASE("usage: the finest tier that goes back far enough is shown", "[unit][manager]") {
  CHECK(usage_book::tier_for(10min).every == 3s);
  CHECK(usage_book::tier_for(30min).every == 3s);
  CHECK(usage_book::tier_for(31min).every == 1min);
  CHECK(usage_book::tier_for(12h).every == 5min);
  CHECK(usage_book::tier_for(24h * 365).every == 15min);
}

TEST_CASE("usage: an invalid time range costs no more than one lookup", "[unit][manager][hostile]") {
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

TEST_CASE("usage: with a full disk no sample is lost that can still be kept", "[unit][manager]") {
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

TEST_CASE("usage: a clock that was ahead for a while does not stop averages", "[unit][manager]") {
  kept_store disk;
  usage_book book(disk.opener());
  REQUIRE(book.open());
  book.take({"a1"}, of(1, 1), noon + 1000h);
  REQUIRE(book.commit(noon + 1001h));
  book.take({"a1"}, of(7, 7), noon);
  REQUIRE(book.commit(noon + 61s));
  CHECK(cpu(book, "s1", usage_tiers[1], 10min, noon + 61s) == std::vector<uint32_t>{7});
}

TEST_CASE("usage: a host that could not be measured is a gap, not an idle host", "[unit][manager]") {
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
