// What a container that zedops did not make is as a server: which image, ports and variables its record gets, and what
// a template cannot give it. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "messages/api/requests.hpp"
#include "messages/records/template.hpp"
#include "messages/wire/link.hpp"

namespace zedops::core {

struct adoption {
  msg::create_server as;           // everything named that the container decides
  bool runs = false;               // it is running now
  std::vector<std::string> steps;  // what will happen, for a dry run
};

// Where a directory of a container is on its host: in the nearest mount at or above it.
struct placement {
  const msg::mount* in = nullptr;  // one of those given
  std::string path;
};
std::optional<placement> placement_of(const std::vector<msg::mount>& mounts, const std::string& directory);

// Refused: a container of this or another manager, a template without directories, a container without a mount for a
// directory of the template, mounts within such a directory, a port that is not clear, and, unless `leave_behind`,
// whatever the template does not have.
msg::result<adoption> adoption_of(const msg::adopt_server& r, const msg::container_answer& c,
                                  const msg::server_template& t, const std::string& manager_id);

}  // namespace zedops::core
