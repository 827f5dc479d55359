#include "integration/docker/survey.hpp"

#include <memory>

namespace zedops::docker {
namespace {

// All steps run on the engine's own thread, so this needs no lock.
struct surveying : std::enable_shared_from_this<surveying> {
  docker::engine& engine;
  request_options options;
  handler<std::vector<container_details>> done;
  std::vector<container_summary> listed;
  std::vector<container_details> found;
  std::size_t next = 0;
  std::size_t open = 0;

  surveying(docker::engine& e, request_options o, handler<std::vector<container_details>> d)
      : engine{e}, options{o}, done{std::move(d)} {}

  void advance() {
    while (done && open < inspects_at_once_max && next < listed.size()) {
      ++open;
      engine.inspect_container(listed[next++].id, options, [self = shared_from_this()](auto seen) {
        --self->open;
        if (!self->done) return;
        if (seen) self->found.push_back(std::move(*seen));
        else if (seen.error().code != msg::ec::not_found) return self->end(msg::fail(seen.error()));
        self->advance();
      });
    }
    if (done && open == 0 && next == listed.size()) end(std::move(found));
  }

  void end(msg::result<std::vector<container_details>> outcome) {
    auto f = std::move(done);
    done = nullptr;
    f(std::move(outcome));
  }
};

}  // namespace

void survey(engine& engine, labels which, request_options options, handler<std::vector<container_details>> done) {
  auto state = std::make_shared<surveying>(engine, options, std::move(done));
  engine.list_containers(std::move(which), options, [state](auto listed) {
    if (!listed) return state->end(msg::fail(listed.error()));
    state->listed = std::move(*listed);
    state->advance();
  });
}

}  // namespace zedops::docker
