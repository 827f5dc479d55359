#include "tests/sim/agent/world.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

TEST_CASE_METHOD(agent_world, "agent: says hello until it is welcomed, then sends its inventory", "[sim][agent]") {
  link_is(true);
  advance(3s);
  auto hellos = all<hello>();
  CHECK(hellos.size() >= 3);
  CHECK(hellos[0].engine_ok);
  CHECK(hellos[0].engine_version == "20.10.24");
  CHECK(hellos[0].id == state->id());
  CHECK(all<inventory>().empty());
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  say(msg::welcome{state->id(), "m1", 4, 7, {known("s1", c), known("s2", "gone")}});
  auto lists = all<inventory>();
  REQUIRE(lists.size() == 1);
  REQUIRE(lists[0].servers.size() == 2);
  CHECK(lists[0].servers[0].view.id == c);
  CHECK(lists[0].servers[1].container == presence::absent);
  CHECK(state->manager_id() == "m1");
  CHECK(state->term() == 4);
}

TEST_CASE_METHOD(agent_world, "agent: heartbeats each second and answers pings", "[sim][agent][acc-34]") {
  welcome();
  auto from = mark();
  advance(5s);
  CHECK(all<heartbeat>(from).size() >= 5);
  from = mark();
  say(ping{99});
  REQUIRE(all<heartbeat>(from).size() == 1);
  CHECK(all<heartbeat>(from)[0].nonce == 99);
}

TEST_CASE_METHOD(agent_world, "agent: every connection begins with hello and ends in a new inventory",
                 "[sim][agent][fc-38]") {
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  welcome({known("s1", c)});
  link_is(false);
  docker.die(c);
  settle();
  auto from = mark();
  advance(3s);
  CHECK(link.said.size() == from);  // without a connection nothing is sent
  welcome({known("s1", c)});
  CHECK(all<hello>(from).size() == 1);
  auto lists = all<inventory>(from);
  REQUIRE(lists.size() == 1);
  CHECK(lists[0].servers[0].view.state == container_state::exited);
}

TEST_CASE_METHOD(agent_world,
                 "agent: after a refusal that is not final it says hello again later, after a final one never",
                 "[sim][agent][acc-18][acc-20]") {
  link_is(true);
  say(refused{{ec::already_exists, "another session is live", {}, {}}, false}, 0);
  auto from = mark();
  advance(4s);
  CHECK(all<hello>(from).empty());
  advance(3s);
  CHECK_FALSE(all<hello>(from).empty());
  CHECK_FALSE(final);
  say(refused{{ec::forbidden, "revoked", {}, {}}, true}, 0);
  REQUIRE(final);
  CHECK(final->message == "revoked");
  from = mark();
  advance(60s);
  CHECK(all<hello>(from).empty());
}

TEST_CASE_METHOD(agent_world, "agent: it stays with its own manager, and does not obey an outdated one",
                 "[sim][agent][fc-54]") {
  welcome({}, 5);
  link_is(false);
  link_is(true);
  auto from = mark();
  say(msg::welcome{state->id(), "m1", 4, 8, {}});
  REQUIRE(all<welcome_refused>(from).size() == 1);  // so that the manager can raise its own term
  CHECK(all<welcome_refused>(from)[0].session == 8);
  CHECK(all<welcome_refused>(from)[0].term == 5);
  say(ping{1}, 8);
  CHECK(all<heartbeat>(from).empty());
  say(msg::welcome{state->id(), "m2", 9, 9, {}});
  REQUIRE(final);
  CHECK(state->manager_id() == "m1");
}

TEST_CASE_METHOD(agent_world, "agent: messages of an earlier session are ignored", "[sim][agent][fc-35]") {
  welcome();
  auto from = mark();
  say(ping{1}, 6);
  CHECK(all<heartbeat>(from).empty());
  say(ping{1}, 7);
  CHECK(all<heartbeat>(from).size() == 1);
}

TEST_CASE_METHOD(agent_world, "agent: it says hello again to a manager that falls silent", "[sim][agent]") {
  welcome();
  auto from = mark();
  advance(9s);
  CHECK(all<hello>(from).empty());
  advance(4s);
  CHECK_FALSE(all<hello>(from).empty());
}

TEST_CASE_METHOD(agent_world, "agent: what the link could not take is reported by an inventory", "[sim][agent]") {
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  welcome({known("s1", c)});
  link.full = true;
  docker.die(c);
  settle();
  link.full = false;
  auto from = mark();
  advance(2s);
  auto lists = all<inventory>(from);
  REQUIRE_FALSE(lists.empty());
  CHECK(lists[0].servers[0].view.state == container_state::exited);
}

TEST_CASE_METHOD(agent_world, "agent: a stopping agent says goodbye", "[sim][agent]") {
  welcome();
  caf::anon_send(core, agent::stop_atom::value);
  settle();
  CHECK(all<goodbye>().size() == 1);
}

TEST_CASE_METHOD(agent_world, "agent: a server whose template the manager has lost is guarded as before",
                 "[sim][agent]") {
  auto c = docker.make("box-s1", labels_of("s1"), container_state::running);
  auto whole = guarded("s1", c);
  host.data[whole.data.name] = data_state::present;
  welcome({whole});
  link_is(false);
  known_server partial;
  partial.id = whole.id;
  partial.container_id = c;
  partial.data.root = whole.data.root;
  partial.data.name = whole.data.name;
  partial.crash.policy = whole.crash.policy;
  partial.wanted_running = true;
  partial.partial = true;
  auto from = mark();
  SECTION("the agent knows its rules") {
    welcome({partial});
    REQUIRE(all<inventory>(from).size() == 1);
    CHECK(all<inventory>(from)[0].servers[0].data == data_state::present);
    CHECK(state->guards().find({"s1"})->known.data == whole.data);
    CHECK(state->guards().find({"s1"})->known.crash == whole.crash);
  }
  SECTION("the agent never had them") {
    state->guards().forget({"s1"});
    welcome({partial});
    REQUIRE(all<inventory>(from).size() == 1);
    CHECK(all<inventory>(from)[0].servers[0].container == presence::present);
    CHECK(all<inventory>(from)[0].servers[0].data == data_state::unknown);  // an error is never an observation
  }
}

TEST_CASE_METHOD(agent_world, "agent: a query that arrives while a welcome is being stored is answered afterwards",
                 "[sim][agent]") {
  others.hold = true;
  welcome({});
  const auto from = mark();
  say(port_query{41, {{21'000, protocol::udp}}});
  say(port_query{42, {{21'000, protocol::udp}}}, 6);  // of another session
  say(msg::welcome{state->id(), "m1", 1, 7, {}});     // the answer to a repeated hello
  others.hold = false;
  others.release();
  settle();
  const auto told = all<port_answer>(from);
  REQUIRE(told.size() == 1);
  CHECK(told[0].request == 41);
}
