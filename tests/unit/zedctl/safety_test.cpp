// Confirmations, refusals, exit statuses.
#include "messages/api/operations.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"

using namespace zedops;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;
using msg::op_kind;

namespace {

void script_purge(bench& b) {
  b.says("server.get", pz1());
  msg::data_row row;
  row.name = "pz1";
  row.state = msg::data_state::present;
  row.bytes = 4'509'715'661;
  row.data_path = "/var/lib/zedops/servers/pz1/data";
  b.says("server.check-data", msg::data_reply{{row}, {}});
  b.says("server.purge", succeeded(op_kind::purge));
}

}  // namespace

TEST_CASE("purge: it asks with real numbers and requires the name to be typed", "[unit][zedctl][acc-59][acc-72]") {
  bench b;
  script_purge(b);
  b.w.in_tty = true;
  b.in.str("pz1\n");
  CHECK(b.run({"server", "purge", "pz1", "--remove-data"}) == 0);
  CHECK_THAT(b.err.str(),
             Contains("Purge pz1: container, DB record, data 4.2 GiB in /var/lib/zedops/servers/pz1, ports "
                      "16261-16262/udp 27015/tcp.") &&
                 Contains("Type the name to confirm:"));
  CHECK(b.asked("server.purge").size() == 1);
  CHECK(b.body<msg::check_data>("server.check-data").sizes);
}

TEST_CASE("purge: the server's name has to be typed, even if the command gave its id", "[unit][zedctl][acc-59]") {
  for (std::string typed : {"pz1", "s1aaaa"}) {
    bench b;
    script_purge(b);
    b.w.in_tty = true;
    b.in.str(typed + "\n");
    CHECK(b.run({"server", "purge", "s1aaaa", "--remove-data"}) == (typed == "pz1" ? 0 : 2));
  }
}

TEST_CASE("purge: with --remove-data it says that backups are kept", "[unit][zedctl][fc-31]") {
  for (std::string choice : {"--remove-data", "--keep-data"}) {
    bench b;
    script_purge(b);
    b.w.in_tty = true;
    b.in.str("pz1\n");
    CHECK(b.run({"server", "purge", "pz1", choice}) == 0);
    const bool said = b.err.str().find("Backups, in the folder backups beside its data, stay.") != std::string::npos;
    CHECK(said == (choice == "--remove-data"));
  }
}

TEST_CASE("purge: any other answer changes nothing and exits 2", "[unit][zedctl][acc-59]") {
  for (std::string answer : {"", "\n", "y\n", "pz\n", "pz2\n"}) {
    bench b;
    script_purge(b);
    b.w.in_tty = true;
    b.in.str(answer);
    CHECK(b.run({"server", "purge", "pz1", "--remove-data"}) == 2);
    CHECK(b.asked("server.purge").empty());
  }
}

TEST_CASE("purge: without a terminal it needs --yes, else exit 2", "[unit][zedctl][acc-59]") {
  bench b;
  script_purge(b);
  b.in.str("pz1\n");
  CHECK(b.run({"server", "purge", "pz1", "--keep-data"}) == 2);
  CHECK(b.asked("server.purge").empty());
  CHECK_THAT(b.err.str(), Contains("--yes"));
  CHECK(b.run({"server", "purge", "pz1", "--keep-data", "--yes"}) == 0);
  CHECK(b.body<msg::purge_server>("server.purge").keep_data);
}

TEST_CASE("purge: exactly one of --keep-data and --remove-data is required", "[unit][zedctl][acc-59]") {
  bench b;
  script_purge(b);
  CHECK(b.run({"server", "purge", "pz1", "--yes"}) == 2);
  CHECK(b.run({"server", "purge", "pz1", "--yes", "--keep-data", "--remove-data"}) == 2);
  CHECK(b.requests.empty());
}

TEST_CASE("purge: an unknown size is shown as unknown", "[unit][zedctl]") {
  bench b;
  script_purge(b);
  auto v = pz1();
  v.data_bytes.reset();
  b.says("server.get", v);
  b.refuses("server.check-data", msg::ec::agent_unreachable, "host1 is away");
  b.w.in_tty = true;
  b.in.str("pz1\n");
  CHECK(b.run({"server", "purge", "pz1", "--remove-data"}) == 0);
  CHECK_THAT(b.err.str(), Contains("data of unknown size"));
}

TEST_CASE("rm: it asks nothing and prints how to undo it", "[unit][zedctl][acc-49]") {
  bench b;
  auto v = pz1();
  v.status = msg::server_status::deleted;
  v.purge_at = noon + 24h;
  b.says("server.rm", succeeded(op_kind::remove, v));
  CHECK(b.run({"rm", "pz1"}) == 0);
  CHECK(b.err.str() == "restore until Thu 12:00: zedctl server restore pz1\n");
  CHECK(b.out.str() == "Deleted pz1: deleted after 12s\n");
}

TEST_CASE("start without data: the error names --fresh", "[unit][zedctl][acc-38]") {
  bench b;
  b.refuses("server.start", msg::ec::no_data, "Cannot start server, no data found");
  CHECK(b.run({"start", "pz1"}) == 4);
  CHECK_THAT(b.err.str(),
             Contains("Cannot start server, no data found") && Contains("zedctl server start --fresh pz1"));
}

TEST_CASE("start --fresh asks first", "[unit][zedctl][acc-39]") {
  bench b;
  b.says("server.start", succeeded(op_kind::start));
  CHECK(b.run({"server", "start", "--fresh", "pz1"}) == 2);
  CHECK(b.requests.empty());
  b.w.in_tty = true;
  b.in.str("n\ny\n");
  CHECK(b.run({"server", "start", "--fresh", "pz1"}) == 2);
  CHECK(b.run({"server", "start", "--fresh", "pz1"}) == 0);
  CHECK(b.body<msg::start_server>("server.start").fresh);
}

TEST_CASE("a dry run asks nothing and prints the plan", "[unit][zedctl]") {
  bench b;
  msg::operation_reply r;
  r.plan = {"remove the container", "remove 4.2 GiB of data"};
  b.says("server.purge", r);
  CHECK(b.run({"server", "purge", "pz1", "--remove-data", "--dry-run"}) == 0);
  CHECK(b.out.str() == "purge pz1 would:\n  remove the container\n  remove 4.2 GiB of data\n");
  CHECK(b.asked("server.purge").front().options.dry_run);
}

TEST_CASE("a production context asks before verbs that players notice, and shows its name", "[unit][zedctl]") {
  bench b;
  REQUIRE(b.run({"context", "add", "prod", "--endpoint", "ipc:///run/prod/clients.ipc", "--production"}) == 0);
  b.says("server.stop", succeeded(op_kind::stop));
  b.says("server.start", succeeded(op_kind::start));
  CHECK(b.run({"stop", "pz1"}) == 2);
  CHECK(b.asked("server.stop").empty());
  CHECK(b.run({"start", "pz1"}) == 0);
  b.w.in_tty = true;
  b.in.str("y\n");
  b.err.str("");
  CHECK(b.run({"stop", "pz1"}) == 0);
  CHECK_THAT(b.err.str(), Contains("[prod, production] stop pz1"));
}

TEST_CASE("exit status: the manager's error code decides", "[unit][zedctl]") {
  for (const auto& row : msg::ec_table) {
    bench b;
    b.refuses("server.get", row.code, "why", "what next");
    INFO(row.name);
    CHECK(b.run({"server", "get", "pz1"}) == row.exit_code);
    CHECK_THAT(b.err.str(), Contains("error: why\n  next: "));
    CHECK(b.out.str().empty());
  }
}

TEST_CASE("exit status: a failed operation gives a failure with its id", "[unit][zedctl]") {
  bench b;
  auto r = succeeded(op_kind::rebuild);
  r.operation.status = msg::op_status::failed;
  r.operation.failure = msg::error{msg::ec::pull_failed, "manifest unknown", "check the tag", {}};
  b.says("server.rebuild", r);
  CHECK(b.run({"server", "rebuild", "pz1"}) == 1);
  CHECK(b.err.str() == "error: pz1: manifest unknown\n  next: check the tag\n  operation: o1aaaaaaaaaaaaa\n");
}

TEST_CASE("exit status: 8 when some of several failed, the common one when all did", "[unit][zedctl]") {
  bench b;
  b.manager["server.stop"] = [](const seen_request& r) {
    auto name = msg::unpack_map<msg::stop_server>(r.body)->server;
    return name == "pz1" ? answers{result_of(succeeded(op_kind::stop))}
                         : answers{error_of(msg::ec::wrong_state, name + " is stopped", "start it")};
  };
  CHECK(b.run({"stop", "pz1", "pz2"}) == 8);
  CHECK(b.run({"stop", "pz2", "pz3"}) == 4);
  CHECK_THAT(b.err.str(), Contains("pz2: pz2 is stopped"));
  CHECK(b.out.str() == "Stopped pz1: running after 12s\n");
}

TEST_CASE("errors as JSON: one object on stderr, nothing on stdout", "[unit][zedctl]") {
  bench b;
  b.refuses("server.stop", msg::ec::wrong_state, "pz1 is \"stopped\"", "start it");
  CHECK(b.run({"stop", "pz1", "-o", "json"}) == 4);
  CHECK(b.err.str() == R"({"error":{"code":"wrong_state","message":"pz1 is \"stopped\"","hint":"start it",)"
                       R"("operation":"","target":"pz1"}})"
                       "\n");
  CHECK(b.out.str().empty());
}

TEST_CASE("an unknown name: the nearest one is offered", "[unit][zedctl][acc-7]") {
  bench b;
  b.refuses("server.stop", msg::ec::not_found, "there is no server 'pz11'");
  msg::server_list known;
  known.servers = {pz1()};
  b.says("server.ls", known);
  CHECK(b.run({"stop", "pz11"}) == 3);
  CHECK_THAT(b.err.str(), Contains("did you mean 'pz1'?"));
}

TEST_CASE("agent rm: it asks with numbers", "[unit][zedctl]") {
  bench b;
  msg::agent_view a;
  a.name = "host1";
  a.servers = 2;
  b.says("agent.get", a);
  b.says("agent.rm", a);
  CHECK(b.run({"agent", "rm", "host1"}) == 2);
  CHECK_THAT(b.err.str(), Contains("Forget agent host1: 2 servers on it"));
  CHECK(b.asked("agent.rm").empty());
}

TEST_CASE("dry run: a verb without a plan is refused, and nothing is done", "[unit][zedctl]") {
  const std::vector<std::vector<std::string>> lines = {
      {"op", "cancel", "o1"}, {"context", "add", "x", "--endpoint", "ipc:///x"}, {"store", "backup", "/tmp/x"}};
  for (auto line : lines) {
    bench b;
    line.push_back("--dry-run");
    CHECK(b.run(line) == 2);
    CHECK_THAT(b.err.str(), Contains("cannot tell beforehand"));
    CHECK(b.connections == 0);
  }
}
