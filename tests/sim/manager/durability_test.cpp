// Facts are durable before anything follows from them; a failure is always reported to the caller.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

TEST_CASE_METHOD(stage, "a create is durable before it is sent to the agent, and runs to its end",
                 "[sim][manager][acc-4]") {
  auto request = send("server.create", a_server("pz1", "alpha"), {.wait = true});
  REQUIRE(until([&] { return answered(request); }));
  auto reply = answer<operation_reply>(request);
  REQUIRE(reply.has_value());
  CHECK(reply->operation.status == op_status::succeeded);
  CHECK(reply->server.status == server_status::running);
  CHECK(reply->server.container_id == body_of("pz1")->view.id);
  CHECK(clients.requests.at(request).replies.front().kind == rt::answer::accepted);
  CHECK(progress_of(request) >= 3);
  CHECK(body_of("pz1")->alive());
}

TEST_CASE_METHOD(stage, "when the journal fails nothing is sent and the caller gets an error", "[sim][manager]") {
  const auto before = at("alpha").commands_received();
  const auto facts_before = audit.last_seq();
  db.fail_commit(1, broken_disk());
  auto r = operate("create", a_server("pz1", "alpha"));
  CHECK(code(r) == "internal");
  advance(5s);
  CHECK(at("alpha").commands_received() == before);
  CHECK(server("pz1").id.empty());
  CHECK(audit.last_seq() == facts_before);
  CHECK(operate("create", a_server("pz1", "alpha")).has_value());
}

TEST_CASE_METHOD(stage, "a report whose commit fails is recovered by the next sync", "[sim][manager]") {
  auto op = operate("create", a_server("pz1", "alpha"));
  REQUIRE(op.has_value());
  REQUIRE(until([&] { return server("pz1").op && server("pz1").op->step == "verifying"; }));
  db.fail_commit(1, broken_disk());
  CHECK(until([&] { return status("pz1") == server_status::running && !server("pz1").op; }, 60s));
  CHECK(body_of("pz1")->alive());
}

TEST_CASE_METHOD(stage, "a full store refuses new work, but reads, stops and deletions still work",
                 "[sim][manager][fc-63]") {
  running("pz1");
  running("pz2");
  db.set_disk(store::disk::is_full);
  CHECK(code(operate("create", a_server("pz3", "alpha"))) == "store_full");
  CHECK(code(operate("restart", restart_server{"pz1"})) == "store_full");
  CHECK(ask<server_list>("server.ls", list_servers{}).value().servers.size() == 2);
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
  CHECK(status("pz1") == server_status::stopped);
  CHECK(finish("rm", remove_server{"pz2"}).has_value());
  CHECK(status("pz2") == server_status::deleted);
  db.set_disk(store::disk::has_room);
  CHECK(finish("start", start_server{"pz1"}).has_value());
  CHECK(status("pz1") == server_status::running);
}

TEST_CASE_METHOD(stage, "a manager whose disk is full can be started again", "[sim][manager][fc-63]") {
  running("pz1");
  db.set_disk(store::disk::is_full);
  crash_manager();
  boot();
  REQUIRE(manager != nullptr);
  REQUIRE(until([&] { return at("alpha").in_session(); }, 20s));
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
}

TEST_CASE_METHOD(stage, "in a full store refused work does not prevent a simultaneous stop from being stored",
                 "[sim][manager][fc-63]") {
  running("pz1");
  running("pz2");
  db.set_disk(store::disk::is_full);
  auto refused = send("server.restart", restart_server{"pz2"});
  auto stop = send("server.stop", stop_server{"pz1"}, {.wait = true});
  REQUIRE(until([&] { return answered(refused) && answered(stop); }));
  CHECK(code(answer<operation_reply>(refused)) == "store_full");
  CHECK(code(answer<operation_reply>(stop)) == "ok");
}

TEST_CASE_METHOD(stage, "one entry that can never be stored fails no other entry", "[sim][manager][fc-63]") {
  running("pz1");
  running("pz2");
  std::string wire;
  net.to_manager = [&, pass = net.to_manager](rt::agent_said said) {
    wire = said.routing_id;
    pass(std::move(said));
  };
  advance(2s);  // its heartbeats
  REQUIRE_FALSE(wire.empty());
  auto stop = send("server.stop", stop_server{"pz1"}, {.wait = true});
  auto report = observed{};
  report.what.server = server("pz2").id;
  report.what.container = presence::present;
  report.what.view = body_of("pz2")->view;
  report.what.data = data_state::present;
  report.what.drift = std::string(9 << 20, 'x');
  manager->node().said({wire, report});
  auto restart = send("server.edit", edit_server{"pz2", {{"A", "1"}}, {}, {}, {}, {}, {}, {}, {}}, {.wait = true});
  REQUIRE(until([&] { return answered(stop) && answered(restart); }));
  CHECK(code(answer<operation_reply>(stop)) == "ok");
  CHECK(code(answer<operation_reply>(restart)) == "ok");
  CHECK(server("pz2").env.contains("A"));
  CHECK(server("pz2").drift.empty());
}

TEST_CASE_METHOD(stage, "a disk that fills up in the middle of a transaction refuses the work and stores the stop",
                 "[sim][manager][fc-63]") {
  running("pz1");
  running("pz2");
  settle();
  db.fail_puts(1, {ec::store_full, "no room is left in the store", "free some", {}});
  auto refused = send("server.restart", restart_server{"pz2"});
  auto stop = send("server.stop", stop_server{"pz1"}, {.wait = true});
  REQUIRE(until([&] { return answered(refused) && answered(stop); }));
  CHECK(code(answer<operation_reply>(refused)) == "store_full");
  CHECK(code(answer<operation_reply>(stop)) == "ok");
  CHECK(finish("restart", restart_server{"pz2"}).has_value());
}

TEST_CASE_METHOD(stage, "what is too large for one transaction is stored in several", "[sim][manager][fc-63]") {
  std::vector<std::string> names;
  for (int i = 0; i < 300; ++i) {
    auto c = a_server("srv" + std::to_string(i), "alpha");
    c.template_name = "generic";  // it needs no ports
    REQUIRE(finish("create", c).has_value());
    names.push_back(c.name);
  }
  edit_server e;
  for (int k = 0; k < 2; ++k) e.config["KEY" + std::to_string(k)] = std::string(31'000, 'v');
  const auto before = db.commits();
  std::vector<std::string> all;
  for (const auto& name : names) {
    e.server = name;
    all.push_back(send("server.edit", e, {.wait = true}));
  }
  for (const auto& r : all) {
    REQUIRE(until([&] { return answered(r); }));
    CHECK(code(answer<operation_reply>(r)) == "ok");
  }
  CHECK(db.commits() - before >= 3);
  for (const auto& name : names) CHECK(server(name).env.size() >= 2);
  for (int k = 2; k < 10; ++k) e.config["KEY" + std::to_string(k)] = std::string(32'000, 'v');
  CHECK(code(operate("edit", e)) == "too_large");
}

TEST_CASE_METHOD(stage, "a server's actor that throws is restarted and its caller is answered", "[sim][manager]") {
  running("pz1");
  settle();
  wall.throw_in = 1;  // the next one to read the clock is the server's actor
  auto stop = send("server.stop", stop_server{"pz1"});
  auto also = send("server.restart", restart_server{"pz1"});
  settle();
  REQUIRE(manager->world().actor_restarts.load() == 1);
  CHECK(answered(stop));
  CHECK(answered(also));
  CHECK(status("pz1") == server_status::running);
  advance(1s);
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
  CHECK(status("pz1") == server_status::stopped);
}

TEST_CASE_METHOD(stage, "an actor that throws too often is suspended, and the others keep working", "[sim][manager]") {
  running("pz1");
  running("pz2");
  for (int i = 0; i < 4; ++i) {
    settle();
    wall.throw_in = 1;
    auto r = send("server.stop", stop_server{"pz1"});
    settle();
    CHECK(answered(r));
    wall.throw_in = 0;
    advance(5s);
  }
  CHECK(manager->world().actor_restarts.load() == 4);
  // It was given up: a fact records this, as an event and in the record.
  const auto why = server("pz1").last_error;
  REQUIRE(why.has_value());
  CHECK(why->message.find("crashed too often") != std::string::npos);
  CHECK(status("pz1") == server_status::running);
  auto r = operate("stop", stop_server{"pz1"});
  CHECK(code(r) == "internal");
  CHECK(finish("stop", stop_server{"pz2"}).has_value());
  advance(70s);
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
  CHECK_FALSE(server("pz1").last_error.has_value());
}

namespace {
edit_server edited(const std::string& name, int value) {
  edit_server e;
  e.server = name;
  e.config["ROUND"] = std::to_string(value);
  return e;
}
}  // namespace

TEST_CASE_METHOD(stage, "an actor that nobody needs rests, and the next request starts it again", "[sim][manager]") {
  running("pz1");
  running("pz2");
  const auto& actors = manager->world().actors;
  CHECK(actors.size() == 2);
  advance(50s);
  CHECK(actors.size() == 2);
  for (int i = 0; i < 4; ++i) {
    advance(50s);
    CHECK(finish("edit", edited("pz2", i)).has_value());
  }
  CHECK(actors.find(server("pz2").id.value));
  CHECK_FALSE(actors.find(server("pz1").id.value));
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
  CHECK(status("pz1") == server_status::stopped);
  advance(250s);
  CHECK(actors.size() == 0);
  CHECK(manager->world().actor_restarts.load() == 0);
}

TEST_CASE_METHOD(stage, "an actor that is told to rest answers what it has begun", "[sim][manager]") {
  running("pz1");
  for (int jobs = 0; jobs < 60; ++jobs) {
    const auto r = send("server.edit", edited("pz1", jobs));
    for (int n = 0; n < jobs; ++n) (void)work();
    if (const auto a = manager->world().actors.find(server("pz1").id.value)) caf::anon_send(*a, rt::rest_atom::value);
    settle();
    CHECK(answered(r));
  }
  CHECK(finish("stop", stop_server{"pz1"}).has_value());
}

TEST_CASE_METHOD(stage, "an operation survives the crash of its server's actor", "[sim][manager]") {
  running("pz1");
  REQUIRE(operate("stop", stop_server{"pz1"}).has_value());
  wall.throw_in = 1;
  (void)send("server.restart", restart_server{"pz1"});
  settle();
  REQUIRE(manager->world().actor_restarts.load() == 1);
  CHECK(until([&] { return status("pz1") == server_status::stopped && !server("pz1").op; }, 30s));
}

TEST_CASE_METHOD(stage, "a full queue answers busy and every request is answered", "[sim][manager]") {
  running("pz1");
  std::vector<std::string> all;
  for (int i = 0; i < 400; ++i) all.push_back(send("server.stop", stop_server{"pz1"}));
  advance(10s);
  size_t done = 0, busy = 0;
  for (const auto& r : all) {
    REQUIRE(answered(r));
    auto a = answer<operation_reply>(r);
    done += a ? 1 : 0;
    busy += !a && a.error().code == ec::busy ? 1 : 0;
  }
  CHECK(done == 1);
  CHECK(done + busy == all.size());
}

TEST_CASE_METHOD(stage, "an orderly stop answers everyone", "[sim][manager]") {
  running("pz1");
  auto waiting = send("server.stop", stop_server{"pz1"}, {.wait = true});
  net.hold(at("alpha"), network::direction::to_manager);
  auto data = send("server.check-data", check_data{{"pz1"}, false, {}});
  settle();
  auto late = send("server.restart", restart_server{"pz1"});
  auto watch = send("op.wait", wait_operation{server("pz1").op ? server("pz1").op->id.value : ""});
  auto large = a_server("large", "alpha");
  for (int k = 0; k < 7; ++k) large.config["KEY" + std::to_string(k)] = std::string(32'000, 'v');
  std::vector<std::string> asked{waiting, data, late, watch};
  for (int i = 0; i < 8; ++i) {
    large.name = "large" + std::to_string(i);
    asked.push_back(send("server.create", large));
  }
  settle();
  REQUIRE_FALSE(answered(asked.back()));  // it waits its turn
  stop_manager();
  for (const auto& r : asked) CHECK(answered(r));
}
