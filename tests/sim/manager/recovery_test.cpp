// The manager dies and comes back: at every job of its actors, and in every commit, kept or lost.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

namespace {

// One operation in its own installation; the manager dies after `jobs` jobs or in the n-th commit.
struct trial : world {
  trial() : world(7) {
    boot();
    add_host("alpha");
    until([&] { return at("alpha").in_session(); });
    advance(2s);
  }
  bool converged(const std::string& name, std::initializer_list<server_status> ends) {
    return until(
        [&] {
          const auto s = server(name);
          return !s.op && std::find(ends.begin(), ends.end(), s.status) != ends.end();
        },
        30s + 60s);
  }
  void come_back() {
    if (manager) crash_manager();
    advance(1s);
    boot();
    until([&] { return at("alpha").in_session(); });
    advance(15s);
  }
};

using arm = std::function<void(trial&)>;

// Runs `verb` on a fresh server with the fault armed; returns whether the fault struck.
template <class Body>
bool strike(const std::string& verb, const Body& body, const arm& fault, std::initializer_list<server_status> ends) {
  trial t;
  if (verb != "create") {
    REQUIRE(t.finish("create", a_server("pz1", "alpha")).has_value());
    t.settle();
  }
  const auto crashes = t.crashes;
  fault(t);
  auto request = t.send("server." + verb, body);
  t.advance(8s);
  const bool struck = t.crashes > crashes;
  t.crash_after_jobs = 0;
  const bool accepted = t.clients.requests.at(request).final.has_value() && t.answer<operation_reply>(request);
  t.come_back();
  const bool born = !t.server("pz1").id.empty();
  if (born) CHECK(t.converged("pz1", ends));
  else CHECK_FALSE(accepted);  // anything acknowledged was durable
  t.advance(15s);
  size_t alive = 0;
  for (const auto& [id, c] : t.on("alpha").containers) alive += c.alive() ? 1 : 0;
  const auto now = t.status("pz1");
  CHECK(alive == (now == server_status::running ? 1U : 0U));
  CHECK(t.report() == "");
  return struck;
}

template <class Body>
void at_every_job(const std::string& verb, const Body& body, std::initializer_list<server_status> ends) {
  for (uint64_t n = 1; n < 400; n += n < 60 ? 1 : 7) {
    INFO(verb << ", the manager dies after job " << n);
    if (!strike(
            verb, body, [n](trial& t) { t.crash_after_jobs = n; }, ends))
      break;
  }
}
template <class Body>
void in_every_commit(const std::string& verb, const Body& body, std::initializer_list<server_status> ends) {
  for (auto kept : {store::crash_keeps::nothing, store::crash_keeps::everything})
    for (uint64_t n = 1; n < 20; ++n) {
      INFO(verb << ", the manager dies in commit " << n << (kept == store::crash_keeps::everything ? " (kept)" : ""));
      if (!strike(
              verb, body,
              [&](trial& t) {
                t.db.crash_in_commit(n, kept);
                t.store_may_crash = true;
              },
              ends))
        break;
    }
}

}  // namespace

TEST_CASE("a create survives the manager's death at every job", "[sim][manager][acc-48][fc-10][fc-19]") {
  at_every_job("create", a_server("pz1", "alpha"), {server_status::running, server_status::failed});
}
TEST_CASE("a create survives the manager's death in every commit", "[sim][manager][acc-48][fc-10]") {
  in_every_commit("create", a_server("pz1", "alpha"), {server_status::running, server_status::failed});
}
TEST_CASE("a stop survives the manager's death in every commit", "[sim][manager]") {
  in_every_commit("stop", stop_server{"pz1"}, {server_status::stopped, server_status::running});
}
TEST_CASE("a rebuild survives the manager's death in every commit", "[sim][manager]") {
  in_every_commit("rebuild", rebuild_server{"pz1"}, {server_status::running});
}
TEST_CASE("a delete survives the manager's death in every commit", "[sim][manager]") {
  in_every_commit("rm", remove_server{"pz1"}, {server_status::deleted, server_status::running});
}
TEST_CASE("a purge survives the manager's death at every job", "[sim][manager]") {
  at_every_job("purge", purge_server{"pz1", true, false, true}, {server_status::purged, server_status::running});
}

TEST_CASE_METHOD(stage, "an operation whose template vanished is ended by its agent or its deadline, not by that",
                 "[sim][manager][acc-48]") {
  running("pz1");
  at("alpha").disconnect();
  const auto op = operate("restart", restart_server{"pz1"})->operation.id;
  crash_manager();
  templates.clear();
  boot();
  REQUIRE(until([&] { return in_sync("alpha"); }));
  advance(5s);
  CHECK_FALSE(audit.has_ended(op));
  SECTION("the template is back at the next start") {
    crash_manager();
    templates = sim_templates();
    boot();
    REQUIRE(until([&] { return audit.has_ended(op); }, 20s));
    CHECK(status("pz1") == server_status::running);
    CHECK_FALSE(server("pz1").last_error);
  }
  SECTION("the template stays away") {
    REQUIRE(until([&] { return audit.has_ended(op); }, 4min));
    CHECK(server("pz1").last_error->code == ec::timeout);
    CHECK(status("pz1") == server_status::running);
  }
  SECTION("a new operation fails at once and names what is missing") {
    REQUIRE(until([&] { return audit.has_ended(op); }, 4min));
    const auto refused = finish("stop", stop_server{"pz1"});
    REQUIRE(refused);
    CHECK(refused->operation.failure->message.find("template project-zomboid is missing") != std::string::npos);
  }
}

TEST_CASE("a server whose purge a restored backup has undone is observed again, and shown as it is",
          "[sim][manager][acc-48]") {
  // What matters is how far the agent is with the purge when the restored manager welcomes it.
  const auto ahead = duration(GENERATE(0, 20, 50, 100, 200, 400, 800));
  world w(1);
  w.boot();
  auto& a = w.add_real_host("alpha");
  REQUIRE(w.until([&] { return a.in_session(); }));
  REQUIRE(w.finish("create", a_server("pz1", "alpha")).has_value());
  const auto backup = w.back_up();
  w.send("server.purge", purge_server{"pz1", true, false, true});
  REQUIRE(w.until([&] { return w.server("pz1").op.has_value(); }));
  w.advance(ahead);
  w.restore(*backup);
  w.boot();
  const auto true_record = [&] {
    const auto s = w.server("pz1");
    auto* body = w.on("alpha").by_name("steam-zomboid-pz1");
    const auto status = body && body->alive() ? server_status::running : server_status::missing;
    return !s.stale && s.status == status && s.data == w.on("alpha").data_of("pz1");
  };
  w.advance(30s);  // every command sent before has ended
  CHECK(w.until(true_record, 60s));
  w.advance(60s);
  CHECK(true_record());
  CHECK(w.report() == "");
}

TEST_CASE_METHOD(stage, "an agent that dies at any step of a create finishes it when it is back",
                 "[sim][manager][acc-48]") {
  for (const auto* step : {"preparing", "pulling", "creating", "starting", "verifying"}) {
    const auto name = std::string("pz-") + step;
    INFO(step);
    at("alpha").crash_before = step;
    REQUIRE(operate("create", a_server(name, "alpha")).has_value());
    REQUIRE(until([&] { return !at("alpha").running(); }, 10s));
    advance(5s);
    at("alpha").start();
    CHECK(until([&] { return status(name) == server_status::running && !server(name).op; }, 60s));
    CHECK(body_of(name)->alive());
    CHECK(on("alpha").of_server(server(name).id.value, on("alpha").manager_id).size() == 1);
  }
}

TEST_CASE_METHOD(stage, "an agent that dies at any step of a rebuild leaves one running container",
                 "[sim][manager][acc-42][fc-14]") {
  for (const auto* step : {"pulling", "stopping", "renaming", "creating", "starting", "proving", "removing_old"}) {
    const auto name = std::string("pz-") + (step == std::string("removing_old") ? "removing" : step);
    INFO(step);
    running(name);
    at("alpha").crash_before = step;
    REQUIRE(operate("rebuild", rebuild_server{name}).has_value());
    REQUIRE(until([&] { return !at("alpha").running(); }, 10s));
    at("alpha").start();
    CHECK(until([&] { return status(name) == server_status::running && !server(name).op; }, 60s));
    REQUIRE(body_of(name) != nullptr);
    CHECK(body_of(name)->alive());
    CHECK(on("alpha").of_server(server(name).id.value, on("alpha").manager_id).size() == 1);
  }
}

namespace {

struct eight : stage {
  std::vector<std::string> names;
  eight() {
    for (int i = 0; i < 8; ++i) {
      auto c = a_server("pz" + std::to_string(i), "alpha");
      c.recovery = recovery_policy::automatic;
      REQUIRE(finish("create", c).has_value());
      names.push_back(c.name);
    }
  }
  bool all_are(server_status wanted) {
    return std::all_of(names.begin(), names.end(), [&](const auto& n) { return status(n) == wanted; });
  }
  // While the agent is away, so that no events report them one by one.
  void lose(size_t n) {
    at("alpha").crash();
    REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
    auto& all = on("alpha").containers;
    while (n-- > 0) all.erase(all.begin());
    at("alpha").start();
  }
};

}  // namespace

TEST_CASE_METHOD(eight, "a few servers gone in one inventory are recreated automatically", "[sim][manager][fc-2]") {
  lose(4);
  CHECK(until([&] { return on("alpha").containers.size() == 8 && all_are(server_status::running); }, 60s));
  CHECK(facts<recovery_held>() == 0);
}

TEST_CASE_METHOD(eight, "a setting permits any number of automatic recoveries", "[sim][manager][fc-2]") {
  manager->world().rules.change([](auto& r) { r.hold_recovery_above = 100; });
  lose(8);
  CHECK(until([&] { return on("alpha").containers.size() == 8 && all_are(server_status::running); }, 60s));
  CHECK(facts<recovery_held>() == 0);
}

TEST_CASE_METHOD(eight, "most servers of a host gone in one inventory are one incident, not many recoveries",
                 "[sim][manager][fc-2]") {
  const auto before = on("alpha").containers;
  lose(8);
  REQUIRE(until([&] { return facts<recovery_held>() == 1; }, 30s));
  advance(60s);
  CHECK(all_are(server_status::missing));
  CHECK(on("alpha").containers.empty());
  SECTION("the containers come back") {
    on("alpha").containers = before;
    CHECK(until([&] { return all_are(server_status::running); }, 60s));
    CHECK(facts<recovery_released>() == 1);
  }
  SECTION("a user confirms that they are gone, also after a restart of the manager") {
    crash_manager();
    boot();
    REQUIRE(until([&] { return at("alpha").in_session(); }, 30s));
    advance(30s);
    CHECK(all_are(server_status::missing));
    CHECK(code(ask<agent_view>("agent.recover", recover_agent{"alpha"})) == "ok");
    CHECK(until([&] { return all_are(server_status::running); }, 120s));
    CHECK(code(ask<agent_view>("agent.recover", recover_agent{"alpha"})) == "wrong_state");
  }
  SECTION("starting one by one is always possible") {
    CHECK(finish("start", start_server{"pz3"}).has_value());
    CHECK(status("pz3") == server_status::running);
    CHECK(status("pz4") == server_status::missing);
  }
}
