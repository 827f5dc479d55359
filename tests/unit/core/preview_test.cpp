// Services that are removed automatically when nothing was deployed to them for a while.
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/service_life.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::core::testing;

namespace {

struct short_life : life {
  short_life() { lives(1h); }
  core::service_decision lives(duration d) {
    return take(core::service_requested{edit_service{"shop/web", {}, {}, {}, {}, d}, who()});
  }
  core::service_decision at(time_point t) {
    cx.now = t;
    return take(core::tick{});
  }
};

}  // namespace

TEST_CASE("expiry: a service is removed when its lifetime is over, and each deployment renews it", "[core]") {
  short_life l;
  const auto first = l.s.expires_at;
  CHECK(first == l.s.updated_at + 1h);
  CHECK(core::entity<service>::due(l.s) == first);
  l.cx.now += 30min;
  l.deploy();
  l.finish();
  CHECK(l.s.expires_at > first + 29min);
  CHECK(l.at(l.s.expires_at - 1s).facts.empty());
  l.cx.clock_trusted = false;
  CHECK(l.at(l.s.expires_at).facts.empty());
  l.cx.clock_trusted = true;
  l.at(l.s.expires_at);
  REQUIRE(l.s.op);
  CHECK(l.s.op->kind == op_kind::remove_service);
  CHECK(l.s.op->actor == "system:expiry");
  REQUIRE(l.sent());
  CHECK(l.sent()->plan.remove);
  l.report();
  CHECK(l.s.removed);
}

TEST_CASE("expiry: while the agent is away the removal waits", "[core]") {
  short_life l;
  l.cx.agent_online = false;
  l.at(l.s.expires_at + 1min);
  REQUIRE(l.s.op);
  CHECK_FALSE(l.sent());
  l.cx.agent_online = true;
  l.take(core::agent_ready{});
  REQUIRE(l.sent());
  CHECK(l.sent()->plan.remove);
}

TEST_CASE("expiry: a running operation is not interrupted, and a failed removal is tried again", "[core]") {
  short_life l;
  l.deploy();
  l.cx.stall = 24h;
  l.at(l.s.expires_at + 1s);
  CHECK(l.s.op->kind == op_kind::deploy);
  l.finish();
  l.at(l.s.expires_at + 2h);
  REQUIRE(l.s.op);
  CHECK(l.s.op->kind == op_kind::remove_service);
  l.report(broken);
  CHECK_FALSE(l.s.op);
  CHECK_FALSE(l.s.removed);
  const auto again = core::entity<service>::due(l.s);
  CHECK(again > l.cx.now);  // not immediately and endlessly
  l.at(again);
  REQUIRE(l.s.op);
  l.report();
  CHECK(l.s.removed);
}

TEST_CASE("expiry: without a lifetime the service stays", "[core]") {
  short_life l;
  l.lives(0ms);
  CHECK(core::entity<service>::due(l.s) == never);
  CHECK(l.at(time_point{100'000'000s}).facts.empty());
}
