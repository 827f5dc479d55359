// Doors: the caller decides what is permitted, whose key it is, and what ends with the connection.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

namespace {

std::shared_ptr<const principal> someone(std::string id, std::vector<grant> grants) {
  return std::make_shared<const principal>(
      principal{std::move(id), authentication::key, "192.0.2.7", std::move(grants)});
}
std::shared_ptr<const principal> a(role r) { return someone("key:eve", {{r, {}, {}}}); }

// A second way in, beside the bus.
struct side_door final : rt::door {
  bool reply(const rt::peer& to, rt::answer kind, std::string body) override {
    if (closed) return false;
    got[to.request].emplace_back(kind, std::move(body));
    return true;
  }
  std::vector<std::string> items(const std::string& request) {
    std::vector<std::string> out;
    for (auto& [kind, body] : got[request])
      if (kind == rt::answer::item) out.push_back(body);
    return out;
  }
  bool closed = false;
  std::map<std::string, std::vector<std::pair<rt::answer, std::string>>> got;
};
struct has_side_door {
  side_door door;
};
struct two_doors : has_side_door, stage {};  // a door outlives the manager

// Users as their file keeps them: a new role replaces the one before.
struct few_accounts final : rt::account_port {
  std::map<std::string, user_view> known;
  size_t tokens_made = 0;
  result<user_list> users() override {
    user_list out;
    for (const auto& [name, u] : known) out.users.push_back(u);
    return out;
  }
  result<user_link> add(const add_user& u, time_point) override {
    return user_link{known[u.name] = {u.name, u.role, u.agent, u.server, true, {}}, {}, {}};
  }
  result<user_list> remove(const remove_user&) override { return user_list{}; }
  result<user_link> reset(const reset_user&, time_point) override { return user_link{}; }
  result<token_list> tokens() override { return token_list{}; }
  result<token_made> add(const add_token&, time_point) override {
    ++tokens_made;
    return token_made{};
  }
  result<token_list> remove(const remove_token&) override { return token_list{}; }
};
struct has_accounts {
  few_accounts accounts;
};
struct with_accounts : has_accounts, stage {
  with_accounts() { manager->world().accounts = &accounts; }
};

struct has_usage {
  manager::usage_book book{
      []() -> result<std::unique_ptr<store::store>> { return std::make_unique<store::memory_store>(); }};
};
struct with_usage : has_usage, stage {
  with_usage() {
    REQUIRE(book.open().has_value());
    manager->world().usage = &book;
  }
};

}  // namespace

TEST_CASE_METHOD(stage, "doors: a viewer can change nothing, and an operator cannot purge", "[sim][manager]") {
  running("pz1");
  const auto before = audit.last_seq();
  for (const auto& row : verb_table) {
    if (row.needs == right::view || row.needs == right::connect) continue;
    INFO(row.verb);
    auto r =
        ask<operation_reply>(std::string(row.verb), purge_server{"pz1", true, false, true}, {.by = a(role::viewer)});
    CHECK(code(r) == "forbidden");
  }
  CHECK(code(operate("purge", purge_server{"pz1", true, false, true}, {.by = a(role::operator_)})) == "forbidden");
  CHECK(code(operate("stop", stop_server{"pz1"}, {.by = someone("key:new", {})})) == "forbidden");
  CHECK(audit.last_seq() == before);
  CHECK(ask<server_view>("server.get", get_server{"pz1"}, {.by = a(role::viewer)}).has_value());
  CHECK(finish("stop", stop_server{"pz1"}, {.by = a(role::operator_)}).has_value());
}

TEST_CASE_METHOD(stage, "doors: a grant for one server or agent does not apply to others", "[sim][manager]") {
  running("pz1");
  running("pz2");
  add_host("beta");
  REQUIRE(until([&] { return in_sync("beta"); }));
  running("far", "beta");
  const auto mine = someone("key:one", {{role::operator_, {}, server("pz1").id}});
  CHECK(finish("stop", stop_server{"pz1"}, {.by = mine}).has_value());
  CHECK(code(operate("stop", stop_server{"pz2"}, {.by = mine})) == "forbidden");
  CHECK(code(operate("stop", stop_server{"nobody"}, {.by = mine})) == "forbidden");
  CHECK(code(operate("create", a_server("pz3", "alpha"), {.by = mine})) == "forbidden");
  auto op = ask<operation_list>("op.ls", list_operations{"pz1", {}, {}}, {.by = mine});
  REQUIRE(op.has_value());
  CHECK(ask<operation_view>("op.get", get_operation{op->operations.front().id.value}, {.by = mine}).has_value());
  CHECK(code(ask<operation_list>("op.ls", list_operations{}, {.by = mine})) == "forbidden");
  const auto named = [&](const auto& by) {
    std::vector<std::string> out;
    const auto rows = ask<server_list>("server.ls", list_servers{}, {.by = by});
    REQUIRE(rows.has_value());
    for (const auto& s : rows->servers) out.push_back(s.name);
    std::sort(out.begin(), out.end());
    return out;
  };
  CHECK(named(mine) == std::vector<std::string>{"pz1"});
  CHECK(named(someone("key:host", {{role::viewer, server("pz1").agent, {}}})) ==
        std::vector<std::string>{"pz1", "pz2"});
  const auto seen = ask<agent_list>("agent.ls", list_agents{},
                                    {.by = someone("key:host", {{role::viewer, server("far").agent, {}}})});
  REQUIRE((seen && seen->agents.size() == 1));
  CHECK(seen->agents.front().name == "beta");
  const auto alphas = someone("key:alpha", {{role::operator_, server("pz1").agent, {}}});
  CHECK(finish("start", start_server{"pz1"}, {.by = alphas}).has_value());
  CHECK(finish("create", a_server("pz3", "alpha"), {.by = alphas}).has_value());
  CHECK(code(operate("stop", stop_server{"far"}, {.by = alphas})) == "forbidden");
  CHECK(code(operate("create", a_server("pz4", "beta"), {.by = alphas})) == "forbidden");
}

TEST_CASE_METHOD(stage, "doors: an idempotency key belongs to its principal, whatever the actor label says",
                 "[sim][manager]") {
  running("pz1");
  const auto eve = someone("key:eve", {{role::operator_, {}, {}}}),
             bob = someone("key:bob", {{role::operator_, {}, {}}});
  const auto first = finish("restart", restart_server{"pz1"}, {.key = "k", .by = eve});
  const auto other = finish("restart", restart_server{"pz1"}, {.key = "k", .by = bob});
  const auto again = finish("restart", restart_server{"pz1"}, {.key = "k", .actor = "somebody", .by = eve});
  REQUIRE((first && other && again));
  CHECK(first->operation.id != other->operation.id);
  CHECK(first->operation.id == again->operation.id);
}

TEST_CASE_METHOD(stage, "doors: records name the authenticated principal, with the actor label beside it",
                 "[sim][manager]") {
  running("pz1");
  auto r = finish("restart", restart_server{"pz1"}, {.actor = "", .by = someone("key:eve", {{role::admin, {}, {}}})});
  REQUIRE(r.has_value());
  CHECK(r->operation.actor == "key:eve");
  r = finish("restart", restart_server{"pz1"},
             {.actor = "somebody", .by = someone("key:eve", {{role::admin, {}, {}}})});
  REQUIRE(r.has_value());
  CHECK(r->operation.actor == "key:eve (somebody)");
}

TEST_CASE_METHOD(two_doors, "doors: a follower gets every event after the head that it was given, until it disconnects",
                 "[sim][manager]") {
  running("pz1");
  auto& node = manager->node();
  node.follow({{&door, "c1", "all"}, "server.", ""});
  node.follow({{&door, "c2", "ends"}, "", "operation.ended"});
  settle();
  REQUIRE(door.got["all"].size() == 1);
  CHECK(door.got["all"].front().first == rt::answer::accepted);
  const auto head = unpack_map<event_page>(door.got["all"].front().second);
  REQUIRE(head.has_value());
  CHECK(head->cursor == to_text(cursor{manager->world().history.epoch(), audit.last_seq()}));
  REQUIRE(finish("stop", stop_server{"pz1"}).has_value());
  settle();
  auto replayed = ask<event_page>("event.replay", replay_events{head->cursor, "server.", {}, 1000});
  REQUIRE(replayed.has_value());
  std::vector<std::string> expected;
  for (const auto& e : replayed->events) expected.push_back(pack_map(e));
  CHECK(expected.size() > 2);
  CHECK(door.items("all") == expected);
  CHECK(door.items("ends").size() == 1);

  node.client_lost({"c1", &door});
  REQUIRE(finish("start", start_server{"pz1"}).has_value());
  settle();
  CHECK(door.items("all").size() == expected.size());
  CHECK(door.items("ends").size() == 2);
  door.closed = true;  // accepts nothing more: its subscriptions end
  REQUIRE(finish("stop", stop_server{"pz1"}).has_value());
  settle();
  door.closed = false;
  REQUIRE(finish("start", start_server{"pz1"}).has_value());
  settle();
  CHECK(door.items("ends").size() == 2);
}

TEST_CASE_METHOD(two_doors, "doors: the subscriptions of one connection are limited, and others are not affected",
                 "[sim][manager]") {
  auto& node = manager->node();
  const auto refused = [&](const std::string& request) { return door.got[request].back().first == rt::answer::error; };
  for (size_t i = 0; i < 2'001; ++i) node.follow({{&door, "c1", "r" + std::to_string(i)}, "x", ""});
  node.follow({{&door, "c2", "other"}, "x", ""});
  settle();
  CHECK_FALSE(refused("r1999"));
  CHECK(refused("r2000"));
  CHECK_FALSE(refused("other"));
  node.client_lost({"c1", &door});
  node.follow({{&door, "c1", "again"}, "x", ""});
  settle();
  CHECK_FALSE(refused("again"));
}

TEST_CASE_METHOD(with_usage, "doors: an invalid time range for usage delays no reader", "[sim][manager][hostile]") {
  const auto pz1 = running("pz1");
  usage used;
  used.host.cpu_millis = 3;
  used.servers.push_back({pz1.id, {}});
  book.take(pz1.agent, used, manager->world().clock.now());
  for (const auto last : {duration::min(), duration{-1}, duration::max()}) {
    const auto host = ask<usage_reply>("agent.usage", agent_usage{"alpha", last}, {.by = a(role::viewer)});
    const auto server = ask<usage_reply>("server.usage", server_usage{"pz1", last}, {.by = a(role::viewer)});
    REQUIRE((host && server));
    CHECK(host->name == "alpha");
    CHECK(server->name == "pz1");
  }
}

TEST_CASE_METHOD(with_accounts, "doors: an admin of one host cannot change users whose role applies elsewhere",
                 "[sim][manager][hostile]") {
  running("pz1");
  add_host("beta");
  REQUIRE(until([&] { return in_sync("beta"); }));
  running("far", "beta");
  const auto of_beta = someone("user:bob", {{role::admin, server("far").agent, {}}});
  const auto add = [&](const add_user& u) { return code(ask<user_link>("user.add", u, {.by = of_beta})); };
  accounts.known = {
      {"root", {"root", "admin", {}, {}, true, {}}},       {"gone", {"gone", "viewer", "nowhere", {}, true, {}}},
      {"ann", {"ann", "operator", "alpha", {}, true, {}}}, {"one", {"one", "operator", "beta", "pz1", true, {}}},
      {"eve", {"eve", "viewer", "beta", {}, true, {}}},    {"two", {"two", "viewer", {}, "far", true, {}}}};
  const auto before = accounts.known;
  for (const auto* name : {"root", "gone", "ann", "one"}) {
    INFO(name);
    CHECK(add({name, "viewer", "beta", {}}) == "forbidden");
    CHECK(add({name, "viewer", {}, "far"}) == "forbidden");
    CHECK(pack_map(user_list{{accounts.known[name]}}) == pack_map(user_list{{before.at(name)}}));
  }
  CHECK(add({"eve", "operator", "beta", {}}) == "ok");
  CHECK(add({"two", "operator", {}, "far"}) == "ok");
  CHECK(add({"new", "operator", "beta", {}}) == "ok");
  CHECK(add({"new", "operator", {}, {}}) == "forbidden");
  CHECK(accounts.known["eve"].role == "operator");
  CHECK(code(ask<user_link>("user.add", add_user{"root", "viewer", "beta", {}}, {})) == "ok");  // everywhere
}

TEST_CASE_METHOD(with_accounts,
                 "doors: a role on a server is kept by its id, so a later server of that name is not covered",
                 "[sim][manager][hostile]") {
  const auto pz1 = running("pz1");
  const auto made = ask<user_link>("user.add", add_user{"ann", "operator", {}, "pz1"}, {});
  REQUIRE(made);
  CHECK(made->user.server == "pz1");
  CHECK(accounts.known.at("ann").server == pz1.id.value);
  CHECK(ask<user_list>("user.ls", list_users{}, {})->users.front().server == "pz1");
}

TEST_CASE_METHOD(with_accounts, "doors: a token's lifetime is limited to what can be stored",
                 "[sim][manager][hostile]") {
  const auto add = [&](duration ttl) {
    add_token t;
    t.name = "x";
    t.role = "viewer";
    t.ttl = ttl;
    return code(ask<token_made>("token.add", t, {}));
  };
  CHECK(add(24h * 9'999'999) == "bad_request");
  CHECK(add(duration::max()) == "bad_request");
  CHECK(add(duration::min()) == "bad_request");
  CHECK(add(24h * 36'501) == "bad_request");
  CHECK(accounts.tokens_made == 0);
  CHECK(add(24h * 36'500) == "ok");
  CHECK(add(duration{}) == "ok");
}
