// Which manager is meant.
#include "tools/zedctl/cli/context.hpp"

#include <sys/stat.h>

#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"

using namespace zedops;
using namespace zedops::ctl;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;

TEST_CASE("endpoint: flag before environment before context before default", "[unit][zedctl]") {
  bench b;
  CHECK(find_target(b.w, "", "")->where.clients == "ipc:///run/user/7/zedops/clients.ipc");
  CHECK(find_target(b.w, "", "")->where.events == "ipc:///run/user/7/zedops/events.ipc");
  b.w.root = true;
  CHECK(find_target(b.w, "", "")->where.clients == "ipc:///run/zedops/clients.ipc");
  REQUIRE(b.run({"context", "add", "one", "--endpoint", "ipc:///one/clients.ipc"}) == 0);
  REQUIRE(b.run({"context", "add", "two", "--endpoint", "ipc:///two/clients.ipc", "--events", "ipc:///e.ipc"}) == 0);
  CHECK(find_target(b.w, "", "")->where.clients == "ipc:///one/clients.ipc");
  CHECK(find_target(b.w, "", "two")->where.events == "ipc:///e.ipc");
  b.w.env["ZEDCTL_CONTEXT"] = "two";
  CHECK(find_target(b.w, "", "")->where.clients == "ipc:///two/clients.ipc");
  b.w.env["ZEDCTL_ENDPOINT"] = "ipc:///env/clients.ipc";
  CHECK(find_target(b.w, "", "")->where.clients == "ipc:///env/clients.ipc");
  CHECK(find_target(b.w, "", "one")->where.clients == "ipc:///one/clients.ipc");
  CHECK(find_target(b.w, "ipc:///flag/clients.ipc", "one")->where.clients == "ipc:///flag/clients.ipc");
}

TEST_CASE("context: add, use, ls and rm", "[unit][zedctl]") {
  bench b;
  REQUIRE(b.run({"context", "add", "one", "--endpoint", "ipc:///one/clients.ipc"}) == 0);
  REQUIRE(b.run({"context", "add", "two", "--endpoint", "ipc:///two/clients.ipc", "--production"}) == 0);
  struct stat info {};
  REQUIRE(stat(context_path(b.w).c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  REQUIRE(b.run({"context", "use", "two"}) == 0);
  REQUIRE(b.run({"context", "ls"}) == 0);
  CHECK(b.out.str() ==
        "CURRENT  NAME  ENDPOINT                PRODUCTION\n"
        "-        one   ipc:///one/clients.ipc  no\n"
        "*        two   ipc:///two/clients.ipc  yes\n");
  CHECK(b.run({"context", "use", "tow"}) == 3);
  CHECK_THAT(b.err.str(), Contains("did you mean 'two'?"));
  REQUIRE(b.run({"context", "rm", "two"}) == 0);
  CHECK(read_contexts(context_path(b.w))->current.empty());
  CHECK(b.run({"ps", "--context", "two"}) == 3);
  CHECK(b.run({"context", "add", "three"}) == 2);
}

TEST_CASE("context: a broken file is named with line and column, and nothing is overwritten", "[unit][zedctl]") {
  bench b;
  auto path = context_path(b.w);
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << "current = \"one\"\n[contexts\n";
  CHECK(b.run({"ps"}) == 2);
  CHECK_THAT(b.err.str(), Contains(path.string() + ":2:"));
  CHECK(b.run({"context", "add", "one", "--endpoint", "ipc:///x"}) == 2);
  std::stringstream kept;
  kept << std::ifstream(path).rdbuf();
  CHECK_THAT(kept.str(), Contains("[contexts\n"));
}
