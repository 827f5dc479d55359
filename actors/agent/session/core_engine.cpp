// The watcher's reports on the Engine, and inventories.
#include "actors/agent/session/core_state.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

void core_state::on_engine(engine_input& in) {
  if (auto e = std::get_if<engine_said>(&in)) {
    if (e->generation != stream) return;
    if (of_a_project(e->what)) return;
    guard->on_event(e->what);
    eyes->on_event(e->what);
    return;
  }
  const bool first = !engine_judged;
  engine_judged = true;
  if (auto e = std::get_if<engine_reached>(&in)) {
    engine_info = std::move(e->info);
    engine_ok = true;
    engine_problem.clear();
    eyes->engine_up();
    guard->engine_up();
    if (where == phase::live) heartbeat(0);
  } else if (auto s = std::get_if<stream_opened>(&in)) {
    stream = s->generation;
    eyes->take_inventory(0, depth::all);
    keep_servers();
  } else if (auto l = std::get_if<engine_lost>(&in)) {
    const bool news = engine_ok || first;
    engine_ok = false;
    stream = 0;
    engine_problem = l->why.message;
    eyes->engine_down(l->why);
    guard->engine_down();
    if (where == phase::live && news) heartbeat(0);
  }
  if (first && where == phase::greeting) hello();
}

void core_state::on_inventory(inventory i) {
  if (i.failure) log_event(log_level::warn, "inventory.failed", {{"error", i.failure->message}});
  else
    log_event("inventory.taken", {{"servers", i.servers.size()}, {"unclaimed", i.unclaimed.size()}, {"took", i.took}});
  looked = now();
  if (where == phase::live) {
    inventory_told = send(i);
    if (!inventory_told) eyes->needs_inventory();
  }
  guard->on_inventory(i);
  hand_over();
}

}  // namespace zedops::agent
