// What keeps a container from being adopted whatever its owner is ready to leave behind: its data would be lost or not
// be seen once it is stopped.
#pragma once
#include "integration/docker/engine.hpp"

namespace zedops::agent {

inline msg::result<void> check_adoptable(const docker::container_details& c) {
  if (c.auto_remove)
    return msg::fail(
        msg::ec::bad_request,
        "container " + c.view.name + " was started with --rm: stopping it removes it and its anonymous volumes",
        "make it again without --rm, on the same mounts, then repeat");
  if (!c.plugin_volumes.empty())
    return msg::fail(msg::ec::bad_request,
                     "volume " + c.plugin_volumes.front() + " of container " + c.view.name +
                         " belongs to a volume plugin: its data is not there once the container has stopped",
                     "copy it into a folder of the host, make the container again on that, then repeat");
  return {};
}

}  // namespace zedops::agent
