// What a manager reads of its store when it starts.
#include "actors/manager/records/catalog.hpp"
#include "actors/manager/records/records.hpp"
#include "messages/wire/codec.hpp"
#include "persistence/memory_store.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::manager;

namespace {

struct counting final : rt::randomness {
  uint64_t n = 0;
  uint64_t bits() override { return ++n; }
};

}  // namespace

TEST_CASE("recover: the numbers of an unreadable entry are not used again", "[unit][manager][acc-90]") {
  store::memory_store db;
  auto w = db.begin_write(store::write_kind::ordinary).value();
  msg::log_entry e;
  e.entity = "s1";
  e.first_seq = 4;
  e.facts.push_back({"server.s1", 1, msg::server_restored{}});
  REQUIRE(w->append(store::table::log, log_key(4), msg::pack(e)));
  REQUIRE(w->append(store::table::log, log_key(7), "\x96\xc1 of another time"));
  REQUIRE(w->commit());
  catalog records;
  counting random;
  const auto r = recover(db, kind_list{}, records, random);
  REQUIRE(r);
  CHECK(r->last_seq == 7 + 256);  // how many facts it has is unknown
  CHECK(r->damaged == 1);
}
