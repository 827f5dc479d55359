// Copies: made while the store is written, restored elsewhere.
#include "persistence/inspect.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/integration/persistence/scratch.hpp"

using namespace zedops::store;
using namespace zedops::store::test;
using zedops::msg::ec;
namespace fs = std::filesystem;

TEST_CASE("store: a backup made while others write is one moment, and restores under a new epoch",
          "[integration][store]") {
  scratch_dir dir;
  uint64_t epoch = 0;
  {
    auto s = must(open_lmdb(options_for(dir / "live")));
    epoch = s->epoch();
    fill(*s, table::servers, 1000);
    std::atomic<bool> stop{false};
    std::thread journal([&] {  // each transaction makes the same change in both tables
      for (uint64_t n = 0; !stop; ++n) {
        auto w = s->begin_write();
        if (!w || !(*w)->put(table::log, numbered(n), "fact") || !(*w)->put(table::operations, numbered(n), "state"))
          return;
        if (!(*w)->commit()) return;
      }
    });
    const auto report = s->backup(dir / "copy");
    stop = true;
    journal.join();
    REQUIRE(report.has_value());
    CHECK(report->sound());
    CHECK(report->epoch == epoch);
    CHECK(s->backup(dir / "copy").error().code == ec::already_exists);
    CHECK_FALSE(fs::exists(dir / "copy.part"));
    CHECK(report->records[static_cast<size_t>(table::log)] == report->records[static_cast<size_t>(table::operations)]);
  }
  const auto done = must(restore({dir / "copy", dir / "new", existing::refuse}));
  CHECK(done.restored.sound());
  CHECK(done.restored.epoch != epoch);
  CHECK(done.set_aside.empty());
  auto s = must(open_lmdb(options_for(dir / "new")));
  CHECK(s->epoch() == done.restored.epoch);
  CHECK(s->statistics().opened == opened_as::clean);
  CHECK(must(s->begin_read())->count(table::servers) == 1000);
  CHECK(scan_keys(*must(s->begin_read()), table::servers).damaged.empty());
}

TEST_CASE("store: restore refuses a directory with a store, or sets it aside and keeps the last few",
          "[integration][store][fc-25]") {
  scratch_dir dir;
  {
    auto s = must(open_lmdb(options_for(dir / "live")));
    put_one(*s, table::servers, "from", "the backup");
    must(s->backup(dir / "copy"));
    put_one(*s, table::servers, "from", "later");
  }
  const auto refused = restore({dir / "copy", dir / "live", existing::refuse});
  CHECK(refused.error().code == ec::already_exists);
  for (size_t round = 0; round < set_aside_max + 2; ++round) {
    const auto done = must(restore({dir / "copy", dir / "live", existing::set_aside}));
    CHECK(fs::exists(done.set_aside));
    CHECK(get_one(*must(open_lmdb(options_for(dir / "live"))), table::servers, "from") == "the backup");
  }
  size_t aside = 0;
  for (const auto& entry : fs::directory_iterator(dir / "live"))
    aside += entry.path().filename().string().starts_with("data.mdb.aside-");
  CHECK(aside == set_aside_max);
}

namespace {

constexpr uid_t service = 65534;  // nobody

// Runs the check in a process of that user.
template <class F>
bool as_service(F check) {
  const auto child = fork();
  if (child == 0) _exit(setgid(service) == 0 && setuid(service) == 0 && check() ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

TEST_CASE("store: a store that root restores belongs to the directory's owner, who can use it",
          "[integration][store]") {
  if (geteuid() != 0) return;  // only root can give files away
  scratch_dir dir;
  {
    auto s = must(open_lmdb(options_for(dir / "live")));
    put_one(*s, table::servers, "from", "the backup");
    must(s->backup(dir / "copy"));
  }
  REQUIRE(chown(dir.path().c_str(), service, service) == 0);
  fs::create_directory(dir / "new");
  REQUIRE(chown((dir / "new").c_str(), service, service) == 0);
  for (auto present : {existing::refuse, existing::set_aside}) {
    must(restore({dir / "copy", dir / "new", present}));
    for (const auto& entry : fs::directory_iterator(dir / "new")) {
      struct stat s {};
      REQUIRE(::lstat(entry.path().c_str(), &s) == 0);
      INFO(entry.path());
      CHECK(s.st_uid == service);
      CHECK((s.st_mode & 077) == 0);
    }
    CHECK(as_service([&] {
      auto s = open_lmdb(options_for(dir / "new"));
      return s && get_one(**s, table::servers, "from") == "the backup";
    }));
  }
}

TEST_CASE("store: an unreadable file is not reported as damaged", "[integration][store]") {
  if (geteuid() != 0) return;  // root can read everything, and only root can leave a file of root's
  scratch_dir dir;
  { must(open_lmdb(options_for(dir / "live"))); }
  REQUIRE(chown(dir.path().c_str(), service, service) == 0);
  for (const auto* owned : {"live", "live/lock"})
    if (fs::exists(dir / owned)) REQUIRE(chown((dir / owned).c_str(), service, service) == 0);
  CHECK(as_service([&] {
    const auto s = open_lmdb(options_for(dir / "live"));
    return !s && s.error().code == ec::forbidden && s.error().message.find("damaged") == std::string::npos &&
           s.error().hint.find("chown") != std::string::npos;
  }));
}

TEST_CASE("store: restore touches nothing when the backup is damaged, absent, or the store in use",
          "[integration][store]") {
  scratch_dir dir;
  auto s = must(open_lmdb(options_for(dir / "live")));
  fill(*s, table::servers, 500);
  must(s->backup(dir / "copy"));
  CHECK(restore({dir / "copy", dir / "live", existing::set_aside}).error().code == ec::busy);
  s.reset();
  CHECK(restore({dir / "nothing", dir / "live", existing::set_aside}).error().code == ec::not_found);
  fs::resize_file(dir / "copy", fs::file_size(dir / "copy") / 2);
  const auto refused = restore({dir / "copy", dir / "live", existing::set_aside});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().hint.find("nothing was changed") != std::string::npos);
  CHECK(must(open_lmdb(options_for(dir / "live")))->statistics().records[1] == 500);
}

TEST_CASE("store: dump and backup read a closed directory, and report what they cannot find", "[integration][store]") {
  scratch_dir dir;
  put_one(*must(open_lmdb(options_for(dir / "live"))), table::agents, "host-1", "value");
  std::vector<std::string> rows;
  must(dump(
      dir / "live", table::agents,
      [&](std::string_view key, std::string_view value) {
        return rows.push_back(std::string(key) + "=" + std::string(value)), true;
      },
      [](const corrupt_record&) { FAIL_CHECK("no record is damaged"); }));
  CHECK(rows == std::vector<std::string>{"host-1=value"});
  CHECK(must(backup(dir / "live", dir / "copy")).sound());
  CHECK(backup(dir / "nowhere", dir / "other").error().code == ec::not_found);
  CHECK(must(open_lmdb(options_for(dir / "live")))->statistics().opened == opened_as::clean);  // tools leave no trace
}

TEST_CASE("store: a tool verifies, dumps and copies while the manager writes", "[integration][store]") {
  scratch_dir dir;
  int go[2];
  REQUIRE(::pipe(go) == 0);
  const pid_t tool = ::fork();  // before the store is open here
  if (tool == 0) {
    char c = 0;
    if (::read(go[0], &c, 1) != 1) ::_exit(2);
    for (int round = 0; round < 5; ++round) {
      const auto report = verify(dir / "live");
      if (!report || !report->sound()) ::_exit(3);
      const auto copied = backup(dir / "live", dir / ("copy" + std::to_string(round)));
      if (!copied || !copied->sound()) ::_exit(4);
    }
    ::_exit(0);
  }
  auto s = must(open_lmdb(options_for(dir / "live")));
  fill(*s, table::servers, 1000);
  REQUIRE(::write(go[1], "g", 1) == 1);
  int status = 0;
  uint64_t written = 0;
  while (::waitpid(tool, &status, WNOHANG) == 0) put_one(*s, table::servers, numbered(written++ % 1500), "changed");
  CHECK(written > 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  for (const int fd : go) ::close(fd);
}
