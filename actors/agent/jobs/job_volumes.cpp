// What the image declares: its volumes, and the user that it runs as.
//
// A declared volume that the template does not mount would be an anonymous one, left behind with the data in it by the
// next rebuild. Here it is a folder of the server's own tree, mounted as a volume with that folder behind it: so the
// Engine fills it from the image while it is empty, and it is moved, measured and purged with the rest.
#include <algorithm>

#include "actors/agent/jobs/command_job.hpp"
#include "actors/agent/observe/data_layouts.hpp"
#include "integration/docker/passwd.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

// "/var/lib/game" -> "var_lib_game"
std::string folder_of(const std::string& target) {
  auto name = target.substr(target.find_first_not_of('/') == std::string::npos ? 0 : target.find_first_not_of('/'));
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

}  // namespace

bool command_job::mounts(const std::string& target) const {
  const auto& all = cmd_.plan.container.mounts;
  return std::any_of(all.begin(), all.end(), [&](const mount& m) { return m.target == target; }) ||
         std::any_of(volumes_.begin(), volumes_.end(), [&](const volume_mount& v) { return v.target == target; });
}

// Volumes that a container before this rule filled stay what they are: every later container gets them by name.
result<void> command_job::carry_volumes(const docker::container_details& old) {
  replaces_ = true;
  for (size_t i = 0; i < old.volumes.size() && i < old.volume_names.size(); ++i) {
    const auto& target = old.volumes[i].target;
    if (mounts(target)) continue;
    auto volume = calls_.volume(old.volume_names[i]);
    if (!volume) return fail(std::move(volume.error()));
    const auto device = volume->options.find("device");
    if (volume->options.empty()) volumes_.push_back({volume->name, {}, target});
    else if (device != volume->options.end()) had_.push_back({{}, device->second, target});
  }
  return {};
}

void command_job::plan_volumes(const docker::image_info& image) {
  const auto tree = cmd_.plan.data.root + "/" + cmd_.plan.data.name;
  for (const auto& target : image.volumes) {
    if (target.empty() || target.front() != '/' || mounts(target)) continue;
    auto folder = std::string(volumes_folder) + folder_of(target);
    const auto taken = [&](const std::string& f) {
      return std::any_of(volumes_.begin(), volumes_.end(), [&](auto& v) { return v.device == tree + "/" + f; });
    };
    while (taken(folder)) folder += "_";
    volumes_.push_back({{}, tree + "/" + folder, target});
    const bool is_new = std::none_of(had_.begin(), had_.end(), [&](auto& v) { return v.target == target; });
    if (replaces_ && is_new) note("the image declares a volume " + target + " now: it is kept in " + folder);
  }
  // A volume that the image does not declare any more still holds data of this server.
  for (const auto& v : had_) {
    const auto at = v.device.rfind("/" + std::string(volumes_folder));
    if (at == std::string::npos || mounts(v.target)) continue;
    volumes_.push_back({{}, tree + v.device.substr(at), v.target});
    note("the image does not declare the volume " + v.target + " any more: it stays mounted with its data");
  }
}

// The Engine's entries of this server's folders, also those whose container was removed outside; and `names`.
void command_job::drop_volumes(std::vector<std::string> names) {
  auto ours = calls_.volumes({{label::manager, manager_}, {label::server, cmd_.server.value}});
  if (!ours) return note("its volumes could not be listed: " + ours.error().message);
  for (const auto& v : *ours)
    if (!v.options.empty()) names.push_back(v.name);
  for (const auto& name : names)
    if (auto gone = calls_.remove_volume(name); !gone) note("volume " + name + " not removed: " + gone.error().message);
}

result<void> command_job::make_dirs() {
  auto request = dirs_request_of(cmd_.plan.data, env_.state.id());
  if (!request) return fail(std::move(request.error()));
  const auto prefix = cmd_.plan.data.root + "/" + cmd_.plan.data.name + "/";
  for (const auto& v : volumes_)
    if (v.device.starts_with(prefix)) request->dirs.push_back(v.device.substr(prefix.size()));
  if (request->dirs.empty()) return {};
  ZEDOPS_TRY(env_.host.make_dirs(*request));
  effect("dirs_made");
  return {};
}

// Folders that are still empty are given to the user that the container runs as: else it could not write to them.
result<void> command_job::give_dirs(const std::string& id) {
  const auto& layout = cmd_.plan.data;
  if (layout.dirs.empty() || !layout.owner.empty()) return {};
  auto c = calls_.inspect(id);
  if (!c) return fail(std::move(c.error()));
  if (c->user.empty() || c->user == "root" || c->user == "0" || c->user.starts_with("0:")) return {};
  auto accounts = calls_.read_file(id, "/etc/passwd");
  auto groups = calls_.read_file(id, "/etc/group");
  const auto who = docker::account_of(c->user, accounts ? *accounts : std::string{}, groups ? *groups : std::string{});
  if (!who) {
    note("the image runs as user " + c->user + ", which its account files do not list: the new folders belong to root");
    return {};
  }
  auto request = dirs_request_of(layout, env_.state.id());
  if (!request) return fail(std::move(request.error()));
  request->uid = who->uid;
  request->gid = who->gid;
  request->owned = host::ownership::of_empty_ones;
  if (auto given = env_.host.make_dirs(*request); !given)
    note("the image runs as user " + c->user +
         ", and the new folders could not be given to that user: " + given.error().message);
  effect("dirs_given");
  return {};
}

}  // namespace zedops::agent
