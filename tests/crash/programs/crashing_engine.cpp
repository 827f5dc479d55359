#include "tests/crash/programs/crashing_engine.hpp"

#include <pthread.h>

#include <cstring>

namespace zedops::crash {
namespace {

using namespace docker;
using msg::duration;

// Commands run on threads of this name (tools/agent/process.cpp).
bool a_command_asks() {
  char name[16] = {};
  return pthread_getname_np(pthread_self(), name, sizeof name) == 0 && std::strcmp(name, "lane") == 0;
}

class whole_engine final : public engine {
 public:
  whole_engine(std::unique_ptr<engine> real, crash_plan& plan) : real_(std::move(real)), plan_(plan) {}

  void ping(call_options o, handler<std::string> h) override { real_->ping(o, std::move(h)); }
  void version(call_options o, handler<engine_info> h) override { real_->version(o, std::move(h)); }
  void list_containers(labels l, call_options o, handler<std::vector<container_summary>> h) override {
    h = around("list_containers", std::move(h));
    real_->list_containers(std::move(l), o, std::move(h));
  }
  void inspect_container(std::string id, call_options o, handler<container_details> h) override {
    h = around("inspect_container", std::move(h));
    real_->inspect_container(std::move(id), o, std::move(h));
  }
  void create_container(msg::container_spec s, call_options o, handler<created_container> h) override {
    h = around("create_container", std::move(h));
    real_->create_container(std::move(s), o, std::move(h));
  }
  void start_container(std::string id, call_options o, handler<effect> h) override {
    h = around("start_container", std::move(h));
    real_->start_container(std::move(id), o, std::move(h));
  }
  void stop_container(std::string id, duration grace, call_options o, handler<effect> h) override {
    h = around("stop_container", std::move(h));
    real_->stop_container(std::move(id), grace, o, std::move(h));
  }
  void unpause_container(std::string id, call_options o, handler<effect> h) override {
    h = around("unpause_container", std::move(h));
    real_->unpause_container(std::move(id), o, std::move(h));
  }
  void rename_container(std::string id, std::string name, call_options o, handler<effect> h) override {
    h = around("rename_container", std::move(h));
    real_->rename_container(std::move(id), std::move(name), o, std::move(h));
  }
  void remove_container(std::string id, removal how, anonymous_volumes v, call_options o, handler<effect> h) override {
    h = around("remove_container", std::move(h));
    real_->remove_container(std::move(id), how, v, o, std::move(h));
  }
  void look_at_layer(std::string id, call_options o, handler<container_layer> h) override {
    real_->look_at_layer(std::move(id), o, std::move(h));
  }
  void container_stats_once(std::string id, call_options o, handler<container_stats> h) override {
    real_->container_stats_once(std::move(id), o, std::move(h));
  }
  void inspect_image(std::string reference, call_options o, handler<image_info> h) override {
    h = around("inspect_image", std::move(h));
    real_->inspect_image(std::move(reference), o, std::move(h));
  }
  subscription pull_image(std::string reference, pull_options o, progress_handler p, handler<std::string> h) override {
    h = around("pull_image", std::move(h));
    return real_->pull_image(std::move(reference), o, std::move(p), std::move(h));
  }
  subscription build_image(build_options o, line_handler line, handler<std::string> h) override {
    h = around("build_image", std::move(h));
    return real_->build_image(std::move(o), std::move(line), std::move(h));
  }
  void tag_image(std::string image, std::string repository, std::string tag, call_options o,
                 handler<effect> h) override {
    h = around("tag_image", std::move(h));
    real_->tag_image(std::move(image), std::move(repository), std::move(tag), o, std::move(h));
  }
  void remove_image(std::string reference, call_options o, handler<effect> h) override {
    h = around("remove_image", std::move(h));
    real_->remove_image(std::move(reference), o, std::move(h));
  }
  void read_file(std::string id, std::string path, call_options o, handler<std::string> h) override {
    real_->read_file(std::move(id), std::move(path), o, std::move(h));
  }
  void remove_volume(std::string name, call_options o, handler<effect> h) override {
    h = around("remove_volume", std::move(h));
    real_->remove_volume(std::move(name), o, std::move(h));
  }
  void list_volumes(labels l, call_options o, handler<std::vector<volume_info>> h) override {
    real_->list_volumes(std::move(l), o, std::move(h));
  }
  void inspect_volume(std::string name, call_options o, handler<volume_info> h) override {
    real_->inspect_volume(std::move(name), o, std::move(h));
  }
  void inspect_network(std::string id, call_options o, handler<network_info> h) override {
    h = around("inspect_network", std::move(h));
    real_->inspect_network(std::move(id), o, std::move(h));
  }
  void create_network(std::string name, labels l, call_options o, handler<std::string> h) override {
    h = around("create_network", std::move(h));
    real_->create_network(std::move(name), std::move(l), o, std::move(h));
  }
  void connect_network(std::string network, std::string container, call_options o, handler<effect> h) override {
    h = around("connect_network", std::move(h));
    real_->connect_network(std::move(network), std::move(container), o, std::move(h));
  }
  subscription logs(std::string id, log_options o, line_handler line, end_handler end) override {
    return real_->logs(std::move(id), std::move(o), std::move(line), std::move(end));
  }
  subscription events(event_options o, event_handler e, end_handler end) override {
    return real_->events(std::move(o), std::move(e), std::move(end));
  }

 private:
  // Called before the request is sent; the handler that it returns gets the answer first.
  template <class T>
  handler<T> around(const char* name, handler<T> h) {
    if (!a_command_asks()) return h;
    plan_.pass("engine", name, side::before);
    return [&plan = plan_, name, h = std::move(h)](msg::result<T> r) {
      plan.pass("engine", name, side::after);
      h(std::move(r));
    };
  }

  std::unique_ptr<engine> real_;
  crash_plan& plan_;
};

}  // namespace

std::unique_ptr<docker::engine> crashing_engine(std::unique_ptr<docker::engine> real, crash_plan& plan) {
  return std::make_unique<whole_engine>(std::move(real), plan);
}

}  // namespace zedops::crash
