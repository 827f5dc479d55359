#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

TEST_CASE_METHOD(agent_world, "agent: an event is followed by an inspection and reported with the data's state",
                 "[sim][agent][acc-23]") {
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  host.data["s1"] = data_state::present;
  welcome({known("s1", c)});
  auto from = mark();
  docker.die(c, 3);
  settle();
  auto seen = all<observed>(from);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].hint == "die");
  CHECK(seen[0].what.view.exit_code == 3);
  CHECK(seen[0].what.data == data_state::present);
  from = mark();
  host.data.erase("s1");
  docker.destroy(c);
  settle();
  seen = all<observed>(from);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].what.container == presence::absent);
  CHECK(seen[0].what.data == data_state::absent);
}

TEST_CASE_METHOD(agent_world, "agent: foreign containers and health probes are not reported", "[sim][agent][acc-21]") {
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  welcome({known("s1", c)});
  auto from = mark();
  docker.die(docker.make("other", {}, container_state::running));
  docker.emit(c, "exec_create: test -f /tmp/started");
  settle();
  CHECK(link.said.size() == from);
}

TEST_CASE_METHOD(agent_world, "agent: an event whose inspection fails concludes nothing",
                 "[sim][agent][fc-1][acc-30]") {
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  welcome({known("s1", c)});
  auto from = mark();
  docker.inspect_fails = true;
  docker.die(c);
  settle();
  CHECK(all<observed>(from).empty());
  docker.inspect_fails = false;
  advance(2s);  // the inventory that follows shows it
  CHECK(all<observed>(from).empty());
  REQUIRE_FALSE(all<inventory>(from).empty());
  CHECK(all<inventory>(from)[0].servers[0].view.state == container_state::exited);
}

TEST_CASE_METHOD(agent_world, "agent: the last events of an Engine that shuts down are not believed",
                 "[sim][agent][fc-61]") {
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  welcome({known("s1", c)});
  auto from = mark();
  listens = false;
  docker.die(c);
  settle();
  advance(1500ms);
  CHECK(all<observed>(from).empty());
  for (auto& i : all<inventory>(from)) CHECK(i.failure);
  docker.down = true;
  docker.end_stream();
  settle();
  REQUIRE_FALSE(all<heartbeat>(from).empty());
  CHECK_FALSE(all<heartbeat>(from).back().engine_ok);
  // The Engine comes back and has started its container again.
  docker.down = false;
  listens = true;
  docker.containers[c].view.state = container_state::running;
  from = mark();
  advance(6s);
  CHECK(all<heartbeat>(from).back().engine_ok);
  REQUIRE_FALSE(all<inventory>(from).empty());
  CHECK(all<inventory>(from)[0].servers[0].view.state == container_state::running);
}

TEST_CASE_METHOD(agent_world, "agent: a listing that fails is reported as a failure, not as an empty host",
                 "[sim][agent][fc-1][acc-30]") {
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  welcome({known("s1", c)});
  for (int fault = 0; fault < 3; ++fault) {
    docker.list_fails = fault == 0;
    docker.inspect_fails = fault == 1;
    if (fault == 1) docker.containers[c].view.state = container_state::paused;  // so that it is inspected
    if (fault == 2) {
      docker.down = true;
      docker.end_stream();
      settle();
    }
    auto from = mark();
    say(sync_query{uint64_t(fault) + 1, false, {}, {}});
    auto lists = all<inventory>(from);
    REQUIRE(lists.size() == 1);
    CHECK(lists[0].request == uint64_t(fault) + 1);
    CHECK(lists[0].failure);
    CHECK(lists[0].servers.empty());
  }
}

TEST_CASE_METHOD(agent_world, "agent: an Engine that hangs is noticed although its stream is open",
                 "[sim][agent][fc-61]") {
  welcome();
  REQUIRE(docker.has_listener());
  auto from = mark();
  docker.down = true;  // calls fail, the open stream is silent
  advance(11s);
  REQUIRE_FALSE(all<heartbeat>(from).empty());
  CHECK_FALSE(all<heartbeat>(from).back().engine_ok);
  CHECK_FALSE(all<heartbeat>(from).back().engine_problem.empty());
}

TEST_CASE_METHOD(agent_world, "agent: data that cannot be looked at is unknown, never absent", "[sim][agent][fc-2]") {
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  host.mounted = false;
  welcome({known("s1", c)});
  CHECK(all<inventory>()[0].servers[0].data == data_state::unknown);
}

TEST_CASE_METHOD(agent_world, "agent: after a burst of events a container is looked at once more, not once per event",
                 "[sim][agent][acc-29]") {
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  welcome({known("s1", c)});
  auto from = mark();
  others.hold = true;  // the data check is slow
  for (int i = 0; i < 20; ++i) docker.emit(c, "health_status: healthy");
  docker.die(c);
  settle();
  CHECK(all<observed>(from).empty());
  others.hold = false;
  others.release();
  settle();
  auto seen = all<observed>(from);
  CHECK(seen.size() <= 2);
  REQUIRE_FALSE(seen.empty());
  CHECK(seen.back().what.view.state == container_state::exited);
}

TEST_CASE_METHOD(agent_world, "agent: queries that arrive during an inventory are each answered",
                 "[sim][agent][acc-29]") {
  welcome({known("s1")});
  others.hold = true;
  auto from = mark();
  for (uint64_t q : {1, 2, 3}) say(sync_query{q, false, {}, {}});
  CHECK(all<inventory>(from).empty());
  others.hold = false;
  others.release();
  settle();
  std::set<uint64_t> answered;
  for (auto& i : all<inventory>(from)) answered.insert(i.request);
  CHECK(answered == std::set<uint64_t>{1, 2, 3});
}

TEST_CASE_METHOD(agent_world, "agent: another Engine behind the same socket is not trusted, and nothing is done on it",
                 "[sim][agent][fc-2]") {
  welcome();
  say(command("op1", "s1"));
  REQUIRE_FALSE(all<command_result>().back().failure);
  const auto theirs = docker.containers;
  docker.containers.clear();
  docker.data_root = "/mnt/other";
  auto from = mark();
  docker.end_stream();
  advance(10s);
  CHECK(all<observed>(from).empty());  // s1 is not missing, only not on this Engine
  for (const auto& i : all<inventory>(from)) CHECK(i.failure);
  REQUIRE_FALSE(all<heartbeat>(from).empty());
  CHECK_FALSE(all<heartbeat>(from).back().engine_ok);
  CHECK(all<heartbeat>(from).back().engine_problem.find("another Docker Engine") != std::string::npos);
  docker.calls.clear();
  say(command("op2", "s1"));
  REQUIRE(all<command_result>().back().failure);
  CHECK(all<command_result>().back().failure->hint.find("--accept-engine E1@/mnt/other") != std::string::npos);
  CHECK(all<command_result>().back().after.container == presence::unknown);
  CHECK(docker.calls.empty());
  SECTION("the right one comes back") {
    docker.data_root = "/var/lib/docker";
    docker.containers = theirs;
    from = mark();
    advance(20s);
    REQUIRE_FALSE(all<inventory>(from).empty());
    CHECK_FALSE(all<inventory>(from).back().failure);
    CHECK(all<inventory>(from).back().servers.at(0).container == presence::present);
  }
  SECTION("the operator accepts this one") {
    kill();
    accepts_engine = "E1@/mnt/other";
    spawn();
    welcome({known("s1")});
    say(command("op3", "s1"));
    CHECK_FALSE(all<command_result>().back().failure);
    kill();
    accepts_engine.clear();  // it is remembered
    spawn();
    from = mark();
    welcome({known("s1")});
    REQUIRE_FALSE(all<inventory>(from).empty());
    CHECK_FALSE(all<inventory>(from).back().failure);
  }
}

TEST_CASE_METHOD(agent_world,
                 "agent: a disk that hangs delays only its own servers, and their data is reported as unknown",
                 "[sim][agent][fc-3]") {
  const auto c1 = docker.make("box-s1", labels_of("s1"), container_state::running);
  const auto c2 = docker.make("box-s2", labels_of("s2"), container_state::running);
  host.data = {{"s1", data_state::present}, {"s2", data_state::present}};
  auto far = known("s2", c2);
  far.data.root = "/mnt/nfs";
  for (auto& d : far.data.dirs) d.path = "/mnt/nfs/s2/" + d.name;
  others.hung = "/mnt/nfs";
  welcome({known("s1", c1), far});
  const auto of = [](const std::vector<observed>& all, const std::string& server) {
    std::vector<observation> out;
    for (const auto& o : all)
      if (o.what.server.value == server) out.push_back(o.what);
    return out;
  };
  auto from = mark();
  docker.die(c1, 1);
  settle();
  REQUIRE(of(all<observed>(from), "s1").size() == 1);  // at once
  CHECK(of(all<observed>(from), "s1")[0].data == data_state::present);
  docker.destroy(c2);
  advance(2s);
  REQUIRE(of(all<observed>(from), "s2").size() == 1);
  CHECK(of(all<observed>(from), "s2")[0].container == presence::absent);
  CHECK(of(all<observed>(from), "s2")[0].data == data_state::unknown);
  from = mark();
  say(sync_query{1, false, {}, {}});
  advance(8s);
  REQUIRE_FALSE(all<inventory>(from).empty());
  CHECK_FALSE(all<inventory>(from).back().failure);
  const auto half = all<inventory>(from).back();
  for (const auto& o : half.servers)
    CHECK(o.data == (o.server.value == "s1" ? data_state::present : data_state::unknown));
  const auto asked = others.held.size();
  for (int i = 0; i < 5; ++i) say(sync_query{2, false, {}, {}});
  advance(3s);
  CHECK(others.held.size() == asked);  // nothing more is asked of it meanwhile
  from = mark();
  others.hung.clear();
  others.release();
  advance(2s);
  REQUIRE_FALSE(all<inventory>(from).empty());
  const auto whole = all<inventory>(from).back();
  CHECK(whole.servers.size() == 2);
  for (const auto& o : whole.servers) CHECK(o.data == data_state::present);
}
