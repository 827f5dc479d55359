// The container that serves the static services of a project on this host: one, of an image on this host, with the
// project's folder in it read-only. Whatever became of it, ensure() brings it back; nothing is lost with it.
#pragma once
#include "actors/agent/deploy/site_world.hpp"
#include "actors/agent/engine/engine_calls.hpp"
#include "integration/host/sites/sites.hpp"

namespace zedops::agent {

inline constexpr uint16_t project_server_port = 8080;  // in the container
inline constexpr const char* project_server_alive = "/.zedops-alive";
inline constexpr unsigned server_tries_max = 3;
inline constexpr msg::duration server_start_max{30'000};

class project_server {
 public:
  // `cancel`, if given, ends the waiting for its answer.
  project_server(engine_calls& calls, site_world& sites, const clocks& clock, std::string manager,
                 const cancel_token* cancel = nullptr)
      : calls_(calls), sites_(sites), clock_(clock), manager_(std::move(manager)), cancel_(cancel) {}

  // Sees to it that it runs as specified, and answers. Returns the container's id; `made`: something had to be done.
  struct ensured {
    std::string id;
    bool made = false;
  };
  msg::result<ensured> ensure(const host::project_place& p);
  // The same without changing anything: an error says what is wrong.
  msg::result<ensured> look(const host::project_place& p);
  msg::result<void> remove(const msg::project_id& id);

 private:
  msg::result<ensured> try_once(const host::project_place& p);
  msg::result<void> answers(const host::project_place& p, const std::string& id);
  msg::container_spec spec_of(const host::project_place& p) const;

  engine_calls& calls_;
  site_world& sites_;
  const clocks& clock_;
  const std::string manager_;
  const cancel_token* cancel_;
};

}  // namespace zedops::agent
