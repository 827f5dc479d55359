// Who may open a store, and what happens to its schema on the way.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/integration/persistence/scratch.hpp"

using namespace zedops::store;
using namespace zedops::store::test;
using zedops::msg::ec;

namespace {

lmdb_options at_schema(const std::filesystem::path& dir, uint32_t schema, std::vector<migration> migrations = {}) {
  auto o = options_for(dir);
  o.schema = schema;
  o.migrations = std::move(migrations);
  return o;
}

// Adds a field to every server.
migration add_deleted_at(uint32_t from) {
  return {from, "servers get deleted_at", [](writer& w) -> result<void> {
            std::vector<std::pair<std::string, std::string>> rows;
            auto read = w.scan(
                table::servers, {}, direction::forward,
                [&](std::string_view key, std::string_view value) { return rows.emplace_back(key, value), true; },
                [](const corrupt_record&) {});
            if (!read) return read;
            for (auto& [key, value] : rows)
              if (auto ok = w.put(table::servers, key, value + ",deleted_at=null"); !ok) return ok;
            return {};
          }};
}

}  // namespace

TEST_CASE("store: everything is there when the store is opened again, under the same epoch", "[integration][store]") {
  scratch_dir dir;
  auto s = must(open_lmdb(options_for(dir / "new")));
  CHECK(s->statistics().opened == opened_as::created);
  const auto epoch = s->epoch();
  put_one(*s, table::servers, "a", "1");
  s.reset();
  s = must(open_lmdb(options_for(dir / "new")));
  CHECK(s->statistics().opened == opened_as::clean);
  CHECK(s->epoch() == epoch);
  CHECK(get_one(*s, table::servers, "a") == "1");
  scratch_dir other;
  CHECK(must(open_lmdb(options_for(other.path())))->epoch() != epoch);
}

TEST_CASE("store: a second manager is refused, and the error names the pid of the first", "[integration][store]") {
  scratch_dir dir;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t first = ::fork();
  if (first == 0) {
    auto s = open_lmdb(options_for(dir.path()));
    if (::write(ready[1], s ? "y" : "n", 1) == 1) ::pause();
    ::_exit(0);
  }
  char answer = 0;
  REQUIRE(::read(ready[0], &answer, 1) == 1);
  REQUIRE(answer == 'y');
  const auto refused = open_lmdb(options_for(dir.path()));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ec::busy);
  CHECK(refused.error().message == "another manager (pid " + std::to_string(first) + ") uses " + dir.path().string());
  ::kill(first, SIGKILL);
  REQUIRE(::waitpid(first, nullptr, 0) == first);
  CHECK(open_lmdb(options_for(dir.path())).has_value());  // the lock died with its owner
  for (const int fd : ready) ::close(fd);
}

TEST_CASE("store: one process opens a directory once", "[integration][store]") {
  scratch_dir dir;
  const auto s = must(open_lmdb(options_for(dir.path())));
  CHECK(open_lmdb(options_for(dir.path())).error().code == ec::busy);
  auto reading = options_for(dir.path());
  reading.mode = access::read_only;
  CHECK(open_lmdb(reading).error().code == ec::busy);
}

TEST_CASE("store: an older store is migrated in place, step by step", "[integration][store][acc-1][acc-78]") {
  scratch_dir dir;
  auto s = must(open_lmdb(at_schema(dir.path(), 1)));
  const auto epoch = s->epoch();
  fill(*s, table::servers, 3000, 4);  // more than an ordinary transaction may change
  s.reset();
  migration second{2, "claims", [](writer& w) { return w.put(table::claims, "made in", "2 to 3"); }};
  s = must(open_lmdb(at_schema(dir.path(), 3, {second, add_deleted_at(1)})));
  CHECK(s->statistics().schema == 3);
  CHECK(s->epoch() == epoch);
  CHECK(get_one(*s, table::servers, numbered(0)) == "aaaa,deleted_at=null");
  CHECK(get_one(*s, table::servers, numbered(2999)).value().ends_with(",deleted_at=null"));
  CHECK(get_one(*s, table::claims, "made in") == "2 to 3");
  s.reset();
  s = must(open_lmdb(at_schema(dir.path(), 3)));  // done once and for all
  CHECK(get_one(*s, table::servers, numbered(0)) == "aaaa,deleted_at=null");
}

TEST_CASE("store: a failed migration leaves the old data readable by the old program", "[integration][store][acc-1]") {
  scratch_dir dir;
  auto s = must(open_lmdb(at_schema(dir.path(), 1)));
  fill(*s, table::servers, 10, 4);
  s.reset();
  const bool throws = GENERATE(false, true);
  migration broken{2, "broken", [throws](writer& w) -> result<void> {
                     if (auto ok = w.put(table::servers, "half", "done"); !ok) return ok;
                     if (throws) throw std::runtime_error("unreadable record");
                     return zedops::msg::fail(ec::internal, "unreadable record");
                   }};
  const auto refused = open_lmdb(at_schema(dir.path(), 3, {add_deleted_at(1), broken}));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("from schema 2 (broken): unreadable record") != std::string::npos);
  s = must(open_lmdb(at_schema(dir.path(), 1)));
  CHECK(s->statistics().schema == 1);
  CHECK(s->statistics().records[static_cast<size_t>(table::servers)] == 10);
  CHECK(get_one(*s, table::servers, numbered(0)) == "aaaa");
}

TEST_CASE("store: a newer store is refused with both schema numbers and left alone", "[integration][store]") {
  scratch_dir dir;
  must(open_lmdb(at_schema(dir.path(), 7)));
  auto older = at_schema(dir.path(), 5);
  const auto mode = GENERATE(access::read_write, access::read_only);
  older.mode = mode;
  const auto refused = open_lmdb(older);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ec::wrong_state);
  CHECK(refused.error().message == "the store has schema 7, this program knows schemas up to 5");
  CHECK(must(open_lmdb(at_schema(dir.path(), 7)))->statistics().schema == 7);
}

TEST_CASE("store: a gap in the migrations is refused before anything changes", "[integration][store]") {
  scratch_dir dir;
  must(open_lmdb(at_schema(dir.path(), 1)));
  CHECK(open_lmdb(at_schema(dir.path(), 3, {add_deleted_at(2)})).error().code == ec::wrong_state);
  CHECK(must(open_lmdb(at_schema(dir.path(), 1)))->statistics().schema == 1);
}

TEST_CASE("store: a store whose file is missing is not silently started over", "[integration][store]") {
  scratch_dir dir;
  must(open_lmdb(options_for(dir.path())));
  std::filesystem::remove(dir / "data.mdb");
  const auto refused = open_lmdb(options_for(dir.path()));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().hint.find("zedctl store restore") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(dir / "data.mdb"));
}

TEST_CASE("store: a first start that was killed halfway is started over", "[integration][store]") {
  scratch_dir dir;
  std::ofstream(dir / "lock") << "creating 12345\n";
  std::ofstream(dir / "data.mdb") << "half a header";
  CHECK(must(open_lmdb(options_for(dir.path())))->statistics().opened == opened_as::created);
}
