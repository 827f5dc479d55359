// The audit: a change is on record before its caller is answered, and no record can be changed unnoticed.
#include "actors/manager/audit/audit_chain.hpp"
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

namespace {

std::shared_ptr<const principal> key(std::string name, role r) {
  return std::make_shared<const principal>(principal{"key:" + name, authentication::key, "192.0.2.7", {{r, {}, {}}}});
}

struct audited : stage {
  std::vector<audit_record> records(list_audit q = {}) {
    q.limit = 1'000;
    auto page = ask<audit_page>("audit.ls", q);
    REQUIRE(page.has_value());
    return page->records;
  }
  audit_verdict verdict(verify_audit q = {}) {
    auto v = ask<audit_verdict>("audit.verify", q);
    REQUIRE(v.has_value());
    return *v;
  }
  // As an attacker would who has the store's file and knows how records are packed.
  void tamper(uint64_t seq, const std::function<std::optional<audit_record>(audit_record)>& with) {
    auto w = db.begin_write(store::write_kind::essential);
    REQUIRE(w.has_value());
    const auto at = manager::log_key(seq);
    auto value = (*w)->get(store::table::audit, at);
    REQUIRE((value && *value));
    auto changed = with(*unpack<audit_record>(**value));
    if (changed) REQUIRE((*w)->put(store::table::audit, at, pack(*changed)).has_value());
    else REQUIRE((*w)->erase(store::table::audit, at).has_value());
    REQUIRE((*w)->commit().has_value());
  }
};

}  // namespace

TEST_CASE_METHOD(audited,
                 "audit: one record for each write, with caller, origin, result and the target before and after",
                 "[sim][manager][acc-9]") {
  const auto ann = key("ann", role::admin);
  REQUIRE(finish("create", a_server("pz1", "alpha"), {.actor = "deploy", .by = ann}).has_value());
  auto r = finish("stop", stop_server{"pz1"}, {.by = ann});
  REQUIRE(r.has_value());
  CHECK(code(operate("stop", stop_server{"pz1"}, {.by = ann})) == "wrong_state");
  CHECK(code(operate("stop", stop_server{"nobody"}, {.by = ann})) == "not_found");
  CHECK(code(operate("purge", purge_server{"pz1", true, false, true}, {.by = key("bob", role::operator_)})) ==
        "forbidden");
  REQUIRE(ask<sync_reply>("server.sync", sync_agents{}, {.by = ann}).has_value());
  CHECK(code(ask<agent_view>("agent.rm", remove_agent{"alpha"}, {.by = ann})) == "bad_request");
  const auto all = records();
  std::vector<std::string> told;
  for (const auto& x : all) told.push_back(x.who + " " + x.verb + " " + x.target_name + " " + x.result);
  CHECK(told == std::vector<std::string>{"key:ann agent.rm alpha bad_request", "key:ann server.sync  ok",
                                         "key:bob server.purge pz1 forbidden", "key:ann server.stop nobody not_found",
                                         "key:ann server.stop pz1 wrong_state", "key:ann server.stop pz1 ok",
                                         "key:ann server.create pz1 ok"});
  const auto& stop = all[5];
  CHECK(stop.operation == r->operation.id.value);
  CHECK(stop.target == server("pz1").id.value);
  CHECK((stop.how == authentication::key && stop.from == "192.0.2.7" && !stop.request.empty()));
  CHECK(stop.after == stop.before + 1);
  CHECK(all[6].label == "key:ann (deploy)");
  CHECK((all[6].before == 0 && all[6].after == 1));
  CHECK(!all[2].problem.empty());
  for (size_t i = 0; i < all.size(); ++i) CHECK(all[i].seq == all.size() - i);
  CHECK(verdict().sound);
}

TEST_CASE_METHOD(audited, "audit: reads and dry runs leave no record, refusals in a loop are counted",
                 "[sim][manager]") {
  running("pz1");
  const auto before = records().size();
  (void)ask<server_view>("server.get", get_server{"pz1"});
  (void)operate("rebuild", rebuild_server{"pz1"}, {.dry_run = true});
  (void)operate("rebuild", rebuild_server{"pz1"}, {.dry_run = true, .by = key("bob", role::viewer)});
  (void)ask<forget_reply>("agent.forget", forget_agent{"alpha", true, {}}, {.dry_run = true});
  CHECK(records().size() == before);
  const auto eve = key("eve", role::viewer);
  for (int i = 0; i < 100; ++i) CHECK(code(operate("stop", stop_server{"pz1"}, {.by = eve})) == "forbidden");
  CHECK(records({.who = "key:eve"}).size() <= 10);
  advance(2min);
  (void)operate("stop", stop_server{"pz1"}, {.by = eve});
  CHECK(records({.who = "key:eve"}).front().problem.find("90 equal refusals") != std::string::npos);
}

TEST_CASE_METHOD(audited, "audit: a change that cannot be told beforehand is not carried out by a dry run",
                 "[sim][manager][hostile]") {
  running("pz1");
  for (const auto& row : verb_table) {
    const bool joins = row.verb == "agent.enrol";  // no right of a user's
    if (!is_audited(row) || is_operation(row) || row.verb == "agent.forget" || joins) continue;
    INFO(row.verb);
    const auto request = send_bytes(std::string(row.verb), {}, {.dry_run = true});
    REQUIRE(until([&] { return answered(request); }));
    auto r = answer<sync_reply>(request);
    REQUIRE_FALSE(r.has_value());
    CHECK(r.error().message.find("beforehand") != std::string::npos);
  }
}

TEST_CASE_METHOD(audited, "audit: a caller without rights cannot flood older records out of it",
                 "[sim][manager][hostile]") {
  rules.audit_max = 20;
  stop_manager();
  boot();
  running("pz1");
  const auto eve = key("eve", role::viewer);
  for (int i = 0; i < 200; ++i)
    CHECK(code(operate("stop", stop_server{"x" + std::to_string(i)}, {.by = eve})) == "forbidden");
  CHECK(records({.who = "key:eve"}).size() <= 10);
  advance(2min);
  CHECK(code(operate("stop", stop_server{"last"}, {.by = eve})) == "forbidden");
  const auto newest = records({.who = "key:eve"}).front();
  CHECK(newest.problem.find("190 equal refusals") != std::string::npos);
  CHECK(newest.target_name == "last");
  CHECK(records({.verb = "server.create"}).size() == 1);
}

namespace {

struct counting_door final : rt::door {
  bool reply(const rt::peer& to, rt::answer kind, std::string) override {
    if (kind == rt::answer::result || kind == rt::answer::error) ++final[to.connection + " " + to.request];
    return true;
  }
  std::map<std::string, int> final;
};
struct has_door {
  counting_door door;
};
struct audited_door : has_door, audited {};  // a door outlives the manager

}  // namespace

TEST_CASE_METHOD(audited_door, "audit: several requests under one request id give several records and several answers",
                 "[sim][manager][hostile]") {
  const auto send_as_one = [&](const std::string& agent) {
    rt::client_call call;
    call.who = {&door, "c1", "same"};
    call.by = key("ann", role::admin);
    call.verb = "server.sync";
    call.body = pack_map(sync_agents{agent, {}});
    manager->node().request(std::move(call));
  };
  for (int i = 0; i < 3; ++i) send_as_one("alpha");
  REQUIRE(until([&] { return door.final["c1 same"] == 3; }));
  const auto mine = records({.who = "key:ann", .verb = "server.sync"});
  CHECK(mine.size() == 3);
  for (const auto& r : mine) CHECK((r.request == "same" && r.result == "ok"));
}

TEST_CASE_METHOD(audited, "audit: what was answered is on record, even if the manager dies at once", "[sim][manager]") {
  running("pz1");
  std::vector<std::string> requests;
  for (int i = 0; i < 5; ++i) {
    const auto a = send("server.restart", restart_server{"pz1"}, {}), b = send("server.stop", stop_server{"no"}, {}),
               c = send("server.purge", purge_server{"pz1", true, false, true}, {.by = key("bob", role::operator_)});
    for (const auto& one : {a, b, c}) {
      REQUIRE(until([&] { return answered(one); }));
      crash_manager();
      boot();
      const auto all = records();
      CHECK(std::count_if(all.begin(), all.end(), [&](const auto& r) { return r.request == one; }) == 1);
      REQUIRE(verdict().sound);
    }
    REQUIRE(until([&] { return !server("pz1").op; }, 120s));
  }
}

TEST_CASE_METHOD(audited, "audit: a changed, removed or rewritten record is found, with its number", "[sim][manager]") {
  running("pz1");
  for (int i = 0; i < 4; ++i) (void)operate("stop", stop_server{"nobody" + std::to_string(i)});
  const auto noted = verdict();
  REQUIRE((noted.sound && noted.last == 5));
  SECTION("one field") {
    tamper(3, [](auto r) {
      r.who = "key:somebody-else";
      return std::optional(r);
    });
    CHECK((!verdict().sound && verdict().broken_at == 3));
  }
  SECTION("a removed record") {
    tamper(3, [](auto) { return std::optional<audit_record>{}; });
    CHECK((!verdict().sound && verdict().broken_at == 3));
  }
  SECTION("the newest record") {
    tamper(5, [](auto) { return std::optional<audit_record>{}; });
    CHECK(verdict().sound);  // the chain alone cannot show it
    const auto v = verdict({noted.last, noted.head});
    CHECK((!v.sound && v.broken_at == 5));
  }
  SECTION("the whole chain rewritten") {
    manager::audit_head head;
    for (uint64_t seq = 1; seq <= 5; ++seq)
      tamper(seq, [&](auto r) {
        r.who = "nobody";
        manager::link(r, head);
        return std::optional(r);
      });
    CHECK(verdict().sound);
    CHECK_FALSE(verdict({noted.last, noted.head}).sound);
  }
}

TEST_CASE_METHOD(audited, "audit: after trimming, the rest still verifies, also over restarts", "[sim][manager]") {
  rules.audit_max = 20;
  stop_manager();
  boot();
  running("pz1");
  for (int i = 0; i < 60; ++i) (void)operate("stop", stop_server{"nobody" + std::to_string(i)});
  const auto middle = verdict();
  REQUIRE(until([&] { return records().size() == 20; }, 30min));
  auto v = verdict();
  CHECK((v.sound && v.first == middle.last - 19 && v.last == middle.last && v.head == middle.head));
  CHECK(verdict({middle.last, middle.head}).sound);
  CHECK(code(ask<audit_verdict>("audit.verify", verify_audit{3, "00"})) == "not_found");
  crash_manager();
  boot();
  (void)operate("stop", stop_server{"nobody"});
  v = verdict();
  CHECK((v.sound && v.last == middle.last + 1));
}

TEST_CASE_METHOD(audited, "audit: filters work, and pages have no gap between them", "[sim][manager]") {
  running("pz1");
  for (int i = 0; i < 30; ++i) (void)operate("stop", stop_server{"nobody" + std::to_string(i)});
  CHECK(records({.verb = "server.create"}).size() == 1);
  CHECK(records({.result = "ok"}).size() == 1);
  CHECK(records({.result = "refused"}).size() == 30);
  CHECK(records({.target = "nobody7"}).size() == 1);
  CHECK(records({.target = server("pz1").id.value}).size() == 1);
  CHECK(records({.who = "nobody"}).empty());
  CHECK(records({.until = records().back().time}).empty());
  std::vector<uint64_t> seen;
  list_audit q{.limit = 7};
  do {
    auto page = ask<audit_page>("audit.ls", q);
    REQUIRE(page.has_value());
    for (const auto& r : page->records) seen.push_back(r.seq);
    q.before = page->next;
  } while (q.before != 0);
  CHECK(seen.size() == 31);
  CHECK(std::is_sorted(seen.rbegin(), seen.rend()));
  CHECK(code(ask<audit_page>("audit.ls", list_audit{}, {.by = key("eve", role::operator_)})) == "forbidden");
}

TEST_CASE_METHOD(audited, "audit: what the manager does by itself is on record as well", "[sim][manager][acc-63]") {
  running("pz1");
  REQUIRE(finish("rm", remove_server{"pz1"}).has_value());
  REQUIRE(until([&] { return status("pz1") == server_status::purged; }, 48h));
  const auto own = records({.who = "manager"});
  REQUIRE(own.size() == 1);
  CHECK((own[0].verb == "server.purge" && own[0].target_name == "pz1" && own[0].result == "ok"));
  CHECK(verdict().sound);
}
