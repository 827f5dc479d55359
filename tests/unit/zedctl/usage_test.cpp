// Command lines that are wrong, help, completion.
#include <iterator>
#include <set>
#include <sstream>

#include "messages/api/operations.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/cli/help.hpp"

using namespace zedops;
using namespace zedops::ctl;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;

namespace {
struct wrong_line {
  std::vector<std::string> line;
  std::string says;
};
}  // namespace

TEST_CASE("usage: a wrong command line exits 2 and suggests what was meant", "[unit][zedctl]") {
  const std::vector<wrong_line> lines = {
      {{"server", "strat", "pz1"}, "did you mean 'start'?"},
      {{"sevrer", "ls"}, "did you mean 'server'?"},
      {{"stpo", "pz1"}, "did you mean 'stop'?"},
      {{"server"}, "'server' needs a verb"},
      {{"server", "start"}, "NAME"},
      {{"server", "start", "--fesh", "pz1"}, "did you mean '--fresh'?"},
      {{"server", "ls", "--outptu", "json"}, "did you mean '--output'?"},
      {{"server", "ls", "-o", "jsn"}, "did you mean 'json'?"},
      {{"server", "ls", "--status", "runing"}, "did you mean 'running'?"},
      {{"server", "create", "pz1"}, "--agent"},
      {{"server", "create", "pz1", "--agent", "a", "--game-port", "70000"}, "not a port"},
      {{"server", "create", "pz1", "--agent", "a", "--env", "=VALUE"}, "KEY=VALUE"},
      {{"port", "check", "--agent", "a", "16261/sctp"}, "not a port"},
      {{"op", "ls", "--limit", "many"}, "whole number"},
      {{"status", "extra"}, "unexpected argument"},
      {{"op", "wait", "o1", "--timeout", "5"}, "90s, 2m"},
      {{"completion", "tcsh"}, "bash, zsh and fish"},
  };
  for (const auto& [line, says] : lines) {
    bench b;
    INFO(says);
    CHECK(b.run(line) == 2);
    CHECK_THAT(b.err.str(), Contains(says));
    CHECK(b.out.str().empty());
    CHECK(b.connections == 0);
  }
}

TEST_CASE("usage: with -o json the error is JSON too", "[unit][zedctl]") {
  bench b;
  CHECK(b.run({"server", "strat", "-o", "json"}) == 2);
  CHECK_THAT(b.err.str(), Contains(R"({"error":{"code":"bad_request")"));
}

TEST_CASE("usage: global flags may be anywhere", "[unit][zedctl]") {
  for (std::vector<std::string> line : {std::vector<std::string>{"-o", "name", "server", "ls"},
                                        {"server", "-o", "name", "ls"},
                                        {"server", "ls", "-o", "name"},
                                        {"server", "ls", "-oname"},
                                        {"server", "ls", "--output=name"}}) {
    bench b;
    msg::server_list list;
    list.servers = {pz1()};
    b.says("server.ls", list);
    CHECK(b.run(line) == 0);
    CHECK(b.out.str() == "pz1\n");
  }
}

TEST_CASE("usage: an option with a value does not swallow the names after it", "[unit][zedctl]") {
  bench b;
  b.says("server.edit", succeeded(msg::op_kind::edit));
  CHECK(b.run({"server", "edit", "--env", "A=1", "--env", "B=2", "pz1"}) == 0);
  auto r = b.body<msg::edit_server>("server.edit");
  CHECK(r.server == "pz1");
  CHECK(r.config.size() == 2);
}

TEST_CASE("environment: ZEDCTL_OUTPUT and ZEDCTL_TIMEOUT apply unless a flag overrides them", "[unit][zedctl]") {
  bench b;
  msg::server_list list;
  list.servers = {pz1()};
  b.says("server.ls", list);
  b.w.env["ZEDCTL_OUTPUT"] = "name";
  b.w.env["ZEDCTL_TIMEOUT"] = "3s";
  CHECK(b.run({"ps"}) == 0);
  CHECK(b.out.str() == "pz1\n");
  CHECK(b.asked("server.ls").front().deadline == 3s);
  b.out.str("");
  CHECK(b.run({"ps", "-o", "json"}) == 0);
  CHECK(b.out.str().front() == '{');
  b.w.env["ZEDCTL_OUTPUT"] = "xml";
  CHECK(b.run({"ps"}) == 2);
}

TEST_CASE("help: it begins with examples, and every verb has its own", "[unit][zedctl]") {
  bench b;
  CHECK(b.run({"--help"}) == 0);
  CHECK(b.out.str().starts_with("Examples:\n"));
  CHECK(b.err.str().empty());
  for (const auto& c : commands()) {
    if (c.path.starts_with("__")) continue;
    INFO(c.path);
    CHECK_FALSE(c.examples.empty());
    CHECK_FALSE(c.help.empty());
    bench one;
    std::istringstream words(c.path);
    std::vector<std::string> line{std::istream_iterator<std::string>(words), {}};
    line.push_back("--help");
    CHECK(one.run(line) == 0);
    CHECK(one.out.str().starts_with("Examples:\n  "));
    CHECK_THAT(one.out.str(), Contains("Usage: zedctl " + c.path));
  }
}

TEST_CASE("help: examples are valid command lines", "[unit][zedctl]") {
  for (const auto& c : commands())
    for (const auto& example : c.examples) {
      if (example.find_first_of("<>()|") != std::string::npos) continue;  // shell around it
      std::istringstream words(example);
      std::vector<std::string> line{std::istream_iterator<std::string>(words), {}};
      line.erase(line.begin());
      auto read = read_line(line);
      INFO(example);
      CHECK(read.verb == &c);
      CHECK(read.unknown_flag.empty());
    }
}

TEST_CASE("no arguments: help on stderr, exit 2", "[unit][zedctl]") {
  bench b;
  CHECK(b.run({}) == 2);
  CHECK(b.out.str().empty());
  CHECK_THAT(b.err.str(), Contains("Usage: zedctl"));
}

TEST_CASE("version: both sides are shown, with a warning when they differ", "[unit][zedctl]") {
  bench b;
  msg::manager_status m;
  m.version = "9.9.9";
  b.says("status", m);
  CHECK(b.run({"--version"}) == 0);
  CHECK(b.out.str() == "zedctl " ZEDOPS_VERSION "\nmanager 9.9.9\n");
  CHECK_THAT(b.err.str(), Contains("versions differ"));
  bench alone;
  alone.refuse_connection = true;
  CHECK(alone.run({"--version"}) == 0);
  CHECK(alone.out.str() == "zedctl " ZEDOPS_VERSION "\n");
}

TEST_CASE("completion: nouns, verbs, flags, values and live names", "[unit][zedctl]") {
  auto offered = [](std::vector<std::string> words) {
    bench b;
    msg::server_list list;
    list.servers = {pz1(), pz1()};
    list.servers[1].name = "web";
    b.says("server.ls", list);
    msg::agent_view a;
    a.name = "host1";
    b.says("agent.ls", msg::agent_list{{a}});
    msg::manager_status m;
    m.templates = {"generic", "teeworlds"};
    b.says("status", m);
    words.insert(words.begin(), {"__complete", "--"});
    CHECK(b.run(words) == 0);
    CHECK(b.err.str().empty());
    std::istringstream lines(b.out.str());
    return std::set<std::string>{std::istream_iterator<std::string>(lines), {}};
  };
  CHECK(offered({"serve"}) == std::set<std::string>{"server"});
  CHECK(offered({""}).contains("ps"));
  CHECK(offered({"server", "re"}) == std::set<std::string>{"restart", "rebuild", "recreate", "restore"});
  CHECK(offered({"server", "start", ""}) == std::set<std::string>{"pz1", "web"});
  CHECK(offered({"start", "pz1", ""}) == std::set<std::string>{"web"});
  CHECK(offered({"server", "start", "--fr"}) == std::set<std::string>{"--fresh"});
  CHECK(offered({"server", "create", "x", "--agent", ""}) == std::set<std::string>{"host1"});
  CHECK(offered({"server", "create", "x", "--template", "t"}) == std::set<std::string>{"teeworlds"});
  CHECK(offered({"ps", "-o", "j"}) == std::set<std::string>{"json"});
  CHECK(offered({"store", "backup", ""}) == std::set<std::string>{":files"});
  CHECK(offered({"ps", "--agent="}) == std::set<std::string>{"--agent=host1"});
  CHECK(offered({"--endpoint", "ipc:///run/other.ipc", "server", "start", ""}) == std::set<std::string>{"pz1", "web"});
  CHECK(offered({"nonsense", ""}).empty());
}

TEST_CASE("completion: without a manager the tool's own words are still completed", "[unit][zedctl]") {
  bench b;
  b.refuse_connection = true;
  CHECK(b.run({"__complete", "--", "server", "start", ""}) == 0);
  CHECK(b.out.str().empty());
  CHECK(b.err.str().empty());
  CHECK(b.run({"__complete", "--", "server", "sto"}) == 0);
  CHECK(b.out.str() == "stop\n");
}
