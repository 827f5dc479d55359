// The state machine of container services: which phases are commands, and what users do with them.
#include "actors/core/plan/secrets.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/service_life.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::core::testing;

namespace {

std::vector<deploy_phase> commands_of(life& l) {
  std::vector<deploy_phase> out;
  for (int n = 0; l.s.op && n < 20; ++n) {
    if (l.sent()) out.push_back(l.sent()->plan.phase);
    l.report();
  }
  return out;
}

}  // namespace

TEST_CASE("container: from an image or built from a source - all phases are recorded, only some are commands",
          "[core][acc-79]") {
  life l(service_kind::container);
  SECTION("an image") {
    l.deploy_image();
    CHECK(commands_of(l) ==
          std::vector{deploy_phase::pulling_source, deploy_phase::updating_routes, deploy_phase::health_check});
    CHECK(l.newest().source.digest == "sha256:1");
  }
  SECTION("a source") {
    l.deploy();
    CHECK(commands_of(l) == std::vector{deploy_phase::pulling_source, deploy_phase::building,
                                        deploy_phase::updating_routes, deploy_phase::health_check});
    CHECK(l.newest().source.digest.empty());
  }
  CHECK(l.newest().phases.size() == 8);
  CHECK(l.newest().status == deploy_status::success);
  CHECK(l.s.current == 1);
}

TEST_CASE("container: a deployment keeps the settings that it was made with, and a rollback brings them back",
          "[core][acc-86]") {
  life l(service_kind::container);
  l.deploy_image();
  CHECK(l.sent()->plan.settings->env.at("KEY") == "one");
  l.finish();
  auto next = l.s.settings;
  next.env["KEY"] = "two";
  l.take(core::service_requested{edit_service{"shop/web", {}, {}, next, {}}, l.who()});
  CHECK(l.s.settings.env.at("KEY") == "two");
  l.deploy_image();
  CHECK(l.sent()->plan.settings->env.at("KEY") == "two");
  l.finish();
  REQUIRE_FALSE(l.roll_back().refusal);
  REQUIRE(l.sent());
  CHECK(l.sent()->plan.phase == deploy_phase::updating_routes);
  CHECK(l.sent()->plan.number == 1);
  CHECK(l.sent()->plan.image == "sha256:1");
  CHECK(l.sent()->plan.settings->env.at("KEY") == "one");
  l.finish();
  CHECK(l.s.current == 1);
}

TEST_CASE("container: a masked value in an edit keeps the stored one, and without a stored one it is refused",
          "[core]") {
  life l(service_kind::container);
  auto shown = l.s.settings;
  shown.env["KEY"] = masked_value;
  shown.container_port = 4000;
  l.take(core::service_requested{edit_service{"shop/web", {}, {}, shown, {}}, l.who()});
  CHECK(l.s.settings.env.at("KEY") == "one");
  CHECK(l.s.settings.container_port == 4000);
  shown.env["OTHER"] = masked_value;
  CHECK(l.take(core::service_requested{edit_service{"shop/web", {}, {}, shown, {}}, l.who()}).refusal->code ==
        ec::bad_request);
  // No published fact carries the value.
  fact told = service_created{l.s};
  REQUIRE(core::may_tell_secrets(told));
  core::mask_secrets(told, nullptr);
  CHECK(std::get<service_created>(told).record->settings.env.at("KEY") == masked_value);
}

TEST_CASE("container: after one that does not answer the former one is restored, with its image and settings",
          "[core][acc-85]") {
  for (const auto phase : {deploy_phase::updating_routes, deploy_phase::health_check}) {
    life l(service_kind::container);
    l.deploy_image();
    l.finish();
    l.deploy_image();
    l.until(phase);
    l.report(broken);
    REQUIRE(l.s.op);
    REQUIRE(l.sent());
    CHECK(l.sent()->plan.going_back);
    CHECK(l.sent()->plan.phase == deploy_phase::updating_routes);
    CHECK(l.sent()->plan.number == 1);
    CHECK(l.sent()->plan.image == "sha256:1");
    l.report();
    CHECK_FALSE(l.s.op);
    CHECK(l.newest().status == deploy_status::failed);
    CHECK(l.s.current == 1);
  }
}

TEST_CASE("container: stopped by a user it stays stopped until it is started or deployed", "[core]") {
  life l(service_kind::container);
  CHECK(l.stop().refusal->code == ec::wrong_state);
  l.deploy_image();
  l.finish();
  l.stop();
  REQUIRE(l.sent());
  CHECK(l.sent()->plan.stop);
  CHECK(l.sent()->plan.number == 1);
  CHECK(l.start().refusal->code == ec::busy);
  l.report();
  CHECK(l.s.stopped);
  CHECK(l.s.health == service_health::unknown);
  REQUIRE_FALSE(l.stop().refusal);  // it is stopped already: the agent checks this
  REQUIRE(l.sent());
  CHECK(l.sent()->plan.stop);
  l.report();
  CHECK(l.s.stopped);
  SECTION("started") {
    l.start();
    CHECK(l.sent()->plan.start);
    l.report(broken);
    CHECK(l.s.stopped);
    l.start();
    l.report();
  }
  SECTION("deployed") {
    l.deploy_image();
    l.finish();
  }
  CHECK_FALSE(l.s.stopped);
}

TEST_CASE("container: a stopped one stays stopped when its next version fails", "[core]") {
  life l(service_kind::container);
  l.deploy_image();
  l.finish();
  l.stop();
  l.report();
  l.deploy_image();
  l.until(deploy_phase::updating_routes);
  CHECK_FALSE(l.sent()->plan.stop);
  l.report(broken);
  REQUIRE(l.sent());
  CHECK(l.sent()->plan.going_back);
  CHECK(l.sent()->plan.stop);
  CHECK(l.sent()->plan.number == 1);
  l.report();
  CHECK_FALSE(l.s.op);
  CHECK(l.s.stopped);
}

TEST_CASE("container: the serving container is recorded, whichever operation made it", "[core]") {
  life l(service_kind::container);
  const auto report = [&](const std::string& container) {
    auto r = l.result();
    r.proof["container"] = container;
    l.take(core::phase_reported{r});
  };
  const auto served = [&] { return core::find_deployment(l.s, l.s.current)->proof.at("container"); };
  l.deploy_image();
  while (l.s.op) report("c1");
  l.deploy_image();
  while (l.s.op) report("c2");
  CHECK(served() == "c2");
  const auto phases = l.s.deployments.front().phases;
  l.roll_back();
  while (l.s.op) report("c3");
  CHECK(l.s.current == 1);
  CHECK(served() == "c3");
  CHECK(l.s.deployments.front().phases == phases);
  CHECK(l.s.deployments.front().status == deploy_status::success);
  l.deploy_image();
  l.until(deploy_phase::updating_routes);
  l.report(broken);
  report("c4");  // restored
  CHECK(served() == "c4");
  l.stop();
  l.report();
  l.start();
  report("c5");
  CHECK(served() == "c5");
}

TEST_CASE("container: a static service has no container to stop", "[core]") {
  life l;
  l.deploy();
  l.finish();
  CHECK(l.stop().refusal->code == ec::wrong_state);
  CHECK_FALSE(l.s.op);
}

TEST_CASE("container: its ports and host names are claims of its own, and a conflict names the holder", "[core]") {
  life l(service_kind::container);
  l.s.settings.hosts = {"api.example.org"};
  std::vector<std::string> claims;
  core::entity<service>::each_claim(l.s, [&](std::string_view c) { claims.emplace_back(c); });
  CHECK(claims.size() == 4);
  CHECK(core::entity<service>::taken("host-name/api.example.org", l.s).message.find("shop/web") != std::string::npos);
  auto other = l.s;
  other.settings.hosts.clear();
  CHECK_FALSE(core::entity<service>::same_claims(l.s, other));
}
