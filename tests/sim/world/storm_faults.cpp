// What can go wrong: with the manager, a host, an agent, and by hand.
#include "tests/sim/world/storm.hpp"

namespace zedops::sim {

using namespace msg;

void storm::hand_of_man() {
  auto& h = w_.on(some_host());
  if (h.containers.empty()) return;
  auto i = h.containers.begin();
  std::advance(i, static_cast<long>(luck_.below(h.containers.size())));
  const auto id = i->first;
  const auto name = i->second.view.name;
  if (name.find(".old-") != std::string::npos) return;
  // No manual changes to what the agent is working on: it would find a half-made state and be right to fail.
  switch (luck_.below(4)) {
    case 0:
      fault("container removed by hand", "by hand: docker rm -f " + name);
      removed_by_hand_.insert(id);
      return h.remove(id);
    case 1:
      fault("container stopped by hand", "by hand: docker stop " + name);
      return h.stop(id, static_cast<int64_t>(luck_.below(2)));
    case 2:
      fault("container renamed by hand", "by hand: docker rename " + name);
      return h.rename(id, name.size() < 60 ? name + "-x" : name);
    default:
      if (h.start_problem(id)) return;
      fault("container started by hand", "by hand: docker start " + name);
      return h.start(id);
  }
}

void storm::fault_of_manager(uint64_t which) {
  const auto back = luck_.between(100ms, 6s);
  switch (which) {
    case 0:
      fault("manager killed", "the manager dies");
      w_.crash_manager();
      return w_.time.in(back, [this] { w_.boot(); });
    case 1:
      w_.crash_after_jobs = 1 + luck_.below(60);
      return fault("manager killed between two jobs",
                   "the manager will die after " + std::to_string(w_.crash_after_jobs) + " jobs");
    case 2: {
      const bool kept = luck_.percent(50);
      const auto nth = 1 + luck_.below(4);
      w_.db.crash_in_commit(nth, kept ? store::crash_keeps::everything : store::crash_keeps::nothing);
      w_.store_may_crash = true;
      return fault(kept ? "manager killed after a commit" : "manager killed in a commit, batch torn",
                   "the manager will die in commit " + std::to_string(nth) + (kept ? ", kept" : ""));
    }
    case 3: {
      const auto nth = 1 + luck_.below(6);
      w_.db.fail_commit(nth, error{ec::internal, "the disk says no", "", {}});
      return fault("manager's write fails", "commit " + std::to_string(nth) + " will fail");
    }
    case 4:
      fault("manager's disk full", "the manager's disk is full");
      w_.db.set_disk(store::disk::is_full);
      return w_.time.in(back, [this] { w_.db.set_disk(store::disk::has_room); });
    case 5: {
      const auto by = luck_.percent(50) ? -luck_.between(1s, clock_step_max_) : luck_.between(1s, clock_step_max_ / 6);
      fault(by < 0ms ? "manager's clock set back" : "manager's clock set forward",
            "the manager's clock is set by " + std::to_string(by.count()) + " ms");
      return w_.wall.set_by(by);
    }
    case 6: {
      if (w_.templates.empty()) return;
      fault("templates gone", "the folder of templates is empty at the manager's next start");
      return w_.templates.clear();
    }
    default: fault("actor throws", "an actor will throw"); w_.wall.throw_in = static_cast<int>(1 + luck_.below(10));
  }
}

void storm::restore_or_back_up() {
  if (!backup_) {
    if (!w_.manager) return;
    tell("the store is backed up");
    backup_ = w_.back_up();
  } else {
    fault("store restored from a backup", "the store is that of the backup again");
    w_.restore(*std::exchange(backup_, nullptr));
    restored_ = true;
  }
}

void storm::fault_of_host(uint64_t which, const std::string& name) {
  auto& h = w_.on(name);
  auto& a = *w_.agents.at(name);
  const auto over = luck_.between(100ms, 8s);
  const auto until_then = [&](const char* what, bool& flag, bool bad) {
    fault(what, name + ": " + what);
    flag = bad;
    w_.time.in(over, [&flag, bad] { flag = !bad; });
  };
  const auto cut = [&](network::direction d) {
    w_.net.hold(a, d);
    w_.time.in(over, [this, &a, d] { w_.net.release(a, d); });
  };
  switch (which) {
    case 0: fault("connection ends", name + ": the connection ends"); return a.disconnect();
    case 1:
      fault("one-way partition", name + ": nothing gets through to the agent");
      return cut(network::direction::to_agent);
    case 2:
      fault("one-way partition", name + ": nothing gets through to the manager");
      return cut(network::direction::to_manager);
    case 3:
      fault("partition", name + ": nothing gets through");
      cut(network::direction::to_agent);
      return cut(network::direction::to_manager);
    case 4: return until_then("Engine does not answer", h.engine_answers, false);
    case 5: return until_then("Engine hangs", h.engine_hangs, true);
    case 6: return until_then("registry away, also in mid-pull", h.registry_answers, false);
    case 7: return until_then("data disk not mounted", h.disk_mounted, false);
    case 8: return until_then("Engine's events lost", a.events_cut, true);
    case 9:
      fault("Engine's calls fail", name + ": steps fail");
      a.fail_per_mille = 200;
      return w_.time.in(over, [&a] { a.fail_per_mille = 0; });
    case 10:
      fault("Engine restarts", name + ": the Engine restarts");
      h.engine_goes();
      return w_.time.in(over, [&h] { h.engine_comes(); });
    default: {
      const auto by = luck_.percent(50) ? -luck_.between(1s, clock_step_max_) : luck_.between(1s, clock_step_max_);
      fault(by < 0ms ? "host's clock set back" : "host's clock set forward",
            name + ": the clock is set by " + std::to_string(by.count()) + " ms");
      h.clock_skew += by;
    }
  }
}

void storm::fault_of_agent(uint64_t which, agent_process& a) {
  const auto over = luck_.between(100ms, 8s);
  const auto nth = 1 + luck_.below(12);
  const auto at = a.name() + ": " + std::to_string(nth) + ": ";
  switch (which) {
    case 0:
      fault("agent killed", a.name() + ": the agent dies");
      a.crash();
      return w_.time.in(over, [&a] { a.start(); });
    case 1:
    case 2:
      fault("agent killed between two effects", at + "the agent will die at an effect");
      return a.die_at_effect(nth);
    case 3: {
      const bool kept = luck_.percent(50);
      fault(kept ? "agent killed after a write" : "agent killed in a write", at + "the agent will die in a write");
      return a.die_in_write(nth, kept);
    }
    case 4: fault("agent's write fails", at + "a write of the agent will fail"); return a.fail_write(nth);
    default:
      fault("agent's disk full", a.name() + ": the agent's disk is full");
      a.fill_disk(true);
      return w_.time.in(over, [&a] { a.fill_disk(false); });
  }
}

void storm::misfortune() {
  const auto whose = luck_.below(100);
  if (whose < 30) fault_of_manager(luck_.below(8));
  else if (whose < 70) fault_of_host(luck_.below(12), some_host());
  else fault_of_agent(luck_.below(6), *w_.agents.at(some_host()));
  // A manager that died by a trap set before comes back as well.
  if (!w_.manager) w_.time.in(3s, [this] { w_.boot(); });
}

void storm::fair_weather() {
  tell("fair weather");
  w_.crash_after_jobs = 0;
  w_.wall.throw_in = 0;
  w_.db.set_disk(store::disk::has_room);
  w_.net.release_all();
  w_.net.repeat_per_mille = 0;
  w_.net.delay_max = 5ms;
  w_.commit_takes = {};
  w_.net.bytes_per_ms = 0;
  if (w_.templates.empty()) {
    w_.templates = sim_templates();
    w_.crash_manager();
  }
  w_.boot();
  for (auto& [name, h] : w_.hosts) {
    h->engine_comes();
    h->registry_answers = h->disk_mounted = true;
    h->engine_hangs = false;
    auto& a = *w_.agents.at(name);
    a.fail_per_mille = 0;
    a.events_cut = false;
    a.fair_weather();
    a.start();
  }
}

}  // namespace zedops::sim
