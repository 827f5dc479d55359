// Answers shared by all Engines in memory, so that the agent gets the same ones as from the real Engine. There are
// two: sim_engine, which runs in a simulated host's time, and fake_docker, which answers at once and whose faults are
// switches of one test.
#pragma once
#include <algorithm>
#include <string>

#include "integration/docker/engine.hpp"

namespace zedops::test {

inline tl::unexpected<msg::error> engine_away() {
  return msg::fail(msg::ec::engine_error, "no Docker Engine there", "start it");
}
inline tl::unexpected<msg::error> engine_absent(const std::string& what) {
  return msg::fail(msg::ec::not_found, "no such " + what);
}
inline tl::unexpected<msg::error> name_taken(const msg::container_view& by) {
  return msg::fail(msg::ec::already_exists, "the name is in use by container " + by.id);
}

// An empty value asks for the label only.
inline bool has_labels(const msg::container_view& c, const docker::labels& want) {
  return std::all_of(want.begin(), want.end(), [&](const auto& w) {
    auto i = c.labels.find(w.first);
    return i != c.labels.end() && (w.second.empty() || i->second == w.second);
  });
}

inline docker::container_summary summary_of(const msg::container_view& c, const std::vector<msg::port_binding>& ports,
                                            bool alive) {
  docker::container_summary s{c.id, c.name, c.image, c.state, c.labels, {}};
  if (alive) s.ports = ports;
  return s;
}

}  // namespace zedops::test
