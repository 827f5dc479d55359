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

// The Engine mounts what the options name while a container uses the volume, and shows an empty folder afterwards.
inline msg::result<void> check_adoptable(const docker::volume_info& v, const std::string& container) {
  if (v.driver == "local" && v.options.empty()) return {};
  return msg::fail(msg::ec::bad_request,
                   "volume " + v.name + " of container " + container +
                       " is mounted by the Engine while the container runs: its data is not there once it has stopped",
                   "make the container again with what the volume mounts as a bind mount, then repeat");
}

}  // namespace zedops::agent
