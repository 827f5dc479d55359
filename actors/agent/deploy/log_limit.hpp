// Containers of services and projects keep as much of their output as those of servers do: without a limit the Engine
// keeps all of it. None is recreated because of this: what decides whether one fits does not include it.
#pragma once
#include "messages/records/container.hpp"
#include "messages/records/template.hpp"

namespace zedops::agent {

inline void limit_log(msg::container_spec& c) {
  auto like_servers = msg::default_spec();
  c.log_driver = like_servers.log_driver.value_or("");
  c.log_options = like_servers.log_options.value_or(c.log_options);
}

}  // namespace zedops::agent
