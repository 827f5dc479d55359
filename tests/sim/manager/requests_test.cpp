// What clients may rely on: keys, ports, waiting, cancelling.
#include <algorithm>
#include <set>

#include "actors/manager/doors/gateway.hpp"
#include "actors/manager/doors/refusal_log.hpp"
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;
using zedops::manager::refusal_log;

TEST_CASE_METHOD(stage, "the same idempotency key in flight gives one operation and two answers",
                 "[sim][manager][fc-22]") {
  auto first = send("server.create", a_server("pz1", "alpha"), {.key = "k1"});
  auto second = send("server.create", a_server("pz1", "alpha"), {.key = "k1"});
  advance(10s);
  auto a = answer<operation_reply>(first), b = answer<operation_reply>(second);
  REQUIRE(a.has_value());
  REQUIRE(b.has_value());
  CHECK(a->operation.id == b->operation.id);
  CHECK(facts<server_created>() == 1);
}

TEST_CASE_METHOD(stage, "of one idempotency key only a limited number of requests waits for the first one",
                 "[sim][manager][hostile]") {
  commit_takes = [] { return 500ms; };
  std::vector<std::string> sent;
  for (size_t i = 0; i < 1 + zedops::manager::repeats_max + 1; ++i)
    sent.push_back(send("server.create", a_server("pz1", "alpha"), {.key = "k1"}));
  settle();
  CHECK(code(answer<operation_reply>(sent.back())) == "rate_limited");
  sent.pop_back();
  for (const auto& r : sent) CHECK_FALSE(answered(r));
  REQUIRE(until([&] { return std::ranges::all_of(sent, [&](const auto& r) { return answered(r); }); }));
  for (const auto& r : sent) CHECK(code(answer<operation_reply>(r)) == "ok");
  CHECK(facts<server_created>() == 1);
}

TEST_CASE_METHOD(stage, "the same key on an open or ended operation gives that operation again", "[sim][manager]") {
  auto first = operate("create", a_server("pz1", "alpha"), {.key = "k1"});
  auto open = operate("create", a_server("pz1", "alpha"), {.key = "k1"});
  REQUIRE(first.has_value());
  REQUIRE(open.has_value());
  CHECK(open->operation.id == first->operation.id);
  REQUIRE(until([&] { return status("pz1") == server_status::running; }));
  auto ended = operate("create", a_server("pz1", "alpha"), {.key = "k1"});
  REQUIRE(ended.has_value());
  CHECK(ended->operation.id == first->operation.id);
  CHECK(ended->operation.status == op_status::succeeded);
  CHECK(facts<server_created>() == 1);
}

TEST_CASE_METHOD(stage, "a key survives the manager's restart", "[sim][manager]") {
  auto first = operate("create", a_server("pz1", "alpha"), {.key = "k1"});
  crash_manager();
  boot();
  auto again = operate("create", a_server("pz1", "alpha"), {.key = "k1"});
  REQUIRE(again.has_value());
  CHECK(again->operation.id == first->operation.id);
}

TEST_CASE_METHOD(stage, "a key used for another request is refused, in flight, open and ended", "[sim][manager]") {
  auto first = send("server.create", a_server("pz1", "alpha"), {.key = "k1"});
  auto other = send("server.create", a_server("pz2", "alpha"), {.key = "k1"});
  settle();
  CHECK(answer<operation_reply>(first).has_value());
  CHECK(code(answer<operation_reply>(other)) == "bad_request");
  CHECK(code(operate("create", a_server("pz3", "alpha"), {.key = "k1"})) == "bad_request");
  REQUIRE(until([&] { return status("pz1") == server_status::running; }));
  CHECK(code(operate("stop", stop_server{"pz1"}, {.key = "k1"})) == "bad_request");
  CHECK(server("pz2").id.empty());
}

TEST_CASE_METHOD(stage, "a refused request under a key is refused the same way again", "[sim][manager]") {
  running("pz1");
  auto first = operate("start", start_server{"pz1"}, {.key = "k2"});
  auto again = operate("start", start_server{"pz1"}, {.key = "k2"});
  CHECK(code(first) == "wrong_state");
  CHECK(code(again) == "wrong_state");
}

TEST_CASE_METHOD(stage, "a request under one key that is refused twice at once has one audit record",
                 "[sim][manager][acc-9]") {
  auto first = send("server.start", start_server{"nobody"}, {.key = "k1"});
  auto second = send("server.start", start_server{"nobody"}, {.key = "k1"});
  advance(1s);
  CHECK(code(answer<operation_reply>(first)) == "not_found");
  CHECK(code(answer<operation_reply>(second)) == "not_found");
  CHECK(facts<operation_refused>() == 1);
}

TEST_CASE_METHOD(stage, "requests for one server take effect in the order sent, whether or not its actor exists yet",
                 "[sim][manager]") {
  running("pz1");
  crash_manager();
  any_order = true;  // of the actors: messages on different ways may arrive in any order
  boot();
  std::vector<std::string> sent, done;
  for (int i = 0; i < 20; ++i) {
    edit_server e;
    e.server = "pz1";
    e.config["STEP"] = std::to_string(i);
    sent.push_back(e.config["STEP"]);
    send("server.edit", e);
    if (i % 3 == 0) settle();
  }
  advance(10s);
  for (const auto& entry : audit.log())
    for (const auto& n : entry.facts)
      if (const auto* x = std::get_if<server_edited>(&n.what)) done.push_back(x->env.at("STEP"));
  CHECK(done == sent);
  CHECK(server("pz1").env.at("STEP") == "19");
}

TEST_CASE_METHOD(stage, "of two simultaneous creates for one port exactly one succeeds",
                 "[sim][manager][acc-66][fc-46]") {
  auto one = a_server("pz1", "alpha"), two = a_server("pz2", "alpha");
  one.game_port = two.game_port = 16261;
  auto a = send("server.create", one), b = send("server.create", two);
  advance(10s);
  const auto ra = answer<operation_reply>(a), rb = answer<operation_reply>(b);
  CHECK((ra.has_value() ? 1 : 0) + (rb.has_value() ? 1 : 0) == 1);
  CHECK(code(ra ? rb : ra) == "port_conflict");
  CHECK(facts<server_created>() == 1);
}

TEST_CASE_METHOD(stage, "ports that the manager chooses for simultaneous creates differ", "[sim][manager][acc-65]") {
  std::vector<std::string> all;
  for (int i = 0; i < 20; ++i) all.push_back(send("server.create", a_server("pz" + std::to_string(i), "alpha")));
  REQUIRE(until([&] { return facts<operation_ended>() == all.size(); }, 120s));
  std::set<uint16_t> game;
  for (const auto& r : all) {
    auto a = answer<operation_reply>(r);
    REQUIRE(a.has_value());
    game.insert(a->server.game_port.value());
  }
  CHECK(game.size() == all.size());
}

TEST_CASE_METHOD(stage, "of two simultaneous creates of one name exactly one succeeds", "[sim][manager][acc-5]") {
  auto a = send("server.create", a_server("pz1", "alpha")), b = send("server.create", a_server("pz1", "alpha"));
  advance(10s);
  const auto ra = answer<operation_reply>(a), rb = answer<operation_reply>(b);
  CHECK((ra.has_value() ? 1 : 0) + (rb.has_value() ? 1 : 0) == 1);
  CHECK(code(ra ? rb : ra) == "already_exists");
}

TEST_CASE_METHOD(stage, "a write on a server with an open operation is busy and names it",
                 "[sim][manager][acc-6][fc-13]") {
  running("pz1");
  auto stop = operate("stop", stop_server{"pz1"});
  REQUIRE(stop.has_value());
  auto restart = operate("restart", restart_server{"pz1"});
  REQUIRE(!restart.has_value());
  CHECK(restart.error().code == ec::busy);
  CHECK(restart.error().operation == stop->operation.id.value);
}

TEST_CASE_METHOD(stage, "op.wait follows an operation to its end, and answers at once when it is over",
                 "[sim][manager]") {
  running("pz1");
  auto stop = operate("stop", stop_server{"pz1"});
  auto first = send("op.wait", wait_operation{stop->operation.id.value});
  auto second = send("op.wait", wait_operation{stop->operation.id.value}, {.actor = "bob"});
  settle();
  CHECK_FALSE(answered(first));
  REQUIRE(until([&] { return answered(first) && answered(second); }));
  CHECK(progress_of(first) > 0);
  CHECK(answer<operation_view>(first)->status == op_status::succeeded);
  CHECK(ask<operation_view>("op.wait", wait_operation{stop->operation.id.value})->status == op_status::succeeded);
  CHECK(code(ask<operation_view>("op.wait", wait_operation{"o-nothing"})) == "not_found");
}

TEST_CASE_METHOD(stage, "a dry run changes nothing", "[sim][manager]") {
  running("pz1");
  const auto seq = audit.last_seq();
  const auto commands = at("alpha").commands_received();
  auto plan = operate("rm", remove_server{"pz1"}, {.dry_run = true});
  REQUIRE(plan.has_value());
  CHECK_FALSE(plan->plan.empty());
  CHECK(audit.last_seq() == seq);
  CHECK(at("alpha").commands_received() == commands);
}

TEST_CASE_METHOD(stage, "an operation that waits for its agent can be cancelled and changes nothing",
                 "[sim][manager]") {
  running("pz1");
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  auto rm = operate("rm", remove_server{"pz1"});
  REQUIRE(rm.has_value());
  CHECK(rm->operation.step == step_waiting);
  auto cancelled = ask<operation_view>("op.cancel", cancel_operation{rm->operation.id.value});
  REQUIRE(cancelled.has_value());
  CHECK(cancelled->status == op_status::cancelled);
  CHECK(status("pz1") == server_status::running);
  at("alpha").start();
  advance(30s);
  CHECK(status("pz1") == server_status::running);
  CHECK(body_of("pz1")->alive());
}

TEST_CASE_METHOD(stage, "garbage from clients is answered with an error", "[sim][manager]") {
  for (const auto* verb : {"server.create", "server.ls", "op.wait", "server.nonsense", "", "event.replay"}) {
    auto r = send_bytes(verb, "\xc1\xff garbage", {});
    advance(1s);
    CHECK(answered(r));
    CHECK(code(answer<operation_reply>(r)) == "bad_request");
  }
}

TEST_CASE_METHOD(stage, "when a client is gone its waits end", "[sim][manager]") {
  running("pz1");
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  auto stop = operate("stop", stop_server{"pz1"});
  REQUIRE(stop.has_value());
  auto wait = send("op.wait", wait_operation{stop->operation.id.value});
  const auto told = progress_of(wait);
  advance(31s);
  CHECK(progress_of(wait) > told);  // regular messages show the door when the client is gone
  for (const auto* n : {"0", "1", "2"}) manager->node().client_lost({"c-ann" + std::string(n), &clients});
  settle();
  const auto then = progress_of(wait);
  advance(65s);
  CHECK(progress_of(wait) == then);
}

TEST_CASE_METHOD(stage, "a temporary refusal does not use up its key", "[sim][manager]") {
  running("pz1");
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  CHECK(code(operate("rebuild", rebuild_server{"pz1"}, {.key = "k1"})) == "agent_unreachable");
  at("alpha").start();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::online; }));
  CHECK(operate("rebuild", rebuild_server{"pz1"}, {.key = "k1"}).has_value());
  CHECK(facts<operation_refused>() == 1);
}

TEST_CASE_METHOD(stage, "temporary refusals under one key are recorded separately", "[sim][manager][acc-9]") {
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  for (int i = 0; i < 3; ++i)
    CHECK(code(operate("create", a_server("pz1", "alpha"), {.key = "k1"})) == "agent_unreachable");
  std::set<std::string> ids;
  for (const auto& e : audit.log())
    for (const auto& n : e.facts)
      if (const auto* x = std::get_if<operation_refused>(&n.what)) ids.insert(x->op->id.value);
  CHECK(ids.size() == 3);
  at("alpha").start();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::online; }));
  CHECK(operate("create", a_server("pz1", "alpha"), {.key = "k1"}).has_value());
}

TEST_CASE_METHOD(stage, "a key matches the same request in any encoding", "[sim][manager]") {
  const auto once = pack_map(stop_server{"pz1"});
  CHECK(encoding_free(once) == encoding_free(std::string("\x81\xa6server\xd9\x03pz1", 13)));  // str 8 for a short text
  CHECK(encoding_free(std::string("\x82\xa1"
                                  "a\x01\xa1"
                                  "b\x02",
                                  7)) == encoding_free(std::string("\x82\xa1"
                                                                   "b\xcc\x02\xa1"
                                                                   "a\x01",
                                                                   8)));
  CHECK(encoding_free("no map at all") == "no map at all");
}

TEST_CASE_METHOD(stage, "a repeated refusal is counted, not recorded each time", "[sim][manager]") {
  running("pz1");
  for (int i = 0; i < 50; ++i) CHECK(code(operate("start", start_server{"pz1"}, {})) == "wrong_state");
  CHECK(facts<operation_refused>() == refusal_log::recorded_max);
  for (int i = 0; i < 50; ++i) CHECK(code(operate("start", start_server{"nobody"}, {})) == "not_found");
  CHECK(facts<operation_refused>() == 2 * refusal_log::recorded_max);
  advance(refusal_log::window + 1s);
  CHECK(code(operate("start", start_server{"pz1"}, {})) == "wrong_state");
  const auto all = ask<operation_list>("op.ls", list_operations{});
  REQUIRE(all.has_value());
  CHECK(std::any_of(all->operations.begin(), all->operations.end(),
                    [](const auto& op) { return op.note.starts_with("40 equal refusals"); }));
}

TEST_CASE_METHOD(stage, "op.ls gives every operation once, page by page", "[sim][manager]") {
  running("pz1");
  running("pz2");
  for (int i = 0; i < 7; ++i) {
    edit_server e;
    e.server = "pz1";
    e.config = {{"N", std::to_string(i)}};
    REQUIRE(operate("edit", e, {}).has_value());
    advance(10ms);
  }
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  REQUIRE(operate("rm", remove_server{"pz2"}, {}).has_value());
  const auto whole = ask<operation_list>("op.ls", list_operations{});
  REQUIRE(whole.has_value());
  CHECK(whole->next.empty());
  REQUIRE(whole->operations.size() == 10);
  CHECK(whole->operations.front().kind == op_kind::remove);  // open ones first
  for (uint32_t limit : {1u, 3u, 9u, 10u}) {
    list_operations q;
    q.where.limit = limit;
    std::vector<std::string> seen;
    for (int pages = 0; pages < 20; ++pages) {
      auto page = ask<operation_list>("op.ls", q);
      REQUIRE(page.has_value());
      CHECK(page->operations.size() <= limit);
      for (const auto& op : page->operations) seen.push_back(op.id.value);
      if ((q.where.after = page->next).empty()) break;
    }
    REQUIRE(seen.size() == whole->operations.size());
    for (size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == whole->operations[i].id.value);
  }
  list_operations bad;
  bad.where.after = "somewhere";
  CHECK(code(ask<operation_list>("op.ls", bad)) == "bad_request");
}

TEST_CASE_METHOD(stage, "a request whose client no longer waits is not begun", "[sim][manager]") {
  running("pz1");
  CHECK(code(operate("stop", stop_server{"pz1"}, {.key = "k1", .deadline = duration{0}})) == "timeout");
  advance(10s);
  CHECK(status("pz1") == server_status::running);
  CHECK(server("pz1").desired == desired_state::running);
  CHECK(operate("stop", stop_server{"pz1"}, {.key = "k1", .deadline = 10s}).has_value());
}

TEST_CASE_METHOD(stage, "a name takes precedence over an id prefix, and a prefix that is too short is refused",
                 "[sim][manager]") {
  const auto id = running("pz1").id.value;
  const auto begin = id.substr(0, 3);
  auto short_one = ask<server_view>("server.get", get_server{begin});
  REQUIRE(!short_one);
  CHECK(code(short_one) == "bad_request");
  CHECK(short_one.error().message.find(id + " (pz1)") != std::string::npos);
  CHECK(ask<server_view>("server.get", get_server{id.substr(0, 5)}).has_value());
  CHECK(code(ask<server_view>("server.get", get_server{"zz"})) == "not_found");
  running(begin);
  CHECK(ask<server_view>("server.get", get_server{begin})->name == begin);
}

TEST_CASE_METHOD(stage, "a dry run under the key of a request that is being decided does not affect that request",
                 "[sim][manager]") {
  running("pz1");
  running("pz2");
  commit_takes = [] { return 500ms; };
  const auto dry = send("server.stop", stop_server{"pz1"}, {.key = "k", .dry_run = true});
  const auto stop = send("server.stop", stop_server{"pz1"}, {.key = "k"});
  REQUIRE(until([&] { return answered(dry); }));
  REQUIRE_FALSE(answered(stop));
  const auto other = send("server.restart", restart_server{"pz2"}, {.key = "k"});
  REQUIRE(until([&] { return answered(stop) && answered(dry) && answered(other); }));
  CHECK(code(answer<operation_reply>(stop)) == "ok");
  CHECK(code(answer<operation_reply>(other)) == "bad_request");
}
