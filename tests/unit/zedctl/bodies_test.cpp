// What each verb sends to the manager.
#include "messages/api/operations.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"

using namespace zedops;
using namespace zedops::ctl::test;
using msg::op_kind;

namespace {
bench& accepting(bench& b, op_kind kind) {
  b.says("server." + std::string(msg::row_of(kind).word()), succeeded(kind));
  return b;
}
}  // namespace

TEST_CASE("create: every flag reaches the request", "[unit][zedctl][acc-4]") {
  bench b;
  accepting(b, op_kind::create);
  REQUIRE(b.run({"server",
                 "create",
                 "pz1",
                 "--agent",
                 "host1",
                 "--template",
                 "project-zomboid",
                 "--image",
                 "repo/pz",
                 "--tag",
                 "41",
                 "--env",
                 "A=1",
                 "--env",
                 "B=x=y, z",
                 "--game-port",
                 "16261",
                 "--udp-port",
                 "16262",
                 "--rcon-port",
                 "27015",
                 "--data-path",
                 "/srv/games",
                 "--recovery",
                 "auto",
                 "--crash-policy",
                 "on-failure",
                 "--priority",
                 "10",
                 "--use-existing-data"}) == 0);
  auto r = b.body<msg::create_server>("server.create");
  CHECK(r.name == "pz1");
  CHECK(r.agent == "host1");
  CHECK(r.template_name == "project-zomboid");
  CHECK(r.image == "repo/pz");
  CHECK(r.image_tag == "41");
  CHECK(r.config == std::map<std::string, std::string>{{"A", "1"}, {"B", "x=y, z"}});
  CHECK(r.game_port == 16261);
  CHECK(r.udp_port == 16262);
  CHECK(r.rcon_port == 27015);
  CHECK(r.server_data_path == "/srv/games");
  CHECK(r.recovery == msg::recovery_policy::automatic);
  CHECK(r.use_existing_data);
  CHECK(r.crash == msg::crash_policy::on_failure);
  CHECK(r.priority == 10);
}

TEST_CASE("crash policy and priority: without flags they stay unchanged, and a priority may be negative",
          "[unit][zedctl]") {
  {
    bench b;
    accepting(b, op_kind::create);
    REQUIRE(b.run({"server", "create", "pz1", "--agent", "host1"}) == 0);
    CHECK_FALSE(b.body<msg::create_server>("server.create").crash);
  }
  for (auto name : msg::enum_names<msg::crash_policy>::list) {
    bench b;
    accepting(b, op_kind::edit);
    REQUIRE(b.run({"server", "edit", "pz1", "--crash-policy", std::string(name)}) == 0);
    const auto r = b.body<msg::edit_server>("server.edit");
    REQUIRE(r.crash);
    CHECK(name_of(*r.crash) == name);
    CHECK_FALSE(r.priority);
  }
  bench b;
  accepting(b, op_kind::edit);
  REQUIRE(b.run({"server", "edit", "pz1", "--priority=-5"}) == 0);
  CHECK(b.body<msg::edit_server>("server.edit").priority == -5);
  CHECK(b.run({"server", "edit", "pz1", "--priority", "4000000000"}) == 2);
  CHECK(b.run({"server", "edit", "pz1", "--crash-policy", "sometimes"}) == 2);
}

TEST_CASE("create: flags that were not given stay at their defaults", "[unit][zedctl]") {
  bench b;
  accepting(b, op_kind::create).run({"server", "create", "pz1", "--agent", "host1"});
  auto r = b.body<msg::create_server>("server.create");
  CHECK(r.template_name == "generic");
  CHECK(r.game_port == 0);
  CHECK(r.recovery == msg::recovery_policy::manual);
  CHECK_FALSE(r.use_existing_data);
}

TEST_CASE("edit: only what was given is changed", "[unit][zedctl]") {
  bench b;
  accepting(b, op_kind::edit);
  REQUIRE(b.run({"server", "edit", "pz1", "--env", "MOTD=", "--unset", "X", "--unset", "Y", "--tag", "42", "--revision",
                 "7"}) == 0);
  auto r = b.body<msg::edit_server>("server.edit");
  CHECK(r.server == "pz1");
  CHECK(r.config == std::map<std::string, std::string>{{"MOTD", ""}});
  CHECK(r.unset == std::vector<std::string>{"X", "Y"});
  CHECK(r.image_tag == "42");
  CHECK_FALSE(r.image);
  CHECK_FALSE(r.recovery);
  CHECK(r.revision == 7);
}

TEST_CASE("start, recreate and restore: --fresh is passed on only when given", "[unit][zedctl][acc-39]") {
  for (auto kind : {op_kind::start, op_kind::recreate, op_kind::restore}) {
    bench b;
    std::string verb(msg::row_of(kind).word());
    accepting(b, kind);
    REQUIRE(b.run({"server", verb, "pz1"}) == 0);
    REQUIRE(b.run({"server", verb, "--fresh", "--yes", "pz1"}) == 0);
    auto asked = b.asked("server." + verb);
    REQUIRE(asked.size() == 2);
    // The three bodies have the same fields.
    CHECK_FALSE(msg::unpack_map<msg::start_server>(asked[0].body)->fresh);
    CHECK(msg::unpack_map<msg::start_server>(asked[1].body)->fresh);
    CHECK(msg::unpack_map<msg::start_server>(asked[1].body)->server == "pz1");
  }
}

TEST_CASE("every verb of the operation table is a verb of the tool", "[unit][zedctl][acc-8]") {
  for (const auto& row : msg::operation_table) {
    if (!msg::is_of_servers(row.kind)) continue;
    bench b;
    accepting(b, row.kind);
    std::vector<std::string> line{"server", std::string(row.word()), "pz1", "--yes"};
    if (row.kind == op_kind::create) line.insert(line.end(), {"--agent", "host1"});
    if (row.kind == op_kind::adopt) line.insert(line.end(), {"--agent", "host1", "--container", "hand-made"});
    if (row.kind == op_kind::purge) line.push_back("--keep-data");
    if (row.kind == op_kind::move) line.insert(line.end(), {"--data-path", "/mnt/fast/zedops"});
    INFO(row.word());
    CHECK(b.run(line) == 0);
    CHECK(b.asked(std::string(row.verb)).size() == 1);
  }
}

TEST_CASE("adopt: the body names the container, and what else was requested", "[unit][zedctl][fc-24]") {
  bench b;
  accepting(b, op_kind::adopt);
  REQUIRE(b.run({"server", "adopt", "pz1", "--container", "my-zomboid", "--agent", "host1", "--template", "keeper",
                 "--game-port", "16300", "--env", "MOTD=hi", "--tag", "42", "--data-path", "/mnt/d",
                 "--leave-behind"}) == 0);
  const auto r = b.body<msg::adopt_server>("server.adopt");
  CHECK(r.name == "pz1");
  CHECK(r.container == "my-zomboid");
  CHECK(r.agent == "host1");
  CHECK(r.template_name == "keeper");
  CHECK(r.game_port == 16300);
  CHECK(r.config == std::map<std::string, std::string>{{"MOTD", "hi"}});
  CHECK(r.image.empty());
  CHECK(r.image_tag == "42");
  CHECK(r.server_data_path == "/mnt/d");
  CHECK(r.leave_behind);
}

TEST_CASE("purge: the body says what happens to the data", "[unit][zedctl][acc-59]") {
  bench b;
  accepting(b, op_kind::purge);
  REQUIRE(b.run({"server", "purge", "pz1", "--remove-data", "-y"}) == 0);
  auto r = b.body<msg::purge_server>("server.purge");
  CHECK(r.confirm);
  CHECK(r.remove_data);
  CHECK_FALSE(r.keep_data);
}

TEST_CASE("short forms mean the same as the long ones", "[unit][zedctl]") {
  for (auto kind : {op_kind::start, op_kind::stop, op_kind::restart, op_kind::remove}) {
    bench b;
    std::string verb(msg::row_of(kind).word());
    accepting(b, kind);
    CHECK(b.run({verb, "pz1", "pz2"}) == 0);
    CHECK(b.asked("server." + verb).size() == 2);
  }
  bench b;
  b.says("server.ls", msg::server_list{});
  CHECK(b.run({"ps", "--all"}) == 0);
  CHECK(b.body<msg::list_servers>("server.ls").all);
}

TEST_CASE("a server may have the name of a verb or a noun", "[unit][zedctl]") {
  for (std::string name : {"start", "server", "status", "agent", "ps"}) {
    bench b;
    accepting(b, op_kind::stop);
    INFO(name);
    CHECK(b.run({"server", "stop", name}) == 0);
    CHECK(b.body<msg::stop_server>("server.stop").server == name);
  }
}

TEST_CASE("options: actor, waiting and dry run are sent beside the body", "[unit][zedctl]") {
  bench b;
  accepting(b, op_kind::stop);
  b.run({"stop", "pz1"});
  b.run({"stop", "pz1", "--no-wait"});
  b.run({"stop", "pz1", "--detach"});
  b.run({"--wait=false", "stop", "pz1"});
  b.run({"stop", "--dry-run", "pz1"});
  auto asked = b.asked("server.stop");
  REQUIRE(asked.size() == 5);
  CHECK(asked[0].options.wait);
  CHECK(asked[0].options.actor == "ann");
  for (size_t i = 1; i < 4; ++i) CHECK_FALSE(asked[i].options.wait);
  CHECK(asked[4].options.dry_run);
  CHECK_FALSE(asked[4].options.wait);
}

TEST_CASE("every request has an idempotency key of its own", "[unit][zedctl]") {
  bench b;
  accepting(b, op_kind::stop);
  b.run({"stop", "pz1", "pz2"});
  auto asked = b.asked("server.stop");
  REQUIRE(asked.size() == 2);
  CHECK_FALSE(asked[0].key.empty());
  CHECK(asked[0].key != asked[1].key);
}

TEST_CASE("reads: filters reach the request", "[unit][zedctl]") {
  bench b;
  b.says("server.ls", msg::server_list{});
  b.says("server.history", msg::event_page{});
  b.says("server.sync", msg::sync_reply{});
  b.says("server.check-data", msg::data_reply{});
  b.says("server.logs", msg::logs_reply{});
  b.says("agent.ls", msg::agent_list{});
  b.says("port.check", msg::ports_reply{});
  b.says("port.suggest", msg::suggest_reply{});
  b.says("op.ls", msg::operation_list{});
  b.says("op.get", operation(op_kind::stop, msg::op_status::running));
  b.says("op.cancel", operation(op_kind::stop, msg::op_status::cancelled));

  REQUIRE(b.run({"server", "ls", "--agent", "host1", "--status", "missing"}) == 0);
  auto ls = b.body<msg::list_servers>("server.ls");
  CHECK(ls.agent == "host1");
  CHECK(ls.status == "missing");
  CHECK(ls.where.limit == 5000);
  CHECK_FALSE(ls.all);
  REQUIRE(b.run({"server", "history", "pz1", "--limit", "5"}) == 0);
  CHECK(b.body<msg::server_history>("server.history").limit == 5);
  REQUIRE(b.run({"server", "sync", "--agent", "host1"}) == 0);
  CHECK(b.body<msg::sync_agents>("server.sync").agent == "host1");
  REQUIRE(b.run({"server", "check-data", "pz1", "pz2", "--sizes"}) == 0);
  CHECK(b.body<msg::check_data>("server.check-data").servers.size() == 2);
  CHECK(b.body<msg::check_data>("server.check-data").sizes);
  REQUIRE(b.run({"logs", "pz1", "--tail", "7"}) == 0);
  CHECK(b.body<msg::server_logs>("server.logs").tail == 7);
  REQUIRE(b.run({"port", "check", "16261/udp", "27015/tcp", "80", "--agent", "host1"}) == 0);
  auto ports = b.body<msg::check_ports>("port.check").ports;
  REQUIRE(ports.size() == 4);
  CHECK(ports[0].proto == msg::protocol::udp);
  CHECK(ports[1].proto == msg::protocol::tcp);
  CHECK(ports[2].number == 80);
  CHECK(ports[3].number == 80);
  REQUIRE(b.run({"port", "suggest", "--agent", "host1", "--count", "3", "--template", "teeworlds"}) == 0);
  CHECK(b.body<msg::suggest_ports>("port.suggest").count == 3);
  CHECK(b.body<msg::suggest_ports>("port.suggest").template_name == "teeworlds");
  REQUIRE(b.run({"op", "ls", "--server", "pz1", "--status", "failed"}) == 0);
  CHECK(b.body<msg::list_operations>("op.ls").server == "pz1");
  CHECK(b.body<msg::list_operations>("op.ls").status == "failed");
  REQUIRE(b.run({"op", "get", "o1"}) == 0);
  CHECK(b.body<msg::get_operation>("op.get").id == "o1");
  REQUIRE(b.run({"op", "cancel", "o1"}) == 0);
  CHECK(b.body<msg::cancel_operation>("op.cancel").id == "o1");
}

TEST_CASE("agent rm: confirms in the body", "[unit][zedctl]") {
  bench b;
  b.says("agent.rm", msg::agent_view{});
  REQUIRE(b.run({"agent", "rm", "host1", "--yes"}) == 0);
  CHECK(b.body<msg::remove_agent>("agent.rm").confirm);
  CHECK(b.body<msg::remove_agent>("agent.rm").agent == "host1");
}

TEST_CASE("ls: follows the pages to the end", "[unit][zedctl]") {
  bench b;
  b.manager["server.ls"] = [](const seen_request& r) {
    auto query = msg::unpack_map<msg::list_servers>(r.body);
    msg::server_list page;
    page.servers = {pz1()};
    page.servers[0].name = query->where.after.empty() ? "first" : "second";
    page.next = query->where.after.empty() ? "s1" : "";
    return answers{result_of(page)};
  };
  REQUIRE(b.run({"server", "ls", "-o", "name"}) == 0);
  CHECK(b.out.str() == "first\nsecond\n");
}

TEST_CASE("ls: a manager whose pages do not advance is an error, not a loop", "[unit][zedctl]") {
  bench b;
  msg::server_list page;
  page.servers = {pz1()};
  page.next = "s1";
  b.says("server.ls", page);
  CHECK(b.run({"server", "ls"}) == 1);
  CHECK(b.requests.size() <= 3);
}
