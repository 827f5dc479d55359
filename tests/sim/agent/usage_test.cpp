#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

namespace {

struct usage_world : agent_world {
  usage_world() {
    kill();
    machine = host::machine_usage{{100, 1'000}, 4, 5, 10, 0, 0, 0};
    spawn();
  }
  void go_live(std::vector<known_server> servers, duration every = 15s) {
    link_is(true);
    msg::welcome w{state->id(), "m1", 1, 7, std::move(servers)};
    w.usage_every = every;
    say(std::move(w));
  }
};

}  // namespace

TEST_CASE_METHOD(usage_world, "agent: usage is reported periodically, as rates since the sample before",
                 "[sim][agent]") {
  const auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  docker.stats[c] = {1'000'000'000, 70, 500, 1'000, 2'000, 0, 0};
  go_live({known("s1", c)});
  auto from = mark();
  pass(2s);
  auto told = all<usage>(from);
  REQUIRE(told.size() == 1);
  CHECK(told[0].servers.empty());  // a rate needs two samples
  CHECK(told[0].host == usage_sample{});
  docker.stats[c] = {8'500'000'000, 80, 500, 16'000, 2'000, 30'000, 0};
  machine->cpu = {350, 2'000};
  pass(15s);
  told = all<usage>(from);
  REQUIRE(told.size() == 2);
  CHECK(told[1].host.cpu_millis == 1'000);  // a quarter of four cores
  CHECK(told[1].host.cpu_max == 4'000);
  CHECK(told[1].host.memory_bytes == 5);
  REQUIRE(told[1].servers.size() == 1);
  const auto& u = told[1].servers[0].used;
  CHECK(u.cpu_millis == 500);
  CHECK(u.memory_bytes == 80);
  CHECK(u.received == 1'000);
  CHECK(u.sent == 0);
  CHECK(u.read == 2'000);
  docker.stats[c].cpu_total_ns = 1;  // its process was restarted
  pass(15s);
  CHECK(all<usage>(from).back().servers.at(0).used.cpu_millis == 0);
}

TEST_CASE_METHOD(usage_world, "agent: while someone watches, usage is reported more often for a while",
                 "[sim][agent]") {
  const auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  const auto d = docker.make("box-s2", labels_of("s2"), container_state::running);
  docker.stats[c] = docker.stats[d] = {};
  go_live({known("s1", c), known("s2", d)});
  pass(2s);
  say(watch_usage{{{"s1"}}, 2s, 20s});
  auto from = mark();
  pass(12s);
  const auto told = all<usage>(from);
  CHECK(told.size() >= 5);
  for (const auto& u : told)
    if (!u.servers.empty()) CHECK(u.servers[0].server.value == "s1");
  pass(20s);
  from = mark();
  pass(30s);
  CHECK(all<usage>(from).size() == 2);
}

TEST_CASE_METHOD(usage_world, "agent: a manager that does not ask gets no usage", "[sim][agent]") {
  const auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  docker.stats[c] = {};
  go_live({known("s1", c)}, 0s);
  say(watch_usage{{{"s1"}}, 2s, 20s});
  const auto from = mark();
  pass(60s);
  CHECK(all<usage>(from).empty());
}

TEST_CASE_METHOD(usage_world, "agent: a hung disk and a silent Engine leave gaps and delay nothing", "[sim][agent]") {
  const auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  const auto d = docker.make("box-s2", labels_of("s2"), container_state::running);
  docker.stats[c] = {};  // the Engine reports nothing for the other one
  others.hung = "usage";
  go_live({known("s1", c), known("s2", d)});
  const auto from = mark();
  pass(120s);
  const auto told = all<usage>(from);
  REQUIRE(told.size() >= 4);
  CHECK(told.back().host == usage_sample{});
  REQUIRE(told.back().servers.size() == 1);
  CHECK(told.back().servers[0].server.value == "s1");
  CHECK(others.held.size() == 1);  // it is not asked again before it has answered
}

TEST_CASE_METHOD(agent_world, "agent: each container is inspected now and then, also one that looks unchanged",
                 "[sim][agent][acc-98]") {
  std::vector<known_server> servers;
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    const auto name = "s" + std::to_string(i);
    ids.push_back(docker.make("box-" + name, labels_of(name), container_state::running));
    servers.push_back(known(name, ids.back()));
  }
  welcome(std::move(servers));
  settle();
  docker.inspections.clear();
  uint64_t request = 100;
  for (int round = 0; round < 20; ++round) {  // ten minutes
    pass(30s);
    const auto before = docker.inspections.size();
    say(sync_query{++request, false, {}, {}});
    settle();
    CHECK(docker.inspections.size() - before <= 3);  // few per comparison
  }
  for (const auto& id : ids) CHECK(docker.inspections.contains(id));
}

TEST_CASE_METHOD(agent_world,
                 "agent: one container that cannot be inspected does not spoil the comparison of the others",
                 "[sim][agent]") {
  const auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  const auto d = docker.make("box-s2", labels_of("s2"), container_state::running);
  welcome({known("s1", c), known("s2", d)});
  docker.mute.insert(c);
  const auto from = mark();
  uint64_t request = 100;
  for (int round = 0; round < 20; ++round) {
    pass(30s);
    say(sync_query{++request, false, {}, {}});
  }
  CHECK(docker.inspections.count(c) > 1);  // it was tried
  const auto told = all<inventory>(from);
  REQUIRE(told.size() >= 20);
  for (const auto& i : told) {
    CHECK_FALSE(i.failure.has_value());
    CHECK(i.servers.size() == 2);
  }
}
