// What an agent did by itself becomes history, once, and never state; and the crash policy is part of the record.
#include "actors/core/plan/blueprint.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"
#include "tests/unit/core/support/templates.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

incident happened(uint64_t seq, incident_kind kind) {
  incident i;
  i.seq = seq;
  i.server = {"s00000000000001"};
  i.kind = kind;
  i.detail = "6 crashes within 10m";
  i.at = noon - 1h;
  return i;
}

std::vector<uint64_t> told(const decision& d) {
  std::vector<uint64_t> out;
  for (const auto& f : d.facts)
    if (const auto* a = std::get_if<agent_acted>(&f)) out.push_back(a->what.seq);
  return out;
}

const plan_context where{"m00000000000001", "host-1", {"o00000000000001"}};

}  // namespace

TEST_CASE("acted: incidents are history with the host's time, and are recorded once", "[unit][core][fc-38]") {
  fixture x(record());
  auto d = x.give(acted{{happened(3, incident_kind::exited), happened(4, incident_kind::restarted)}});
  CHECK(told(d) == std::vector<uint64_t>{3, 4});
  CHECK(fact_in<agent_acted>(d)->what.at == noon - 1h);
  CHECK(d.effects.empty());
  CHECK(x.s.status == server_status::running);
  CHECK(x.s.incident_seq == 4);
  CHECK(x.give(acted{{happened(3, incident_kind::exited), happened(4, incident_kind::restarted)}}).facts.empty());
  d = x.give(acted{{happened(4, incident_kind::restarted), happened(9, incident_kind::exited)}});
  CHECK(told(d) == std::vector<uint64_t>{9});
}

TEST_CASE("acted: a server that was given up shows the remedy, and remains desired running", "[unit][core]") {
  fixture x(record());
  x.see(saw(container_state::exited));
  REQUIRE(x.s.status == server_status::stopped);
  x.give(acted{{happened(1, incident_kind::exited), happened(2, incident_kind::gave_up)}});
  REQUIRE(x.s.last_error);
  CHECK(mentions(x.s.last_error->message, {"gave up", "6 crashes"}));
  CHECK(mentions(x.s.last_error->hint, {"zedctl server logs pz-one", "zedctl server start pz-one"}));
  CHECK(x.s.desired == desired_state::running);
  CHECK(x.s.status == server_status::stopped);
  x.ask(start_server{});
  x.finish(saw(container_state::running));
  CHECK_FALSE(x.s.last_error);
}

TEST_CASE("acted: giving up is no error if the server runs, should be stopped, or has an open operation",
          "[unit][core]") {
  for (int how = 0; how < 4; ++how) {
    fixture x(record(how == 0 ? server_status::running : server_status::stopped));
    if (how > 1) x.s.desired = desired_state::running;
    if (how == 2) x.s.op = open_operation(x.s, op_kind::start);
    std::vector<incident> list{happened(1, incident_kind::gave_up)};
    if (how == 3) list.push_back(happened(2, incident_kind::boot_started));
    const auto d = x.give(acted{list});
    INFO(how);
    CHECK(told(d).size() == list.size());
    CHECK_FALSE(fact_in<error_changed>(d));
  }
}

TEST_CASE("acted: nothing is recorded for a purged or unknown server", "[unit][core]") {
  fixture x(record(server_status::purged));
  CHECK(x.give(acted{{happened(1, incident_kind::exited)}}).facts.empty());
  CHECK(fixture().give(acted{{happened(1, incident_kind::exited)}}).facts.empty());
}

TEST_CASE("crash policy: with policy engine the container has a restart rule, with others the agent restarts it",
          "[unit][core][acc-13]") {
  const auto pz = builtin_template("project-zomboid");
  auto s = record();
  CHECK(plan_for(s, pz, where).value().container.restart == restart_rule::unless_stopped);
  for (auto policy : {crash_policy::leave, crash_policy::on_failure, crash_policy::always}) {
    s.crash = policy;
    CHECK(plan_for(s, pz, where).value().container.restart == restart_rule::no);
    CHECK(plan_for(s, pz, where).value().container.restart_max == 0);
  }
}

TEST_CASE("crash policy: the agent gets the template's rules, the server's policy and the desired state",
          "[unit][core]") {
  auto pz = builtin_template("project-zomboid");
  pz.crash.restarts_max = 9;
  auto s = record();
  s.crash = crash_policy::always;
  s.priority = 7;
  auto known = known_for(s, pz, where);
  CHECK(known.crash.policy == crash_policy::always);
  CHECK(known.crash.restarts_max == 9);
  CHECK(known.priority == 7);
  CHECK(known.wanted_running);
  s.desired = desired_state::stopped;
  CHECK_FALSE(known_for(s, pz, where).wanted_running);
}

TEST_CASE("crash policy: a new server takes the request's, else the template's", "[unit][core]") {
  auto pz = builtin_template("project-zomboid");
  pz.crash.policy = crash_policy::on_failure;
  create_server r;
  r.name = "pz-one";
  r.image = "registry.example/pz";
  agent a;
  a.data_path = "/srv/zedops";
  CHECK(record_for(r, a, pz, {"s1"}, {}).value().crash == crash_policy::on_failure);
  r.crash = crash_policy::leave;
  r.priority = -3;
  CHECK(record_for(r, a, pz, {"s1"}, {}).value().crash == crash_policy::leave);
  CHECK(record_for(r, a, pz, {"s1"}, {}).value().priority == -3);
}

TEST_CASE("crash policy: an edit reaches the agent at once, and the container only when the Engine's part changes",
          "[unit][core]") {
  struct row {
    crash_policy from, to;
    bool rebuild, watched;
  };
  using enum crash_policy;
  for (const auto& r :
       {row{engine, on_failure, true, true}, row{always, engine, true, true}, row{on_failure, always, false, true},
        row{leave, on_failure, false, true}, row{engine, engine, false, false}}) {
    auto s = record();
    s.crash = r.from;
    fixture x(s);
    edit_server e;
    e.crash = r.to;
    CHECK(check_edit(s, e, builtin_template("project-zomboid")).has_value());
    const auto d = x.ask(e);
    INFO(name_of(r.from) << " to " << name_of(r.to));
    CHECK(x.s.crash == r.to);
    CHECK(x.s.pending_rebuild == r.rebuild);
    CHECK((effect_in<watch>(d) != nullptr) == r.watched);
  }
  fixture x(record());
  edit_server e;
  e.priority = 5;
  CHECK(effect_in<watch>(x.ask(e)));
  CHECK(x.s.priority == 5);
  CHECK_FALSE(x.s.pending_rebuild);
}

TEST_CASE("crash policy: a stop that is cancelled before the agent is back is sent to it as a watch update",
          "[unit][core]") {
  fixture x(record(), false);
  x.ask(stop_server{});
  REQUIRE(x.s.op);
  const auto d = x.give(cancel_requested{x.s.op->id, "ann"});
  CHECK(x.s.desired == desired_state::running);
  CHECK(effect_in<watch>(d));
}
