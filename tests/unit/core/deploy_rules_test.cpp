// Rules of services and projects beyond single deployments, and what may never happen.
#include <rapidcheck.h>

#include "actors/core/deploy/project_machine.hpp"
#include "messages/wire/codec.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/service_life.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::core::testing;
using namespace std::chrono_literals;

TEST_CASE("rollback: it is recorded before anything changes, resumed, and ends with the right statuses",
          "[core][acc-86][fc-57]") {
  life l;
  l.deploy();
  l.finish();
  l.deploy();
  l.finish();
  auto d = l.roll_back();
  REQUIRE(d.facts.size() >= 3);
  REQUIRE(l.s.rollbacks.size() == 1);
  CHECK(l.s.rollbacks[0].state == rollback_state::in_progress);
  CHECK(l.s.rollbacks[0].from == 2);
  CHECK(l.s.rollbacks[0].to == 1);
  CHECK(l.sent()->plan.phase == deploy_phase::creating_symlinks);
  CHECK(l.sent()->plan.number == 1);
  l.take(core::agent_ready{});
  CHECK(l.sent()->plan.number == 1);
  SECTION("it completes") {
    l.finish();
    CHECK(l.s.rollbacks[0].state == rollback_state::completed);
    CHECK(l.s.current == 1);
    CHECK(l.s.deployments[0].status == deploy_status::success);
    CHECK(l.s.deployments[1].status == deploy_status::cancelled);
    CHECK(l.s.deployments[1].worked);
    CHECK(l.roll_back(1).refusal->code == ec::wrong_state);
    CHECK(l.roll_back(9).refusal->code == ec::not_found);
    CHECK(l.roll_back().refusal->code == ec::wrong_state);  // nothing is older
    CHECK_FALSE(l.roll_back(2).refusal);                    // and forwards again
  }
  SECTION("it fails") {
    l.report();
    l.report(broken);
    CHECK(l.sent()->plan.number == 2);
    l.report();
    CHECK(l.s.rollbacks[0].state == rollback_state::failed);
    CHECK(l.s.rollbacks[0].reason == broken.message);
    CHECK(l.s.current == 2);
    CHECK(l.s.deployments[0].status == deploy_status::cancelled);
    CHECK(l.s.deployments[1].status == deploy_status::success);
  }
}

TEST_CASE("rollback: it restores the route settings of its deployment, even if they were the defaults",
          "[core][acc-86]") {
  life l;
  l.deploy();
  l.finish();
  service_settings routed;
  routed.route = route_kind::caddy;
  routed.hosts = {"www.example.org"};
  l.take(core::service_requested{edit_service{"shop/web", {}, {}, routed, {}}, l.who()});
  l.deploy();
  CHECK(l.sent()->plan.settings->route == route_kind::caddy);
  SECTION("a rollback") {
    l.finish();
    l.roll_back();
  }
  SECTION("a failed deployment") {
    l.until(deploy_phase::health_check);
    l.report(broken);
  }
  REQUIRE(l.sent());
  CHECK(l.sent()->plan.number == 1);
  REQUIRE(l.sent()->plan.settings);
  CHECK(*l.sent()->plan.settings == service_settings{});
}

TEST_CASE("service: it claims the host names it serves, those it is to serve, and those a rollback brings back",
          "[core]") {
  life l;
  const auto names = [&] { return core::host_names_of(l.s); };
  using list = std::vector<std::string>;
  const auto edit = [&](const char* host) {
    service_settings to;
    to.route = route_kind::caddy;
    to.hosts = {host};
    l.take(core::service_requested{edit_service{"shop/web", {}, {}, to, {}}, l.who()});
  };
  edit("a.org");
  l.deploy();
  l.finish();
  edit("b.org");
  CHECK(names() == list{"a.org", "b.org"});
  l.deploy();
  edit("c.org");
  l.deploy();  // it waits
  edit("d.org");
  CHECK(names() == list{"a.org", "b.org", "c.org", "d.org"});
  std::vector<std::string> claims;
  core::entity<service>::each_claim(l.s, [&](std::string_view c) { claims.emplace_back(c); });
  CHECK(std::ranges::count(claims, "host-name/a.org") == 1);
  l.finish();
  CHECK(names() == list{"c.org", "d.org"});
  const auto before = l.s;
  l.roll_back(1);
  CHECK(names() == list{"a.org", "c.org", "d.org"});
  CHECK_FALSE(core::entity<service>::same_claims(before, l.s));
}

TEST_CASE("service: it is removed with all its files, also when its host was given up", "[core]") {
  life l;
  l.deploy();
  l.finish();
  SECTION("by its agent") {
    l.take(core::service_requested{remove_service{"shop/web"}, l.who()});
    REQUIRE(l.sent());
    CHECK(l.sent()->plan.remove);
    CHECK(l.sent()->plan.last);
    l.report(broken);
    CHECK_FALSE(l.s.removed);
    CHECK_FALSE(l.s.op);
    l.take(core::service_requested{remove_service{"shop/web"}, l.who()});
    l.report();
    CHECK(l.s.removed);
  }
  SECTION("on a lost host") {
    l.cx.agent_known = l.cx.agent_online = false;
    l.take(core::service_requested{remove_service{"shop/web"}, l.who()});
    CHECK(l.s.removed);
  }
  CHECK(l.deploy().refusal->code == ec::not_found);
}

TEST_CASE("service: its health is what its host reports, except during a deployment", "[core][acc-88]") {
  life l;
  l.deploy();
  l.finish();
  CHECK(life().take(core::service_observed{{{"v1"}, service_health::unhealthy, "nothing of it", {}}}).facts.empty());
  l.take(core::service_observed{{{"v1"}, service_health::degraded, "#1 is gone", {"current was not there"}}});
  CHECK(l.s.health == service_health::degraded);
  CHECK(l.take(core::service_observed{{{"v1"}, service_health::degraded, "#1 is gone", {}}}).facts.empty());
  l.deploy();
  l.take(core::service_observed{{{"v1"}, service_health::unhealthy, "half of it", {}}});
  CHECK(l.s.health == service_health::degraded);
  l.finish();
  CHECK(l.s.health == service_health::healthy);
}

TEST_CASE("service: no sequence of inputs breaks an invariant", "[core][property]") {
  REQUIRE(rc::check("a service", [] {
    life l(*rc::gen::element(service_kind::static_site, service_kind::container));
    std::map<uint32_t, deploy_status> over;  // of those that ended without success
    const int steps = *rc::gen::inRange(1, 60);
    for (int n = 0; n < steps; ++n) {
      const auto before = l.s;
      switch (*rc::gen::inRange(0, 19)) {
        case 0:
        case 1: l.deploy(); break;
        case 2: l.roll_back(static_cast<uint32_t>(*rc::gen::inRange(0, 5))); break;
        case 3:
        case 4:
        case 5:
        case 6:
          if (l.s.op) l.report();
          break;
        case 7:
          if (l.s.op) l.report(broken);
          break;
        case 8: l.take(core::agent_ready{}); break;
        case 9: l.cx.agent_online = !l.cx.agent_online; break;
        case 10:
          if (l.s.op) l.take(core::cancel_requested{l.s.op->id, "ann"});
          break;
        case 11:
          l.cx.now += l.cx.stall + 1s;
          l.take(core::tick{});
          break;
        case 12:
          if (l.s.op) {
            auto r = l.result();
            r.refusal = agent_refusal::lanes_full;
            r.failure = error{ec::busy, "full", "", {}};
            l.take(core::phase_reported{r});
          }
          break;
        case 13: l.take(core::service_observed{{{"v1"}, service_health::degraded, "x", {}}}); break;
        case 14: l.deploy_image(); break;
        case 15: l.stop(); break;
        case 16: l.start(); break;
        case 18: l.take(core::service_requested{edit_service{"shop/web", 3, {}, {}, {}}, l.who()}); break;
        case 17:
          if (l.s.waiting) l.take(core::cancel_requested{l.s.waiting->id, "ann"});
          break;
        default: break;
      }
      const bool power = l.s.op && (l.s.op->kind == op_kind::start_service || l.s.op->kind == op_kind::stop_service);
      RC_ASSERT(l.s.run.has_value() == (l.s.op.has_value() && !power));
      if (l.s.waiting) RC_ASSERT(l.s.op.has_value() && l.s.waiting->kind == op_kind::deploy);
      if (l.s.op) RC_ASSERT(l.s.op->deadline != never);
      if (l.s.current != 0) {
        const auto* now = core::find_deployment(l.s, l.s.current);
        RC_ASSERT(now && now->worked && !now->pruned);
        RC_ASSERT(now->status == deploy_status::success);
      }
      const auto kept = core::kept_deployments(l.s);
      for (const auto& d : l.s.deployments) {
        if (d.pruned) RC_ASSERT(std::ranges::find(kept, d.number) == kept.end());
        if (const auto* was = core::find_deployment(before, d.number)) RC_ASSERT(d.progress >= was->progress);
        if (d.status == deploy_status::success) RC_ASSERT(d.number == l.s.current);
        if (d.ended_at == never)
          RC_ASSERT((l.s.run && l.s.run->number == d.number) || (l.s.waiting && l.s.waiting->id == d.id));
        if (const auto o = over.find(d.number); o != over.end()) RC_ASSERT(d.status == o->second);
        if (d.ended_at != never && !d.worked) over[d.number] = d.status;
      }
      const auto again = unpack<service>(pack(l.s));
      RC_ASSERT(again.has_value() && *again == l.s);
    }
  }));
}

TEST_CASE("project: created, edited, given a port on each host, and removed only when it is empty", "[core]") {
  project p;
  core::project_context cx{time_point{1s}, 0};
  uint64_t seq = 0;
  const auto take = [&](core::project_input in) {
    auto d = core::decide(p, in, cx);
    if (!d.facts.empty()) {
      log_entry e{"p1", 0, ++seq, cx.now, {}, core::entity<project>::number(p, d.facts)};
      core::apply(p, e);
    }
    return d;
  };
  const core::request_info who{{"o1"}, "ann", {}, 0, {"r1"}};
  CHECK(take(core::project_requested{remove_project{"shop"}, who}).refusal->code == ec::not_found);
  project made;
  made.id = {"p1"};
  made.name = "shop";
  CHECK_FALSE(take(core::new_project{made, who}).refusal);
  CHECK(take(core::new_project{made, who}).refusal->code == ec::already_exists);
  take(core::project_requested{edit_project{"shop", "all we sell", {}}, who});
  CHECK(p.description == "all we sell");
  take(core::serve_at{{"a1"}, 8080});
  CHECK(take(core::serve_at{{"a1"}, 8080}).facts.empty());
  CHECK(take(core::serve_at{{"a1"}, 8081}).refusal->code == ec::busy);  // for another new service
  CHECK(p.ports.at("a1") == 8080);
  std::vector<std::string> claims;
  core::entity<project>::each_claim(p, [&](std::string_view c) { claims.emplace_back(c); });
  CHECK(claims == std::vector<std::string>{"project/shop", "port/a1/tcp/8080"});
  cx.services = 1;
  CHECK(take(core::project_requested{remove_project{"shop"}, who}).refusal->code == ec::wrong_state);
  cx.services = 0;
  CHECK_FALSE(take(core::project_requested{remove_project{"shop"}, who}).refusal);
  CHECK(p.removed);
}
