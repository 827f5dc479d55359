// The store verbs, on a real store in a temporary directory.
#include <fstream>

#include "persistence/lmdb_store.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"

using namespace zedops;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;

namespace {

void fill(const std::filesystem::path& dir) {
  store::lmdb_options options;
  options.dir = dir;
  options.reserve_bytes = 0;
  auto opened = store::open_lmdb(options);
  REQUIRE(opened);
  auto txn = (*opened)->begin_write();
  REQUIRE(txn);
  msg::server s;
  s.id = {"s1aaaaaaaaaaaaa"};
  s.name = "pz1";
  REQUIRE((*txn)->put(store::table::servers, s.id.value, msg::pack(s)));
  msg::log_entry entry;
  entry.first_seq = 4;
  entry.facts = {{"server.s1aaaaaaaaaaaaa", 1, msg::server_restored{noon}}};
  REQUIRE((*txn)->put(store::table::log, std::string("\0\x01", 2), msg::pack(entry)));
  REQUIRE((*txn)->commit());
}

}  // namespace

TEST_CASE("store: verify, dump, backup and restore without a manager", "[unit][zedctl]") {
  bench b;
  auto dir = (b.home / "data").string();
  fill(dir);
  CHECK(b.run({"store", "verify", "--data-dir", dir}) == 0);
  CHECK_THAT(b.out.str(), Contains("sound") && Contains("1 record"));
  b.out.str("");
  CHECK(b.run({"store", "dump", "--data-dir", dir, "--table", "servers"}) == 0);
  CHECK_THAT(b.out.str(), Contains(R"("table":"servers","key":"s1aaaaaaaaaaaaa")") && Contains(R"("name":"pz1")"));
  b.out.str("");
  CHECK(b.run({"store", "dump", "--data-dir", dir, "--table", "log"}) == 0);
  CHECK_THAT(b.out.str(), Contains(R"("key":"\\x00\\x01")") && Contains("server.restored"));
  auto copy = (b.home / "copy.mdb").string();
  CHECK(b.run({"store", "backup", copy, "--data-dir", dir}) == 0);
  CHECK(b.run({"store", "backup", copy, "--data-dir", dir}) == 4);
  auto fresh = (b.home / "fresh").string();
  CHECK(b.run({"store", "restore", copy, "--data-dir", fresh}) == 2);
  CHECK(b.run({"store", "restore", copy, "--data-dir", fresh, "--yes"}) == 0);
  CHECK(b.run({"store", "restore", copy, "--data-dir", fresh, "--yes"}) == 4);
  CHECK(b.run({"store", "restore", copy, "--data-dir", fresh, "--yes", "--set-aside"}) == 0);
  CHECK(b.connections == 0);
}

TEST_CASE("store: a directory without a store is not found", "[unit][zedctl]") {
  bench b;
  CHECK(b.run({"store", "verify", "--data-dir", (b.home / "nowhere").string()}) == 3);
}
