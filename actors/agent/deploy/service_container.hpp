// The container of a container service: made from the image of a deployment, answering, and the only one that is left
// once it has taken over.
#pragma once
#include "actors/agent/deploy/site_world.hpp"
#include "actors/agent/engine/engine_calls.hpp"
#include "actors/agent/lanes/step_env.hpp"
#include "messages/wire/link.hpp"

namespace zedops::agent {

inline constexpr msg::duration service_start_max{60'000};  // until it has to answer
inline constexpr msg::duration service_stop_grace{10'000};

// For everybody who may see the service: its environment is shown to nobody. Logs have the lines as they are, for those
// who may read them. Values of less than eight characters are no secrets, and would hide words.
std::string without_values(std::string text, const msg::deploy_plan& p);

class service_container {
 public:
  service_container(engine_calls& calls, site_world& sites, const clocks& clock, std::string manager,
                    const cancel_token* cancel)
      : calls_(calls), sites_(sites), clock_(clock), manager_(std::move(manager)), cancel_(cancel) {}

  struct running {
    std::string id;
    uint16_t port = 0;  // of this host, at which it is asked
    bool made = false;  // it was made or started just now
  };
  // That of the deployment in the plan, running. One of another deployment is left alone, unless both want the one port
  // that visitors use: then it goes first. Errors: no_data (its image is gone), those of the Engine.
  msg::result<running> ensure(const msg::service_id& id, const msg::deploy_plan& p);
  // Waits until it is well. Errors: bad_request (it is not, with what it says), cancelled, those of the Engine.
  msg::result<std::string> healthy(const running& r, const msg::deploy_plan& p);
  // How it is now: what it answered, or why it is not well.
  msg::result<std::string> look(const running& r, const msg::deploy_plan& p);
  // Visitors are led to it; those of a static service to its folder of its project's server. Without a route in its
  // settings there is none afterwards.
  msg::result<void> lead(const msg::service_id& id, const msg::deploy_plan& p, uint16_t port);
  // What visitors get, come in by the name that leads to it: Caddy may not reach what this host does. Errors:
  // bad_request (they get an error that it has not given), cancelled, those of the route table.
  msg::result<std::string> visited(const msg::service_id& id, const msg::deploy_plan& p, uint16_t port);
  // All of the service but this; empty: all. They are asked to end first. The number that went.
  msg::result<size_t> remove_but(const msg::service_id& id, const std::string& keep);
  msg::result<void> stop(const msg::service_id& id);
  // That of the deployment in the plan is left, if it is there, and does not run; the others go. Its port, else the
  // one that it will have.
  msg::result<uint16_t> keep_stopped(const msg::service_id& id, const msg::deploy_plan& p);

  static std::string repository(const msg::service_id& id, const msg::deploy_plan& p) {
    return "zedops/" + p.project_name + "-" + p.service_name + "-" + id.value;
  }
  static std::string image_of(const msg::service_id& id, const msg::deploy_plan& p, uint32_t number) {
    return repository(id, p) + ":" + std::to_string(number);
  }

 private:
  routes::route route_of(const msg::service_id& id, const msg::deploy_plan& p, uint16_t port) const;
  msg::container_spec spec_of(const msg::service_id& id, const msg::deploy_plan& p, uint16_t port) const;
  msg::result<std::vector<docker::container_details>> all_of(const msg::service_id& id);
  msg::result<running> made(const msg::service_id& id, const msg::deploy_plan& p, uint16_t port);

  engine_calls& calls_;
  site_world& sites_;
  const clocks& clock_;
  const std::string manager_;
  const cancel_token* cancel_;
};

}  // namespace zedops::agent
