#include "persistence/memory_store.hpp"

#include "tests/integration/persistence/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace zedops::store;
using namespace zedops::store::test;
using zedops::msg::ec;

namespace {

result<void> try_put(store& s, std::string_view key, write_kind kind = write_kind::ordinary) {
  auto w = s.begin_write(kind);
  if (!w) return zedops::msg::fail(w.error());
  if (auto ok = (*w)->put(table::servers, key, "value"); !ok) return ok;
  return (*w)->commit();
}

}  // namespace

TEST_CASE("memory store: the chosen commit fails with the chosen error and keeps nothing", "[unit][store]") {
  memory_store s;
  s.fail_commit(2, {ec::internal, "bad disk", "", {}});
  must(try_put(s, "a"));
  CHECK(try_put(s, "b").error().message == "bad disk");
  must(try_put(s, "c"));
  CHECK(scan_keys(*must(s.begin_read()), table::servers).keys == std::vector<std::string>{"a", "c"});
  CHECK(s.commits() == 2);
}

TEST_CASE("memory store: a crash in a commit is never acknowledged, whatever it keeps", "[unit][store]") {
  const auto kept = GENERATE(crash_keeps::nothing, crash_keeps::everything);
  memory_store s;
  must(try_put(s, "a"));
  s.crash_in_commit(1, kept);
  CHECK_FALSE(try_put(s, "b").has_value());
  CHECK(s.begin_read().error().code == ec::internal);
  CHECK(s.begin_write().error().code == ec::internal);
  s.restart();
  CHECK(get_one(s, table::servers, "a") == "value");
  CHECK(get_one(s, table::servers, "b").has_value() == (kept == crash_keeps::everything));
  must(try_put(s, "c"));
}

TEST_CASE("memory store: a crash drops uncommitted changes and kills open transactions", "[unit][store]") {
  memory_store s;
  must(try_put(s, "a"));
  auto w = must(s.begin_write());
  must(w->put(table::servers, "b", "x"));
  auto r = must(s.begin_read());
  s.crash();
  s.restart();
  CHECK_FALSE(w->commit().has_value());
  CHECK_FALSE(r->get(table::servers, "a").has_value());
  auto next = must(s.begin_write());
  w.reset();  // the dead writer does not end the living one
  CHECK(s.begin_write().error().code == ec::busy);
  next.reset();
  CHECK(get_one(s, table::servers, "b") == std::nullopt);
}

TEST_CASE("memory store: a full disk refuses new work and lets essential writes and reads pass",
          "[unit][store][fc-63]") {
  memory_store s;
  must(try_put(s, "a"));
  auto caught_in_between = must(s.begin_write());
  must(caught_in_between->put(table::servers, "x", "y"));
  s.set_disk(disk::is_full);
  CHECK(caught_in_between->commit().error().code == ec::store_full);
  caught_in_between.reset();
  const auto refused = try_put(s, "b");
  CHECK(refused.error().code == ec::store_full);
  CHECK_FALSE(refused.error().hint.empty());
  must(try_put(s, "stop", write_kind::essential));
  CHECK(get_one(s, table::servers, "a") == "value");
  s.set_disk(disk::has_room);
  must(try_put(s, "b"));
}

TEST_CASE("memory store: a damaged record is reported, never returned, and a put heals it", "[unit][store]") {
  memory_store s;
  for (const char* key : {"a", "b", "c"}) must(try_put(s, key));
  CHECK(s.damage(table::servers, "b"));
  CHECK_FALSE(s.damage(table::servers, "nothing"));
  auto r = must(s.begin_read());
  CHECK(r->get(table::servers, "b").error().code == ec::internal);
  const auto found = scan_keys(*r, table::servers);
  CHECK(found.keys == std::vector<std::string>{"a", "c"});
  REQUIRE(found.damaged.size() == 1);
  CHECK(found.damaged[0].key == "b");
  must(try_put(s, "b"));
  CHECK(get_one(s, table::servers, "b") == "value");
}
