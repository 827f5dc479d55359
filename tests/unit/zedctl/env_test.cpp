// Variables from the command line, from files and from the environment of zedctl.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tools/zedctl/input/env_input.hpp"

using namespace zedops;
using namespace zedops::ctl;

namespace {

struct given {
  std::filesystem::path file = std::filesystem::temp_directory_path() / ("zedctl-env-" + std::to_string(::getpid()));
  std::istringstream in;
  std::ostringstream out, err;
  world w{out, err, in};
  arguments a;
  ~given() { std::filesystem::remove(file); }
  void write(const std::string& text) {
    std::ofstream(file) << text;
    a.set("env-file", {file.string()});
  }
  auto read() { return environment_of(w, a); }
};

}  // namespace

TEST_CASE("env: files are read as docker reads them, and the command line takes precedence", "[unit][zedctl]") {
  given g;
  g.w.env = {{"SECRET", "s3"}, {"EMPTY", ""}};
  g.write("# players\nA=1\n\n  B=x=y # kept\r\nSECRET\nEMPTY\nC=\n");
  g.a.set("env", {"A=2", "SECRET=other"});
  const auto r = g.read();
  REQUIRE(r);
  CHECK(*r == std::map<std::string, std::string>{
                  {"A", "2"}, {"B", "x=y # kept"}, {"SECRET", "other"}, {"EMPTY", ""}, {"C", ""}});
}

TEST_CASE("env: an unreadable line or file is named with its place", "[unit][zedctl]") {
  given g;
  SECTION("a line") {
    g.write("A=1\nnot a variable\n");
    CHECK(g.read().error().message.find(":2: 'not a variable'") != std::string::npos);
  }
  SECTION("a variable that is not set") {
    g.a.set("env", {"NOWHERE"});
    CHECK(g.read().error().message == "--env: NOWHERE is not set in this environment, so it has no value to pass on");
  }
  SECTION("a file") {
    g.a.set("env-file", {"/no/such/file"});
    CHECK(g.read().error().message == "cannot read /no/such/file");
  }
}
