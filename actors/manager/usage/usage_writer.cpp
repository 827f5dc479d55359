#include "actors/manager/usage/usage_writer.hpp"

#include <caf/all.hpp>

#include "config/logging/logging.hpp"

namespace zedops::manager {

rt::usage_writer_actor spawn_usage_writer(caf::actor_system& sys, shared& world, rt::spawn_mode mode) {
  const auto writes = [w = &world](rt::usage_writer_actor::pointer self) -> rt::usage_writer_actor::behavior_type {
    rt::install_defaults(self);
    self->send(self, rt::open_atom::value);
    return {[=](rt::open_atom) {
              if (auto ok = w->usage->open(); !ok)
                return config::log_event(msg::log_level::error, "usage.not-kept",
                                         {{"error", ok.error().message}, {"hint", ok.error().hint}});
              self->delayed_send(self, usage_commit_every, rt::tick_atom::value);
            },
            [=](rt::tick_atom) {
              if (auto ok = w->usage->commit(w->clock.now()); !ok)
                config::log_limited(msg::log_level::warn, "usage.not-written", {{"error", ok.error().message}});
              self->delayed_send(self, usage_commit_every, rt::tick_atom::value);
            }};
  };
  if (mode == rt::spawn_mode::own_thread) return sys.spawn<caf::detached>(writes);
  return sys.spawn(writes);
}

}  // namespace zedops::manager
