#include "tests/sim/support/hosts/sim_engine.hpp"

#include <algorithm>

#include "tests/sim/support/agents/sim_job.hpp"
#include "tests/support/engine_double.hpp"

namespace zedops::sim {

using namespace docker;
using msg::duration;
using msg::ec;
using msg::fail;
using msg::result;

namespace {
constexpr duration stream_look{200};
tl::unexpected<msg::error> late() { return fail(ec::timeout, "the Docker Engine did not answer in time"); }
}  // namespace

template <class T>
result<T> sim_engine::block(touch how, duration deadline, duration takes, const act<T>& what) {
  const auto end = time_.now() + deadline;
  if (how == touch::changes) time_.boundary();
  time_.wait(time_.luck().between(duration{1}, duration{20}) + takes);
  while (host_.engine_hangs) {
    if (time_.now() >= end) return late();
    time_.wait(duration{250});
  }
  if (!host_.engine_answers) return test::engine_away();
  if (how == touch::looks) return time_.call_fails() ? result<T>(test::engine_away()) : what();
  // A failed call may or may not have had its effect: the caller cannot know.
  const bool fails = time_.call_fails();
  if (fails && time_.luck().percent(50)) return test::engine_away();
  auto answer = what();
  time_.boundary();
  if (fails) return late();
  return answer;
}

template <class T>
void sim_engine::answer_later(duration wait, duration give_up, act<T> what, handler<T> h) {
  time_.later(wait, [this, give_up, what = std::move(what), h = std::move(h)]() mutable {
    if (host_.engine_hangs && time_.now() < give_up)
      return answer_later<T>(duration{250}, give_up, std::move(what), std::move(h));
    if (host_.engine_hangs) return h(late());
    if (!host_.engine_answers || time_.call_fails()) return h(test::engine_away());
    h(what());
  });
}

template <class T>
void sim_engine::call(touch how, duration deadline, duration takes, act<T> what, handler<T> h) {
  if (sim_job::current()) h(block<T>(how, deadline, takes, what));
  else answer_later<T>(time_.luck().between(duration{1}, duration{20}), time_.now() + deadline, std::move(what), h);
}
template <class T>
void sim_engine::call(touch how, const call_options& o, act<T> what, handler<T> h) {
  call<T>(how, o.deadline, duration{0}, std::move(what), std::move(h));
}

container* sim_engine::find(const std::string& key) {
  if (auto* c = host_.find(key)) return c;
  return host_.by_name(key);
}

void sim_engine::ping(call_options o, handler<std::string> h) {
  call<std::string>(
      touch::looks, o, [] { return std::string("1.41"); }, std::move(h));
}
void sim_engine::version(call_options o, handler<engine_info> h) {
  call<engine_info>(
      touch::looks, o, [] { return engine_info{"25", "1.44", "1.24", "1.41", "E1", "/sim", "sim", "host", "amd64"}; },
      std::move(h));
}

void sim_engine::list_containers(docker::labels want, call_options o, handler<std::vector<container_summary>> h) {
  using rows = std::vector<container_summary>;
  call<rows>(
      touch::looks, o,
      [this, want = std::move(want)]() -> result<rows> {
        rows out;
        for (const auto& [id, c] : host_.containers)
          if (test::has_labels(c.view, want)) out.push_back(test::summary_of(c.view, c.ports, c.alive()));
        return out;
      },
      std::move(h));
}

void sim_engine::inspect_container(std::string key, call_options o, handler<container_details> h) {
  call<container_details>(
      touch::looks, o,
      [this, key = std::move(key)]() -> result<container_details> {
        auto* c = find(key);
        if (!c) return test::engine_absent("container: " + key);
        container_details d;
        d.view = c->view;
        d.ports = c->ports;
        d.mounts = c->mounts;
        d.env = c->env;
        d.networks = c->networks;
        if (c->alive())
          for (const auto& n : c->networks) d.addresses[n] = "10.0.0.2";
        return d;
      },
      std::move(h));
}

void sim_engine::create_container(msg::container_spec spec, call_options o, handler<created_container> h) {
  call<created_container>(
      touch::changes, o,
      [this, spec = std::move(spec)]() -> result<created_container> {
        if (auto* c = host_.by_name(spec.name)) return test::name_taken(c->view);
        if (!host_.images.contains(spec.image)) return test::engine_absent("image: " + spec.image);
        return created_container{host_.create(spec), {}};
      },
      std::move(h));
}

void sim_engine::start_container(std::string key, call_options o, handler<effect> h) {
  call<effect>(
      touch::changes, o,
      [this, key = std::move(key)]() -> result<effect> {
        auto* c = find(key);
        if (!c) return test::engine_absent("container: " + key);
        if (c->alive()) return effect::already;
        if (auto problem = host_.start_problem(c->view.id)) return fail(*problem);
        host_.start(c->view.id);
        return effect::done;
      },
      std::move(h));
}

void sim_engine::stop_container(std::string key, duration grace, call_options o, handler<effect> h) {
  const auto takes = std::min(grace, time_.luck().between(duration{10}, duration{800}));
  call<effect>(
      touch::changes, grace + o.deadline, takes,
      [this, key = std::move(key)]() -> result<effect> {
        auto* c = find(key);
        if (!c) return test::engine_absent("container: " + key);
        if (!c->alive()) return effect::already;
        host_.stop(c->view.id);
        return effect::done;
      },
      std::move(h));
}

void sim_engine::unpause_container(std::string key, call_options o, handler<effect> h) {
  call<effect>(
      touch::changes, o,
      [this, key = std::move(key)]() -> result<effect> {
        auto* c = find(key);
        if (!c) return test::engine_absent("container: " + key);
        if (c->view.state == msg::container_state::paused) c->view.state = msg::container_state::running;
        return effect::done;
      },
      std::move(h));
}

void sim_engine::rename_container(std::string key, std::string to, call_options o, handler<effect> h) {
  call<effect>(
      touch::changes, o,
      [this, key = std::move(key), to = std::move(to)]() -> result<effect> {
        auto* c = find(key);
        if (!c) return test::engine_absent("container: " + key);
        if (auto* other = host_.by_name(to); other && other != c) return test::name_taken(other->view);
        host_.rename(c->view.id, to);
        return effect::done;
      },
      std::move(h));
}

void sim_engine::remove_container(std::string key, removal how, anonymous_volumes, call_options o, handler<effect> h) {
  call<effect>(
      touch::changes, o,
      [this, key = std::move(key), how]() -> result<effect> {
        auto* c = find(key);
        if (!c) return effect::already;
        if (c->alive() && how == removal::stopped_only) return fail(ec::wrong_state, "it runs");
        host_.remove(c->view.id);
        return effect::done;
      },
      std::move(h));
}

void sim_engine::container_stats_once(std::string, call_options o, handler<container_stats> h) {
  call<container_stats>(
      touch::looks, o, []() -> result<container_stats> { return test::engine_away(); }, std::move(h));
}
void sim_engine::look_at_layer(std::string, call_options o, handler<container_layer> h) {
  call<container_layer>(
      touch::looks, o, []() -> result<container_layer> { return container_layer{}; }, std::move(h));
}
void sim_engine::inspect_image(std::string ref, call_options o, handler<image_info> h) {
  call<image_info>(
      touch::looks, o,
      [this, ref = std::move(ref)]() -> result<image_info> {
        if (host_.images.contains(ref)) return image_info{};
        return test::engine_absent("image: " + ref);
      },
      std::move(h));
}

// The registry may go away in the middle: the Engine then reports this inside its stream.
subscription sim_engine::pull_image(std::string ref, pull_options o, progress_handler told, handler<std::string> h) {
  if (told) told({0.0, 0, 100, "Pulling"});
  call<std::string>(
      touch::changes, o.deadline, time_.luck().between(duration{50}, duration{1500}),
      [this, ref = std::move(ref), told]() -> result<std::string> {
        if (told) told({0.5, 50, 100, "Downloading"});
        if (!host_.registry_answers) return fail(ec::pull_failed, "the registry does not answer");
        host_.images.insert(ref);
        return std::string("Downloaded");
      },
      std::move(h));
  return {};
}

subscription sim_engine::build_image(build_options o, line_handler, handler<std::string> h) {
  call<std::string>(
      touch::changes, o.deadline, duration{1'000},
      [this, tag = o.tag]() -> result<std::string> {
        host_.images.insert(tag);
        return "sha256:" + tag;
      },
      std::move(h));
  return {};
}
void sim_engine::tag_image(std::string, std::string repository, std::string tag, call_options o, handler<effect> h) {
  call<effect>(
      touch::changes, o,
      [this, name = repository + ":" + tag] {
        host_.images.insert(name);
        return effect::done;
      },
      std::move(h));
}
void sim_engine::remove_image(std::string image, call_options o, handler<effect> h) {
  call<effect>(
      touch::changes, o, [this, image] { return host_.images.erase(image) ? effect::done : effect::already; },
      std::move(h));
}

void sim_engine::read_file(std::string, std::string, docker::call_options o, handler<std::string> h) {
  call<std::string>(
      touch::looks, o, [] { return std::string{}; }, std::move(h));
}
void sim_engine::remove_volume(std::string, call_options o, handler<effect> h) {
  call<effect>(
      touch::changes, o, [] { return effect::already; }, std::move(h));
}
void sim_engine::list_volumes(docker::labels, call_options o, handler<std::vector<volume_info>> h) {
  call<std::vector<volume_info>>(
      touch::looks, o, [] { return std::vector<volume_info>{}; }, std::move(h));
}
void sim_engine::inspect_volume(std::string name, call_options o, handler<volume_info> h) {
  call<volume_info>(
      touch::looks, o,
      [name] {
        return volume_info{name, "local", {}, {}};
      },
      std::move(h));
}
void sim_engine::inspect_network(std::string name, call_options o, handler<network_info> h) {
  call<network_info>(
      touch::looks, o,
      [name] {
        return network_info{"n", name, {}};
      },
      std::move(h));
}
void sim_engine::create_network(std::string, docker::labels, call_options o, handler<std::string> h) {
  call<std::string>(
      touch::changes, o, [] { return std::string("n"); }, std::move(h));
}
void sim_engine::connect_network(std::string, std::string, call_options o, handler<effect> h) {
  call<effect>(
      touch::changes, o, []() -> result<effect> { return effect::done; }, std::move(h));
}

subscription sim_engine::logs(std::string, log_options o, line_handler line, end_handler end) {
  if (sim_job::current()) {
    line(output::out, o.timestamps ? "2026-01-01T00:00:00.000000000Z hello" : "hello");
    end({});
    return {};
  }
  time_.later(duration{5}, [o, line = std::move(line), end = std::move(end)] {
    line(output::out, o.timestamps ? "2026-01-01T00:00:00.000000000Z hello" : "hello");
    end({});
  });
  return {};
}

subscription sim_engine::events(event_options o, event_handler on_event, end_handler end) {
  time_.later(time_.luck().between(duration{1}, duration{20}),
              [this, open = std::move(o.on_open), on_event = std::move(on_event), end = std::move(end)]() mutable {
                if (!host_.engine_answers || host_.engine_hangs) return end(test::engine_away());
                listener_ = std::move(on_event);
                stream_end_ = std::move(end);
                host_.on_event = [this](const container& c, const char* action) { tell(c, action); };
                if (open) open();
              });
  return {};
}

void sim_engine::tell(const container& c, const char* action) {
  if (!listener_ || !time_.hears_events()) return;
  event e{"container", action, c.view.id, c.view.labels, 0};
  e.attributes["name"] = c.view.name;
  listener_(e);
}

// An Engine that is gone closes its streams.
void sim_engine::watch_stream() {
  time_.later(stream_look, [this] {
    watch_stream();
    if (host_.engine_answers || !listener_) return;
    listener_ = nullptr;
    host_.on_event = nullptr;
    if (auto end = std::exchange(stream_end_, nullptr)) end(test::engine_away());
  });
}

}  // namespace zedops::sim
