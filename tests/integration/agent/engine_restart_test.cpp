#include "tests/integration/agent/rig.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

TEST_CASE("agent: a shutdown of the Engine shows no server as stopped, and its return brings a new inventory",
          "[integration][agent][fc-61][fc-1]") {
  private_engine own{"agent"};
  rig r{own.host()};
  auto plan = r.busybox("through", {"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"});
  plan.container.restart = restart_rule::always;
  r.welcome();
  auto id = r.run(r.command(command_kind::run, "through", plan)).after.view.id;

  auto from = r.mark();
  own.run("restart");
  r.heard<heartbeat>([](auto& h) { return !h.engine_ok; }, from);
  auto back = r.heard<inventory>([](auto& i) { return !i.failure; }, from);
  r.heard<heartbeat>([](auto& h) { return h.engine_ok; }, from);
  REQUIRE(back.servers.size() == 1);
  CHECK(back.servers[0].view.id == id);
  CHECK(back.servers[0].view.state == container_state::running);
  auto said = r.all();
  for (size_t i = from; i < said.size(); ++i)
    if (auto o = std::get_if<observed>(&said[i])) {
      INFO(o->hint);
      CHECK(o->what.view.state == container_state::running);
    }

  from = r.mark();
  own.run("kill");
  r.heard<heartbeat>([](auto& h) { return !h.engine_ok; }, from);
  auto stop = r.run(r.command(command_kind::stop, "through", plan));
  REQUIRE(stop.failure);
  CHECK(stop.failure->code == ec::engine_error);
  CHECK(stop.after.container == presence::unknown);
  r.say(sync_query{9, false, {}, {}});
  CHECK(r.heard<inventory>([](auto& i) { return i.request == 9; }).failure);
  from = r.mark();
  own.run("up");
  auto again = r.heard<inventory>([](auto& i) { return !i.failure; }, from);
  CHECK(again.servers[0].view.id == id);
}

TEST_CASE("agent: containers without a restart rule of their own are started again when the Engine is back",
          "[integration][agent][fc-61]") {
  private_engine own{"agent-guard"};
  rig r{own.host()};
  auto plan = r.busybox("guarded", {"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"});
  r.welcome();
  auto known = r.known("guarded", plan);
  known.crash.policy = crash_policy::on_failure;
  known.wanted_running = true;
  r.say(watch_servers{{known}, {}});
  const auto id = r.run(r.command(command_kind::run, "guarded", plan)).after.view.id;
  r.heard<observed>([&](auto& o) { return o.what.view.state == container_state::running; });

  auto from = r.mark();
  own.run("restart");
  auto told = r.heard<incidents>([](auto& i) { return i.list.back().kind == incident_kind::boot_started; }, from);
  CHECK(told.list.back().container_id == id);
  CHECK(r.inspect(id).view.state == container_state::running);
}
