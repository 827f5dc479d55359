#include "tests/sim/agent/fake_docker.hpp"

#include <algorithm>

#include "tests/support/engine_double.hpp"

namespace zedops::test {

using namespace docker;
using msg::container_state;
using msg::ec;
using lock = std::lock_guard<std::recursive_mutex>;

size_t fake_docker::count(const std::string& prefix) const {
  lock guard(mutex_);
  return static_cast<size_t>(std::count_if(calls.begin(), calls.end(), [&](auto& c) { return c.starts_with(prefix); }));
}

bool fake_docker::holds(uint16_t port) const {
  lock guard(mutex_);
  return std::any_of(containers.begin(), containers.end(), [&](const auto& kv) {
    const auto& c = kv.second;
    return c.view.state == container_state::running &&
           std::any_of(c.ports.begin(), c.ports.end(), [&](const auto& p) { return p.host_port == port; });
  });
}

container_details* fake_docker::find(const std::string& key) {
  if (auto i = containers.find(key); i != containers.end()) return &i->second;
  for (auto& [id, c] : containers)
    if (c.view.name == key) return &c;
  return nullptr;
}

template <class T>
bool fake_docker::refuse(const handler<T>& h, bool also) {
  if (!down && !also) return false;
  h(engine_away());
  return true;
}

std::string fake_docker::make(const std::string& name, docker::labels labels, container_state s) {
  lock guard(mutex_);
  auto id = "c" + std::to_string(++next_);
  auto& c = containers[id];
  c.view.id = id;
  c.view.name = name;
  c.view.labels = std::move(labels);
  c.view.state = s;
  stamp(c.view);
  emit(id, "create");
  return id;
}

void fake_docker::emit(const std::string& id, const std::string& action, const docker::labels& more) {
  if (!listener_) return;
  event e{"container", action, id, {}, 0};
  if (auto c = find(id)) {
    e.attributes = c->view.labels;
    e.attributes["name"] = c->view.name;
  }
  e.attributes.insert(more.begin(), more.end());
  listener_(e);
}

void fake_docker::stamp(msg::container_view& c) const {
  if (!clock) return;
  if (c.state == container_state::running) c.started_at = clock();
  if (c.state == container_state::exited) c.finished_at = clock();
}

void fake_docker::set_state(const std::string& id, container_state s, const char* action) {
  auto& c = find(id)->view;
  c.state = s;
  if (action != std::string_view{"unpause"}) stamp(c);
  emit(id, action);
}

void fake_docker::die(const std::string& id, int64_t exit_code) {
  lock guard(mutex_);
  find(id)->view.exit_code = exit_code;
  set_state(id, container_state::exited, "die");
}

void fake_docker::kill(const std::string& id, int signal) {
  lock guard(mutex_);
  emit(id, "kill", {{"signal", std::to_string(signal)}});
}

void fake_docker::destroy(const std::string& id) {
  lock guard(mutex_);
  auto c = *find(id);
  containers.erase(c.view.id);
  if (!listener_) return;
  event e{"container", "destroy", c.view.id, c.view.labels, 0};
  listener_(e);
}

void fake_docker::let_pulls_go() {
  std::vector<std::pair<std::string, handler<std::string>>> ready;
  {
    lock guard(mutex_);
    ready.swap(pulls_);
    for (auto& [ref, h] : ready) images.insert(ref);
  }
  for (auto& [ref, h] : ready) h(std::string("Downloaded"));
}

void fake_docker::let_starts_go() {
  holds_starts = false;
  for (auto& [id, h] : std::exchange(starts_, {})) start_container(id, {}, std::move(h));
}

void fake_docker::end_stream() {
  listener_ = nullptr;
  if (auto end = std::exchange(stream_end_, nullptr)) end(engine_away());
}

void fake_docker::ping(call_options, handler<std::string> h) {
  if (!refuse(h)) h(std::string("1.41"));
}
void fake_docker::version(call_options, handler<engine_info> h) {
  if (!refuse(h)) h(engine_info{"20.10.24", "1.41", "1.12", "1.41", engine_id, data_root, "Debian", "host", "amd64"});
}

void fake_docker::list_containers(docker::labels want, call_options, handler<std::vector<container_summary>> h) {
  lock guard(mutex_);
  if (refuse(h, list_fails)) return;
  std::vector<container_summary> out;
  for (const auto& [id, c] : containers)
    if (has_labels(c.view, want)) out.push_back(summary_of(c.view, c.ports, c.view.state == container_state::running));
  h(std::move(out));
}

void fake_docker::inspect_container(std::string id, call_options, handler<container_details> h) {
  lock guard(mutex_);
  if (refuse(h, inspect_fails)) return;
  inspections.insert(id);
  if (mute.contains(id)) return h(engine_away());
  if (auto c = find(id)) h(*c);
  else h(engine_absent("container: " + id));
}

void fake_docker::create_container(msg::container_spec spec, call_options, handler<created_container> h) {
  lock guard(mutex_);
  if (refuse(h)) return;
  if (const auto* other = find(spec.name)) return h(name_taken(other->view));
  if (!images.contains(spec.image)) return h(engine_absent("image: " + spec.image));
  calls.push_back("create " + spec.name);
  auto id = make(spec.name, spec.labels, container_state::created);
  auto& c = containers[id];
  c.view.image = spec.image;
  c.ports = spec.ports;
  c.env = spec.env;
  c.mounts = spec.mounts;
  c.user = image_user;
  for (const auto& v : spec.volumes) {
    c.volumes.push_back({v.device, v.target, false});
    c.volume_names.push_back(v.name.empty() ? "anonymous" : v.name);
  }
  c.networks = spec.networks;
  if (!spec.log_driver.empty()) c.spec.log_driver = spec.log_driver;
  if (!spec.log_driver.empty()) c.spec.log_options = spec.log_options;
  h(created_container{id, {}});
}

void fake_docker::start_container(std::string id, call_options, handler<effect> h) {
  lock guard(mutex_);
  if (refuse(h)) return;
  if (holds_starts) {
    starts_.emplace_back(std::move(id), std::move(h));
    return;
  }
  auto c = find(id);
  if (!c) return h(engine_absent("container: " + id));
  if (c->view.state == container_state::running) return h(effect::already);
  if (start_fails) return h(msg::fail(ec::engine_error, "cannot start: no such program"));
  calls.push_back("start " + c->view.name);
  for (auto& n : c->networks) c->addresses[n] = "10.0.0.2";
  set_state(id, container_state::running, "start");
  if (dies_at_start && c->view.name.find(dies_named) != std::string::npos) die(c->view.id, dies_with);
  if (loses_start_answers) return h(engine_away());
  h(effect::done);
}

void fake_docker::stop_container(std::string id, msg::duration, call_options, handler<effect> h) {
  lock guard(mutex_);
  if (refuse(h)) return;
  auto c = find(id);
  if (!c) return h(engine_absent("container: " + id));
  calls.push_back("stop " + c->view.name);
  if (c->view.state != container_state::running && c->view.state != container_state::paused) return h(effect::already);
  kill(c->view.id);
  set_state(id, container_state::exited, "die");
  h(effect::done);
}
void fake_docker::unpause_container(std::string id, call_options, handler<effect> h) {
  lock guard(mutex_);
  if (refuse(h)) return;
  set_state(id, container_state::running, "unpause");
  h(effect::done);
}

void fake_docker::rename_container(std::string id, std::string name, call_options, handler<effect> h) {
  lock guard(mutex_);
  bool fails = false;
  if (!rename_fails.empty()) {
    fails = rename_fails.front();
    rename_fails.pop_front();
  }
  if (refuse(h, fails)) return;
  auto c = find(id);
  if (!c) return h(engine_absent("container: " + id));
  calls.push_back("rename " + c->view.name + " " + name);
  c->view.name = name;
  emit(id, "rename");
  h(effect::done);
}

void fake_docker::remove_container(std::string id, removal how, anonymous_volumes, call_options, handler<effect> h) {
  lock guard(mutex_);
  if (refuse(h, remove_fails)) return;
  auto c = find(id);
  if (!c) return h(effect::already);
  const auto state = c->view.state;
  if (how == removal::stopped_only && (state == container_state::running || state == container_state::paused))
    return h(msg::fail(ec::wrong_state, "container " + c->view.name + " is running: stop it first"));
  calls.push_back("remove " + c->view.name);
  destroy(c->view.id);
  h(effect::done);
}

void fake_docker::container_stats_once(std::string id, call_options, handler<container_stats> h) {
  const auto i = stats.find(id);
  if (down || i == stats.end()) h(engine_away());
  else h(i->second);
}

void fake_docker::look_at_layer(std::string, call_options, handler<container_layer> h) {
  h(container_layer{3'000'000, {"/opt/game/a", "/opt/game/b", "/tmp/x"}});
}

void fake_docker::inspect_image(std::string ref, call_options, handler<image_info> h) {
  lock guard(mutex_);
  if (refuse(h)) return;
  if (images.contains(ref.starts_with("sha256:") ? ref.substr(7) : ref)) {
    image_info i;
    i.volumes = image_volumes;
    i.user = image_user;
    if (auto id = image_ids.find(ref); id != image_ids.end()) i.id = id->second;
    else if (ref.starts_with("sha256:")) i.id = ref;
    if (auto l = image_labels.find(ref); l != image_labels.end()) i.labels = l->second;
    for (const auto& [name, id] : image_ids)
      if (id == i.id && images.contains(name)) i.names.push_back(name);
    h(std::move(i));
  } else h(engine_absent("image: " + ref));
}

subscription fake_docker::pull_image(std::string ref, pull_options, progress_handler told, handler<std::string> h) {
  {
    lock guard(mutex_);
    calls.push_back("pull " + ref);
    if (holds_pulls) {
      if (told) told({0.5, 50, 100, "Downloading"});
      pulls_.emplace_back(ref, std::move(h));
      return {};
    }
    if (pullable.contains(ref)) {
      images.insert(ref);
      image_ids[ref] = "sha256:" + ref;
    }
  }
  if (pullable.contains(ref)) h("sha256:" + ref);
  else h(msg::fail(ec::pull_failed, "registry is away"));
  return {};
}

subscription fake_docker::build_image(build_options o, line_handler line, handler<std::string> h) {
  if (refuse(h)) return {};
  calls.push_back("build " + o.tag);
  if (line) line(output::out, "Step 1/1 : FROM scratch");
  if (build_fails) {
    h(msg::fail(ec::bad_request, "the build failed: exit 1"));
    return {};
  }
  images.insert(o.tag);
  image_labels[o.tag] = o.labels;
  image_ids[o.tag] = "sha256:" + o.tag;
  h("sha256:" + o.tag);
  return {};
}
void fake_docker::tag_image(std::string image, std::string repository, std::string tag, call_options,
                            handler<effect> h) {
  if (refuse(h)) return;
  calls.push_back("tag " + image + " " + repository + ":" + tag);
  images.insert(repository + ":" + tag);
  image_ids[repository + ":" + tag] = image.starts_with("sha256:") ? image : "sha256:" + image;
  h(effect::done);
}
void fake_docker::remove_image(std::string image, call_options, handler<effect> h) {
  if (refuse(h)) return;
  if (image_removal_fails) return h(msg::fail(*image_removal_fails, "cannot remove image " + image));
  calls.push_back("remove image " + image);
  if (std::any_of(containers.begin(), containers.end(), [&](auto& c) { return c.second.image_id == image; }))
    return h(msg::fail(ec::wrong_state, "conflict: image is being used by a container"));
  h(images.erase(image) ? effect::done : effect::already);
}

void fake_docker::read_file(std::string, std::string path, call_options, handler<std::string> h) {
  if (refuse(h)) return;
  if (auto f = files.find(path); f != files.end()) h(f->second);
  else h(engine_absent("file: " + path));
}
void fake_docker::remove_volume(std::string name, call_options, handler<effect> h) {
  if (refuse(h)) return;
  calls.push_back("remove volume " + name);
  h(effect::done);
}
void fake_docker::list_volumes(docker::labels, call_options, handler<std::vector<volume_info>> h) {
  if (!refuse(h)) h(std::vector<volume_info>{});
}
void fake_docker::inspect_volume(std::string name, call_options, handler<volume_info> h) {
  if (!refuse(h)) h(volume_info{name, "local", volume_options[name], {}});
}
void fake_docker::inspect_network(std::string name, call_options, handler<network_info> h) {
  if (!refuse(h)) h(network_info{"n", name, {}});
}
void fake_docker::create_network(std::string, docker::labels, call_options, handler<std::string> h) {
  h(engine_away());
}
void fake_docker::connect_network(std::string, std::string, call_options, handler<effect> h) { h(engine_away()); }

subscription fake_docker::logs(std::string, log_options o, line_handler line, end_handler end) {
  line(output::out, o.timestamps ? "2026-01-01T00:00:00.000000000Z " + says : says);
  end({});
  return {};
}

subscription fake_docker::events(event_options o, event_handler on_event, end_handler end) {
  if (down) {
    end(engine_away());
    return {};
  }
  listener_ = std::move(on_event);
  stream_end_ = std::move(end);
  if (o.on_open) o.on_open();
  return subscription{[] {}};
}

}  // namespace zedops::test
