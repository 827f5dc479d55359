// What happens to services whose host does not come back: each way out that users have.
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/service_life.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::core::testing;

namespace {

// A service with a deployment that is served.
struct served : life {
  served() : life(service_kind::container) {
    deploy_image();
    finish();
  }
  core::service_decision remove() { return take(core::service_requested{remove_service{"shop/web"}, who()}); }
  core::service_decision cancel() { return take(core::cancel_requested{s.op->id, "ann"}); }
  void go_away() { cx.agent_online = false; }
  void give_up() { cx.agent_known = cx.agent_online = false; }
};

}  // namespace

TEST_CASE("lost host: an operation that waits for it can be cancelled, and the next request is accepted", "[core]") {
  for (const auto kind : {op_kind::stop_service, op_kind::start_service, op_kind::remove_service})
    for (const bool begun : {false, true}) {
      served l;
      if (!begun) l.go_away();
      if (kind == op_kind::stop_service) l.stop();
      if (kind == op_kind::start_service) l.start();
      if (kind == op_kind::remove_service) l.remove();
      INFO(name_of(kind) << (begun ? ", begun" : ""));
      REQUIRE(l.s.op);
      if (begun) {
        CHECK(l.cancel().refusal->code == ec::wrong_state);  // it is in progress
        l.go_away();
      }
      CHECK_FALSE(l.cancel().refusal);
      CHECK_FALSE(l.s.op);
      CHECK_FALSE(l.s.removed);
      CHECK_FALSE(l.s.stopped);
      CHECK_FALSE(l.remove().refusal);
    }
}

TEST_CASE("lost host: once it is given up, its service can be removed at once, whatever is running", "[core]") {
  served l;
  SECTION("nothing is running") { l.give_up(); }
  SECTION("a removal that waits for it") {
    l.go_away();
    l.remove();
    l.give_up();
  }
  SECTION("a deployment, and one that waits") {
    l.deploy_image();
    l.until(deploy_phase::updating_routes);
    l.deploy_image();
    l.give_up();
  }
  SECTION("a rollback of a failed deployment") {
    l.deploy_image();
    l.until(deploy_phase::updating_routes);
    l.report(broken);
    l.give_up();
  }
  const auto d = l.remove();
  CHECK_FALSE(d.refusal);
  CHECK(d.effects.empty());
  CHECK(l.s.removed);
  CHECK_FALSE(l.s.op);
  CHECK_FALSE(l.s.waiting);
  for (const auto& x : l.s.deployments) CHECK(x.ended_at != never);
}

TEST_CASE("lost host: once it is given up, nothing new begins, and running operations end", "[core]") {
  served l;
  l.deploy_image();
  l.until(deploy_phase::updating_routes);
  l.deploy_image();
  l.give_up();
  SECTION("by themselves") {
    l.take(core::tick{});
    CHECK(l.s.deployments[1].status == deploy_status::failed);
    CHECK(l.s.deployments[1].failure->code == ec::agent_unreachable);
    CHECK(l.newest().status == deploy_status::cancelled);
  }
  SECTION("when they are cancelled") {
    CHECK_FALSE(l.cancel().refusal);
    REQUIRE(l.s.op);  // the one that waited
    CHECK_FALSE(l.cancel().refusal);
    CHECK(l.s.deployments[1].status == deploy_status::cancelled);
  }
  CHECK_FALSE(l.s.op);
  CHECK_FALSE(l.s.waiting);
  for (const auto& d : {l.deploy_image(), l.roll_back(1), l.stop(), l.start()}) {
    REQUIRE(d.refusal);
    CHECK(d.refusal->code == ec::wrong_state);
    CHECK(d.refusal->hint.find("zedctl service rm shop/web") != std::string::npos);
    CHECK_FALSE(l.s.op);
  }
}
