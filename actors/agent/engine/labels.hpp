// The labels that make a container ours, and tell which server's it is. Without them we leave a container alone.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "messages/base/ids.hpp"
#include "messages/records/container.hpp"

namespace zedops::agent {

namespace label {
inline constexpr const char* managed = "zedops.managed";
inline constexpr const char* manager = "zedops.manager";
inline constexpr const char* server = "zedops.server.id";
inline constexpr const char* server_name = "zedops.server.name";
// "folders": volumes that its image declares are folders of the server's tree.
inline constexpr const char* volumes = "zedops.volumes";
inline constexpr const char* image = "zedops.image";         // what it was made from, as it was named then
inline constexpr const char* project = "zedops.project.id";  // of the web server of a project's static services
inline constexpr const char* project_port = "zedops.project.port";
inline constexpr const char* service = "zedops.service.id";         // of the container of a container service
inline constexpr const char* deployment = "zedops.deployment";      // its number
inline constexpr const char* build = "zedops.build";                // of a builder: the service whose build it is
inline constexpr const char* source = "zedops.source";              // of an image: what it was built from
inline constexpr const char* service_spec = "zedops.service.spec";  // hash of what it was made from
inline constexpr const char* operation = "zedops.operation";        // the operation that made the container
}  // namespace label

using labels = std::map<std::string, std::string>;

inline std::string_view value_of(const labels& all, const char* key) {
  auto i = all.find(key);
  return i == all.end() ? std::string_view{} : std::string_view{i->second};
}

// Made by (an agent of) this manager.
inline bool is_ours(const labels& all, std::string_view manager_id) {
  return !manager_id.empty() && value_of(all, label::managed) == "true" && value_of(all, label::manager) == manager_id;
}

// The only containers that a command for this server may touch.
inline bool may_touch(const labels& all, std::string_view manager_id, const msg::server_id& server) {
  return is_ours(all, manager_id) && !server.empty() && value_of(all, label::server) == server.value;
}

// What a replaced container is called until its successor has proved itself.
inline std::string set_aside_name(std::string_view name, const msg::operation_id& op) {
  return std::string(name) + ".old-" + op.value;
}
inline bool is_set_aside(std::string_view name) { return name.find(".old-") != std::string_view::npos; }

// Whether a container with a server's labels can be that server's. `docker commit` puts the labels into the image it
// makes, so every container of that image has them: without the recorded id and the name that we gave, it must at least
// be of the image that its label names. One that was made before that label existed is believed.
inline bool believable(const msg::container_view& c, std::string_view recorded_id, std::string_view own_name) {
  if ((!recorded_id.empty() && c.id == recorded_id) || c.name == own_name || is_set_aside(c.name)) return true;
  const auto image = value_of(c.labels, label::image);
  return image.empty() || image == c.image;
}

}  // namespace zedops::agent
