// What keeps a container from being adopted whatever its user is ready to leave behind: its data would be lost or not
// be accessible once it is stopped.
#pragma once
#include "integration/docker/engine.hpp"

namespace zedops::agent {

inline msg::result<void> check_adoptable(const docker::container_details& c) {
  if (c.auto_remove)
    return msg::fail(
        msg::ec::bad_request,
        "container " + c.view.name + " was started with --rm: stopping it removes it and its anonymous volumes",
        "recreate it without --rm, on the same mounts, then repeat");
  if (!c.plugin_volumes.empty())
    return msg::fail(msg::ec::bad_request,
                     "volume " + c.plugin_volumes.front() + " of container " + c.view.name +
                         " belongs to a volume plugin: its data is not accessible once the container has stopped",
                     "copy the data into a folder of the host, recreate the container on that folder, then repeat");
  return {};
}

// The Engine mounts what the options name while a container uses the volume, and shows an empty folder afterwards.
inline msg::result<void> check_adoptable(const docker::volume_info& v, const std::string& container) {
  if (v.driver == "local" && v.options.empty()) return {};
  return msg::fail(msg::ec::bad_request,
                   "volume " + v.name + " of container " + container +
                       " is mounted by the Engine while the container runs: its data is not accessible once it stops",
                   "recreate the container with what the volume mounts as a bind mount, then repeat");
}

}  // namespace zedops::agent
