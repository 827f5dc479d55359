// Files that rotted, were cut off or overwritten: reported, never believed, and never the end of the process.
#include <fstream>
#include <random>

#include "persistence/detail/guard.hpp"
#include "persistence/inspect.hpp"
#include "tests/integration/persistence/scratch.hpp"

using namespace zedops::store;
using namespace zedops::store::test;
using zedops::msg::ec;
namespace fs = std::filesystem;

namespace {

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const fs::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
void pretend_crash(const fs::path& dir) { write_file(dir / "lock", "open 1\n"); }

constexpr uint64_t records = 2000;

// A directory with a closed store of 2,000 servers.
struct closed_store {
  scratch_dir dir;
  closed_store() {
    auto s = must(open_lmdb(options_for(dir.path())));
    fill(*s, table::servers, records);
  }
  fs::path file() const { return dir / "data.mdb"; }
  void flip_value_of(uint64_t record) const {
    auto bytes = read_file(file());
    const auto at = bytes.rfind(numbered(record));
    REQUIRE(at != std::string::npos);
    bytes[at + 100] ^= 1;
    write_file(file(), bytes);
  }
};

}  // namespace

TEST_CASE("store: a flipped bit is reported, and all the others are still read", "[integration][store]") {
  closed_store home;
  home.flip_value_of(1234);
  const bool crashed = GENERATE(false, true);
  if (crashed) pretend_crash(home.dir.path());
  auto s = must(open_lmdb(options_for(home.dir.path())));
  CHECK(s->statistics().opened == (crashed ? opened_as::verified : opened_as::clean));
  CHECK(s->statistics().damaged_at_open == (crashed ? 1 : 0));
  const auto refused = must(s->begin_read())->get(table::servers, numbered(1234));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ec::internal);
  CHECK(refused.error().message.find(numbered(1234)) != std::string::npos);
  CHECK(get_one(*s, table::servers, numbered(1235)).has_value());
  const auto found = scan_keys(*must(s->begin_read()), table::servers);
  CHECK(found.keys.size() == records - 1);
  REQUIRE(found.damaged.size() == 1);
  CHECK(found.damaged[0].key == numbered(1234));
  CHECK(found.damaged[0].raw.size() == 409);
  put_one(*s, table::servers, numbered(1234), "healed");
  CHECK(get_one(*s, table::servers, numbered(1234)) == "healed");
}

TEST_CASE("store: a file cut off anywhere is refused with a way out, without a SIGBUS", "[integration][store]") {
  closed_store home;
  const auto whole = read_file(home.file());
  const auto eighths = GENERATE(0, 1, 2, 4, 6, 7);
  const auto left = eighths == 1 ? 100 : whole.size() * static_cast<size_t>(eighths) / 8;
  INFO(left << " of " << whole.size() << " bytes");
  write_file(home.file(), std::string_view(whole).substr(0, left));
  const auto mode = GENERATE(access::read_write, access::read_only);
  auto o = options_for(home.dir.path());
  o.mode = mode;
  const auto refused = open_lmdb(o);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ec::internal);
  CHECK(refused.error().message.find("is damaged") != std::string::npos);
  CHECK(refused.error().hint.find("zedctl store restore") != std::string::npos);
  CHECK(fs::file_size(home.file()) == left);  // nothing was made worse
}

TEST_CASE("store: a file shorter than its header says, with every record there, is opened and filled up",
          "[integration][store]") {
  closed_store home;
  {  // the last pages become free ones
    auto s = must(open_lmdb(options_for(home.dir.path())));
    for (int round = 0; round < 4; ++round) {
      auto w = must(s->begin_write());
      must(w->trim(table::servers, "l", 1500));
      must(w->commit());
    }
  }
  const auto facts = detail::look_at(home.file());
  REQUIRE(facts.look == detail::file_look::sound);
  fs::resize_file(home.file(), facts.needed_bytes - facts.page_bytes);
  auto s = must(open_lmdb(options_for(home.dir.path())));
  CHECK(s->statistics().opened == opened_as::verified);
  CHECK(fs::file_size(home.file()) >= facts.needed_bytes);
  fill(*s, table::servers, records);
  CHECK(must(s->begin_read())->count(table::servers) == records);
}

TEST_CASE("store: after a crash a zeroed or torn page is found before the manager trusts the file",
          "[integration][store]") {
  closed_store home;
  const auto whole = read_file(home.file());
  const size_t pages = whole.size() / 4096;
  std::mt19937 random(7);
  int refused = 0, told = 0, harmless = 0;
  for (int round = 0; round < 60; ++round) {
    auto bytes = whole;
    const size_t page = 2 + random() % (pages - 2);
    for (size_t i = round % 2 ? 2048 : 0; i < 4096; ++i) bytes[page * 4096 + i] = 0;
    write_file(home.file(), bytes);
    pretend_crash(home.dir.path());
    INFO("page " << page << ", round " << round);
    auto s = open_lmdb(options_for(home.dir.path()));
    if (!s) {
      CHECK(s.error().message.find("is damaged") != std::string::npos);
      ++refused;
      continue;
    }
    // Opened: then every record is either right or reported as damaged.
    const auto found = scan_keys(*must((*s)->begin_read()), table::servers);
    CHECK(found.keys.size() + found.damaged.size() == records);
    CHECK(found.damaged.size() == (*s)->statistics().damaged_at_open);
    found.damaged.empty() ? ++harmless : ++told;
  }
  CHECK(refused > 10);
  CHECK(refused + told > harmless);
}

TEST_CASE("store: an overwritten header is refused at once", "[integration][store]") {
  closed_store home;
  auto bytes = read_file(home.file());
  const size_t at = GENERATE(16, 4096 + 16, 40, 136 + 5);  // magic of both pages, page size, last page
  bytes[at] ^= 0x55;
  write_file(home.file(), bytes);
  const auto refused = open_lmdb(options_for(home.dir.path()));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().hint.find("zedctl store restore") != std::string::npos);
}

TEST_CASE("store: verify names what is damaged, and finds a sound store sound", "[integration][store]") {
  closed_store home;
  auto report = must(verify(home.dir.path()));
  CHECK(report.sound());
  CHECK(report.schema == 1);
  CHECK(report.epoch != 0);
  CHECK(report.file_bytes == fs::file_size(home.file()));
  CHECK(report.records[static_cast<size_t>(table::servers)] == records);
  home.flip_value_of(1);
  home.flip_value_of(1999);
  report = must(verify(home.dir.path()));
  CHECK_FALSE(report.sound());
  CHECK(report.structure.empty());
  CHECK(report.damaged == 2);
  REQUIRE(report.listed.size() == 2);
  CHECK(report.listed[1].key == numbered(1999));
  fs::resize_file(home.file(), fs::file_size(home.file()) / 2);
  report = must(verify(home.dir.path()));
  CHECK_FALSE(report.structure.empty());
  CHECK(verify(home.dir / "nowhere").error().code == ec::not_found);
}

TEST_CASE("store: a walk that takes too long is abandoned, and this is reported", "[integration][store]") {
  closed_store home;
  const auto report = must(verify(home.dir.path(), std::chrono::milliseconds{0}));
  CHECK_FALSE(report.complete);
  CHECK_FALSE(report.sound());
  pretend_crash(home.dir.path());
  auto o = options_for(home.dir.path());
  o.check_deadline = std::chrono::milliseconds{0};
  CHECK(must(open_lmdb(o))->statistics().opened == opened_as::partly_verified);
}
