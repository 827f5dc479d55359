// The container of a container service: made from the image of a deployment, proved to answer, and the only one that is
// left once it has taken over.
#pragma once
#include "actors/agent/deploy/site_world.hpp"
#include "actors/agent/engine/engine_calls.hpp"
#include "actors/agent/lanes/step_env.hpp"
#include "integration/host/sites/sites.hpp"
#include "messages/wire/link.hpp"

namespace zedops::agent {

inline constexpr msg::duration service_start_max{60'000};  // time until it has to answer
inline constexpr msg::duration service_stop_grace{10'000};

// A note that lasts as long as the deployment: how its image came to this host.
inline constexpr const char* found_image = "found";
inline constexpr std::string_view found_by_pull = "pulled ", found_nameless = "nameless";

// Masks the environment's values, which nobody is shown, in texts for everybody who may see the service. Logs have the
// lines as they are, for those who may read them. Values below eight characters are no secrets, and would hide words.
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
  // The container of the deployment in the plan, running. One of another deployment is left alone, unless both need the
  // one port that visitors use: then it is removed first. Errors: no_data (its image is gone), those of the Engine.
  msg::result<running> ensure(const msg::service_id& id, const msg::deploy_plan& p);
  // Waits until it is healthy. Errors: bad_request (it is not, with its last words), cancelled, those of the Engine.
  msg::result<std::string> healthy(const running& r, const msg::deploy_plan& p);
  // How it is now: what it answered, or why it is not healthy.
  msg::result<std::string> look(const running& r, const msg::deploy_plan& p);
  // Routes visitors to it; those of a static service to its folder on its project's server. Without a route in its
  // settings there is none afterwards.
  msg::result<void> lead(const msg::service_id& id, const msg::deploy_plan& p, uint16_t port);
  // What visitors get who use the name that leads to it: Caddy may not reach what this host reaches. Errors:
  // bad_request (they get an error that the container did not give), cancelled, those of the route table.
  msg::result<std::string> visited(const msg::service_id& id, const msg::deploy_plan& p, uint16_t port);
  // Removes all containers of the service but this; empty: all. They are asked to end first. Returns how many.
  msg::result<size_t> remove_but(const msg::service_id& id, const std::string& keep);
  msg::result<void> stop(const msg::service_id& id);
  // Keeps the container of the deployment in the plan, if there is one, stopped; removes the others. Returns its port,
  // else the one that it will have.
  msg::result<uint16_t> keep_stopped(const msg::service_id& id, const msg::deploy_plan& p);

  // Removes the image of a deployment, and the name under which it was pulled. An image that is absent is a success,
  // and so is one that stays because it was here, without a name, before. Errors: busy (a container uses it), those of
  // the Engine.
  msg::result<void> drop_image(const msg::service_id& id, const host::site& s, uint32_t number);

  static std::string repository(const msg::service_id& id, const std::string& project, const std::string& service) {
    return "zedops/" + project + "-" + service + "-" + id.value;
  }
  static std::string repository(const msg::service_id& id, const msg::deploy_plan& p) {
    return repository(id, p.project_name, p.service_name);
  }
  static std::string image_of(const msg::service_id& id, const msg::deploy_plan& p, uint32_t number) {
    return repository(id, p) + ":" + std::to_string(number);
  }

 private:
  routes::route route_of(const msg::service_id& id, const msg::deploy_plan& p, uint16_t port) const;
  msg::container_spec spec_of(const msg::service_id& id, const msg::deploy_plan& p, uint16_t port) const;
  msg::result<std::vector<docker::container_details>> all_of(const msg::service_id& id);
  msg::result<running> made(const msg::service_id& id, const msg::deploy_plan& p, uint16_t port);
  msg::result<void> drop_pulled_name(const std::string& name, const std::string& ours);

  engine_calls& calls_;
  site_world& sites_;
  const clocks& clock_;
  const std::string manager_;
  const cancel_token* cancel_;
};

}  // namespace zedops::agent
