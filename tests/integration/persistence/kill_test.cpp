// kill -9 at random moments: acknowledged transactions are there, others are there completely or not at all.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "tests/integration/persistence/scratch.hpp"

using namespace zedops::store;
using namespace zedops::store::test;

namespace {

constexpr uint64_t per_transaction = 5;

// Transaction n writes five records and a counter, then reports n.
[[noreturn]] void write_for_ever(const std::filesystem::path& dir, uint64_t from, int out) {
  auto s = open_lmdb(options_for(dir));
  if (!s) ::_exit(1);
  for (uint64_t n = from;; ++n) {
    auto w = (*s)->begin_write();
    if (!w) ::_exit(2);
    for (uint64_t i = 0; i < per_transaction; ++i)
      if (!(*w)->append(table::log, numbered(n * per_transaction + i), std::string(300, 'f'))) ::_exit(3);
    if (!(*w)->put(table::servers, "last", std::to_string(n)) || !(*w)->commit()) ::_exit(4);
    if (::write(out, &n, sizeof n) != sizeof n) ::_exit(5);
  }
}

}  // namespace

TEST_CASE("store: no acknowledged commit is lost to kill -9", "[integration][store]") {
  scratch_dir dir;
  must(open_lmdb(options_for(dir.path())));
  std::mt19937 random(11);
  uint64_t next = 0;
  for (int round = 0; round < 20; ++round) {
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) write_for_ever(dir.path(), next, pipe_ends[1]);
    ::close(pipe_ends[1]);
    const uint64_t kill_after = next + 5 + random() % 100;
    uint64_t acknowledged = 0, said = 0;
    bool any = false;
    while (::read(pipe_ends[0], &said, sizeof said) == sizeof said) {
      acknowledged = said;
      any = true;
      if (said == kill_after) ::kill(child, SIGKILL);  // the child is somewhere in its next commit
    }
    ::close(pipe_ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(any);
    REQUIRE(WIFSIGNALED(status));

    auto s = must(open_lmdb(options_for(dir.path())));
    CHECK(s->statistics().opened == opened_as::verified);
    CHECK(s->statistics().damaged_at_open == 0);
    const auto last = std::stoull(get_one(*s, table::servers, "last").value());
    CHECK(last >= acknowledged);
    CHECK(last <= acknowledged + 1);
    CHECK(must(s->begin_read())->count(table::log) == (last + 1) * per_transaction);
    next = last + 1;
  }
}
