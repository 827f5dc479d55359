#include "actors/manager/entities/sweeper.hpp"

#include <caf/all.hpp>

#include "actors/runtime/caf_setup.hpp"

namespace zedops::manager {
namespace {

constexpr int trim_every = 120;  // sweeps

struct sweeper_state {
  static inline constexpr const char* name = "sweeper";
  int sweeps = 0;
  caf::actor_clock::time_point due{};  // of the next one
};

}  // namespace

bool is_clock_trusted(shared& world) {
  const auto rules = world.rules();
  return world.clock.even_for() >= std::min(rules.clock_trust, rules.retention);
}

rt::sweeper_actor spawn_sweeper(caf::actor_system& sys, shared& world, rt::registry_actor registry,
                                rt::journal_actor journal) {
  return sys.spawn([w = &world, registry, journal](
                       rt::sweeper_actor::stateful_pointer<sweeper_state> self) -> rt::sweeper_actor::behavior_type {
    rt::install_defaults(self);
    self->delayed_send(self, sweep_interval, rt::tick_atom::value);
    self->state.due = self->clock().now() + sweep_interval;
    return {[=](rt::tick_atom) {
      const auto now = self->clock().now();
      if (now > self->state.due)
        load_gauges::raise(w->load.sweep_late_us_max,
                           static_cast<uint64_t>(
                               std::chrono::duration_cast<std::chrono::microseconds>(now - self->state.due).count()));
      self->state.due = now + sweep_interval;
      const auto ended = is_clock_trusted(*w) ? retention::due : retention::waits;
      for (auto& id : w->records.due(w->clock.now(), due_per_sweep_max, ended))
        if (const auto* kind = w->kinds.of_id(id)) caf::anon_send(registry, rt::entity_call{id, kind->of->tick()});
      if (w->progressed) self->send(journal, rt::alive_atom::value);
      if (++self->state.sweeps % trim_every == 0) self->send(journal, rt::trim_atom::value);
      self->delayed_send(self, sweep_interval, rt::tick_atom::value);
    }};
  });
}

}  // namespace zedops::manager
