// What every store promises, tested for each of them.
#include "persistence/lmdb_store.hpp"
#include "persistence/memory_store.hpp"
#include "tests/integration/persistence/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace zedops::store;
using namespace zedops::store::test;
using zedops::msg::ec;

namespace {

constexpr batch_limits small_batches{100, 20'000};

struct in_memory {
  memory_store home{[] {
    memory_options o;
    o.batch = small_batches;
    return o;
  }()};
  store& get() { return home; }
};

struct on_disk {
  scratch_dir dir;
  std::unique_ptr<store> home;
  on_disk() {
    auto o = options_for(dir.path());
    o.batch = small_batches;
    home = must(open_lmdb(o));
  }
  store& get() { return *home; }
};

using keys = std::vector<std::string>;

}  // namespace

TEMPLATE_TEST_CASE("store: committed changes are read, aborted ones are not", "[unit][store]", in_memory, on_disk) {
  TestType fixture;
  store& s = fixture.get();
  put_one(s, table::servers, "a", "1");
  {
    auto w = must(s.begin_write());
    must(w->put(table::servers, "a", "2"));
    must(w->put(table::servers, "b", "new"));
  }
  CHECK(get_one(s, table::servers, "a") == "1");
  CHECK(get_one(s, table::servers, "b") == std::nullopt);
  CHECK(get_one(s, table::agents, "a") == std::nullopt);
}

TEMPLATE_TEST_CASE("store: one hundred changes are one transaction", "[unit][store][acc-26]", in_memory, on_disk) {
  TestType fixture;
  store& s = fixture.get();
  auto w = must(s.begin_write());
  for (uint64_t n = 0; n < 100; ++n) must(w->put(table::servers, numbered(n), "value"));
  CHECK(must(s.begin_read())->count(table::servers) == 0);
  must(w->commit());
  CHECK(must(s.begin_read())->count(table::servers) == 100);
}

TEMPLATE_TEST_CASE("store: a writer reads its own changes, in get, scan and count", "[unit][store]", in_memory,
                   on_disk) {
  TestType fixture;
  store& s = fixture.get();
  for (const char* key : {"a", "c", "e"}) put_one(s, table::claims, key, key);
  auto w = must(s.begin_write());
  must(w->put(table::claims, "b", "new"));
  must(w->put(table::claims, "c", "changed"));
  CHECK(must(w->erase(table::claims, "e")));
  CHECK_FALSE(must(w->erase(table::claims, "nothing")));
  CHECK(must(w->get(table::claims, "c")) == "changed");
  CHECK(must(w->get(table::claims, "e")) == std::nullopt);
  CHECK(w->count(table::claims) == 3);
  CHECK(scan_keys(*w, table::claims).keys == keys{"a", "b", "c"});
  CHECK(scan_keys(*w, table::claims, {}, direction::backward).keys == keys{"c", "b", "a"});
  CHECK(scan_keys(*w, table::claims, "bb", direction::backward).keys == keys{"b", "a"});
}

TEMPLATE_TEST_CASE("store: a scan begins at its key in either direction and ends on request", "[unit][store]",
                   in_memory, on_disk) {
  TestType fixture;
  store& s = fixture.get();
  for (const char* key : {"b", "d", "f"}) put_one(s, table::agents, key, key);
  auto r = must(s.begin_read());
  CHECK(scan_keys(*r, table::agents, "d").keys == keys{"d", "f"});
  CHECK(scan_keys(*r, table::agents, "c").keys == keys{"d", "f"});
  CHECK(scan_keys(*r, table::agents, "g").keys.empty());
  CHECK(scan_keys(*r, table::agents, "d", direction::backward).keys == keys{"d", "b"});
  CHECK(scan_keys(*r, table::agents, "e", direction::backward).keys == keys{"d", "b"});
  CHECK(scan_keys(*r, table::agents, "z", direction::backward).keys == keys{"f", "d", "b"});
  CHECK(scan_keys(*r, table::agents, "a", direction::backward).keys.empty());
  CHECK(scan_keys(*r, table::orphans).keys.empty());
  int seen = 0;
  must(r->scan(
      table::agents, {}, direction::forward, [&](std::string_view, std::string_view) { return ++seen < 2; },
      [](const corrupt_record&) {}));
  CHECK(seen == 2);
}

TEMPLATE_TEST_CASE("store: a reader keeps its snapshot while others write", "[unit][store]", in_memory, on_disk) {
  TestType fixture;
  store& s = fixture.get();
  put_one(s, table::servers, "a", "old");
  auto before = must(s.begin_read());
  put_one(s, table::servers, "a", "new");
  put_one(s, table::servers, "b", "new");
  CHECK(must(before->get(table::servers, "a")) == "old");
  CHECK(before->count(table::servers) == 1);
  CHECK(get_one(s, table::servers, "a") == "new");
}

TEMPLATE_TEST_CASE("store: append needs ascending keys, and a refused one dooms the transaction", "[unit][store]",
                   in_memory, on_disk) {
  TestType fixture;
  store& s = fixture.get();
  auto w = must(s.begin_write());
  must(w->append(table::log, "01", "a"));
  must(w->append(table::log, "02", "b"));
  must(w->commit());
  for (const char* key : {"02", "01"}) {
    w.reset();
    w = must(s.begin_write());
    must(w->put(table::servers, "with it", "x"));
    CHECK(w->append(table::log, key, "again").error().code == ec::already_exists);
    CHECK(w->put(table::servers, "after it", "x").error().code == ec::already_exists);
    CHECK(w->commit().error().code == ec::already_exists);
  }
  w.reset();
  CHECK(must(s.begin_read())->count(table::servers) == 0);
  CHECK(must(s.begin_read())->count(table::log) == 2);
}

TEMPLATE_TEST_CASE("store: trim erases from below, as many as allowed", "[unit][store]", in_memory, on_disk) {
  TestType fixture;
  store& s = fixture.get();
  auto w = must(s.begin_write());
  for (const char* key : {"1", "2", "3", "4", "5"}) must(w->append(table::log, key, "x"));
  must(w->commit());
  w = must(s.begin_write());
  CHECK(must(w->trim(table::log, "4", 2)) == 2);
  CHECK(scan_keys(*w, table::log).keys == keys{"3", "4", "5"});
  CHECK(must(w->trim(table::log, "4", 10)) == 1);
  CHECK(must(w->trim(table::log, "4", 10)) == 0);
  must(w->commit());
  CHECK(scan_keys(*must(s.begin_read()), table::log).keys == keys{"4", "5"});
}

TEMPLATE_TEST_CASE("store: a second writer is refused at once, and admitted after the first", "[unit][store]",
                   in_memory, on_disk) {
  TestType fixture;
  store& s = fixture.get();
  auto first = must(s.begin_write());
  CHECK(s.begin_write().error().code == ec::busy);
  must(first->commit());
  auto second = must(s.begin_write());
  first.reset();  // a spent writer holds nothing any more
  CHECK(s.begin_write().error().code == ec::busy);
  second.reset();
  CHECK(s.begin_write().has_value());
}

TEMPLATE_TEST_CASE("store: a spent writer refuses everything", "[unit][store]", in_memory, on_disk) {
  TestType fixture;
  auto w = must(fixture.get().begin_write());
  must(w->commit());
  CHECK(w->put(table::servers, "a", "b").error().code == ec::wrong_state);
  CHECK(w->get(table::servers, "a").error().code == ec::wrong_state);
  CHECK(w->commit().error().code == ec::wrong_state);
}

TEMPLATE_TEST_CASE("store: keys, values and batches have limits", "[unit][store]", in_memory, on_disk) {
  TestType fixture;
  store& s = fixture.get();
  const auto refused = [&](auto&& change) { return change(*must(s.begin_write())).error().code; };
  CHECK(refused([](writer& w) { return w.put(table::servers, "", "x"); }) == ec::bad_request);
  CHECK(refused([](writer& w) { return w.put(table::servers, std::string(512, 'k'), "x"); }) == ec::too_large);
  CHECK(refused([](writer& w) { return w.put(table::servers, "k", std::string(value_bytes_max + 1, 'v')); }) ==
        ec::too_large);
  CHECK(refused([](writer& w) { return w.put(table::servers, "k", std::string(20'000, 'v')); }) == ec::too_large);
  auto w = must(s.begin_write());
  for (uint64_t n = 0; n < 100; ++n) must(w->put(table::servers, numbered(n), "v"));
  CHECK(w->put(table::servers, "one more", "v").error().code == ec::too_large);
  CHECK(w->commit().error().code == ec::too_large);
  w.reset();
  const std::string longest(key_bytes_max, 'k');
  put_one(s, table::servers, longest, "");
  CHECK(get_one(s, table::servers, longest) == "");
}

TEMPLATE_TEST_CASE("store: keys and values are bytes", "[unit][store]", in_memory, on_disk) {
  TestType fixture;
  store& s = fixture.get();
  const std::string key{"\0\xff\x01", 3}, value{"\0\0\x80\n", 4};
  put_one(s, table::operations, key, value);
  CHECK(get_one(s, table::operations, key) == value);
  put_one(s, table::operations, "\x7f", "below");
  CHECK(scan_keys(*must(s.begin_read()), table::operations).keys == keys{key, "\x7f"});
}

TEMPLATE_TEST_CASE("store: it reports its epoch and how much it holds", "[unit][store]", in_memory, on_disk) {
  TestType fixture;
  store& s = fixture.get();
  put_one(s, table::agents, "a", "1");
  const auto now = s.statistics();
  CHECK(now.epoch == s.epoch());
  CHECK(now.epoch != 0);
  CHECK(now.schema == 1);
  CHECK(now.records[static_cast<size_t>(table::agents)] == 1);
  CHECK(now.records[static_cast<size_t>(table::servers)] == 0);
}
