#include "actors/agent/engine/engine_watcher.hpp"

#include <algorithm>
#include <caf/all.hpp>

#include "actors/agent/engine/labels.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

namespace {

//            version ok                       stream stands
//   probing ------------> up (no manager yet) -------------> watching
//      ^  \__ after back-off ___ stream ended, ping failed ____/
struct watcher_state {
  static inline constexpr const char* name = "engine-watcher";

  watcher_actor::pointer self = nullptr;
  docker::engine* engine = nullptr;
  core_actor core;
  watcher_options options;
  std::string manager;      // whose containers to watch; empty: not known yet
  uint64_t generation = 0;  // of the connection; answers and timers of an earlier one are void
  bool reached = false, streaming = false, told_down = false;
  duration retry{};
  docker::subscription stream;

  std::function<void(std::function<void()>)> post() {
    return [me = watcher_actor(self)](std::function<void()> f) { caf::anon_send(me, completion{std::move(f)}); };
  }

  void connect() {
    const auto g = ++generation;
    reached = streaming = false;
    stream = {};
    engine->version({options.ping_deadline}, [this, g, post = post()](auto info) {
      post([this, g, info = std::move(info)] {
        if (g != generation) return;
        if (!info) return lost(info.error());
        if (options.identity)
          if (auto same = options.identity->judge(*info); !same) return lost(same.error());
        reached = true;
        told_down = false;
        log_event("engine.reached", {{"version", info->engine_version}, {"api", info->spoken_version}});
        tell(engine_reached{*info});
        if (manager.empty()) retry = options.retry_min;
        else open();
        self->delayed_send(self, options.ping_every, ping_atom::value, g);
      });
    });
  }

  void open() {
    docker::event_options o;
    o.labels = {{label::managed, "true"}, {label::manager, manager}};
    o.types = {"container"};
    const auto g = generation;
    o.on_open = [this, g, post = post()] {
      post([this, g] {
        if (g != generation) return;
        streaming = true;
        retry = options.retry_min;
        tell(stream_opened{g});
      });
    };
    stream = engine->events(
        std::move(o),
        [core = core, g](const docker::event& e) {
          caf::anon_send(core, engine_input{engine_said{g, e}});
        },
        [this, g, post = post()](auto end) {
          post([this, g, end = std::move(end)] {
            if (g == generation) lost(end ? error{ec::engine_error, "the event stream ended", {}, {}} : end.error());
          });
        });
  }

  void lost(const error& why) {
    ++generation;
    stream = {};
    if (!told_down) log_event(log_level::warn, "engine.unreachable", {{"error", why.message}, {"hint", why.hint}});
    told_down = true;
    tell(engine_lost{why});
    self->delayed_send(self, retry, retry_atom::value, generation);
    retry = std::min(retry * 2, options.retry_max);
  }

  void ping(uint64_t g) {
    if (g != generation) return;
    engine->ping({options.ping_deadline}, [this, g, post = post()](auto answer) {
      post([this, g, answer = std::move(answer)] {
        if (g != generation) return;
        if (!answer) return lost(answer.error());
        self->delayed_send(self, options.ping_every, ping_atom::value, g);
      });
    });
  }

  void watch(const std::string& of) {
    if (manager == of) return;
    manager = of;
    if (reached && !streaming) open();
    else if (reached) connect();
  }

  void tell(engine_input what) { caf::anon_send(core, std::move(what)); }
};

watcher_actor::behavior_type watcher(watcher_actor::stateful_pointer<watcher_state> self, docker::engine* engine,
                                     const core_actor& core, watcher_options options) {
  rt::install_defaults(self);
  auto& st = self->state;
  st.self = self;
  st.engine = engine;
  st.core = core;
  st.options = options;
  st.retry = options.retry_min;
  st.connect();
  return {
      [self](const std::string& manager) { self->state.watch(manager); },
      [](const completion& c) { c.run(); },
      [self](ping_atom, uint64_t g) { self->state.ping(g); },
      [self](retry_atom, uint64_t g) {
        if (g == self->state.generation) self->state.connect();
      },
  };
}

}  // namespace

watcher_actor spawn_watcher(caf::actor_system& sys, docker::engine& engine, core_actor core, watcher_options options) {
  return sys.spawn(watcher, &engine, std::move(core), options);
}

}  // namespace zedops::agent
