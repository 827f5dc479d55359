#include "tests/sim/support/hosts/host.hpp"

#include <utility>

#include "actors/core/plan/blueprint.hpp"

namespace zedops::sim {

using namespace msg;

std::string container::server() const { return label(core::label_server); }
std::string container::manager() const { return label(core::label_manager); }

void host::event(const container& c, const char* action) const {
  if (on_event && engine_answers && !c.server().empty()) on_event(c, action);
}

std::string host::create(const container_spec& spec) {
  const auto id = text_hash(name + std::to_string(++made_));
  container c;
  c.view.id = id_text('c', id, made_);
  c.view.name = spec.name;
  c.view.image = spec.image;
  c.view.labels = spec.labels;
  c.ports = spec.ports;
  c.mounts = spec.mounts;
  c.env = spec.env;
  c.networks = spec.networks;
  c.restart = spec.restart;
  containers[c.view.id] = c;
  event(c, "create");
  return c.view.id;
}

void host::start(const std::string& id) {
  auto& c = containers.at(id);
  if (c.alive()) return;
  c.view.state = container_state::running;
  c.view.exit_code = 0;
  if (auto tree = trees.find(c.label(core::label_name)); tree != trees.end()) tree->second = data_state::present;
  event(c, "start");
}

void host::stop(const std::string& id, int64_t exit_code) {
  auto& c = containers.at(id);
  if (!c.alive()) return;
  c.view.state = container_state::exited;
  c.view.exit_code = exit_code;
  event(c, "die");
}

void host::rename(const std::string& id, const std::string& to) {
  auto& c = containers.at(id);
  c.view.name = to;
  event(c, "rename");
}

void host::engine_goes() {
  engine_answers = false;
  for (auto& [id, c] : containers)
    if (c.alive()) {
      taken_along_.insert(id);
      c.view.state = container_state::exited;
      c.view.exit_code = 137;
    }
}

void host::engine_comes() {
  engine_answers = true;
  for (const auto& id : std::exchange(taken_along_, {}))
    if (auto* c = find(id); c && c->restart != restart_rule::no && !start_problem(id)) start(id);
}

void host::remove(const std::string& id) {
  auto i = containers.find(id);
  if (i == containers.end()) return;
  auto gone = std::move(i->second);
  containers.erase(i);
  event(gone, "destroy");
}

container* host::find(const std::string& id) {
  auto i = containers.find(id);
  return i == containers.end() ? nullptr : &i->second;
}

container* host::by_name(const std::string& wanted) {
  for (auto& [id, c] : containers)
    if (c.view.name == wanted) return &c;
  return nullptr;
}

std::vector<container*> host::of_server(const std::string& server_id, const std::string& manager) {
  std::vector<container*> out;
  for (auto& [id, c] : containers)
    if (c.server() == server_id && c.manager() == manager) out.push_back(&c);
  return out;
}

data_state host::data_of(const std::string& server_name) const {
  if (!disk_mounted) return data_state::unknown;
  auto i = trees.find(server_name);
  return i == trees.end() ? data_state::absent : i->second;
}

void host::remove_data(const std::string& server_name) {
  if (trees.erase(server_name) > 0 && on_data_removed) on_data_removed(server_name);
}

std::optional<error> host::start_problem(const std::string& id) const {
  const auto& mine = containers.at(id);
  for (const auto& [other_id, other] : containers) {
    if (other_id == id || !other.alive()) continue;
    for (const auto& p : mine.ports)
      for (const auto& q : other.ports)
        if (p.host_port == q.host_port && p.proto == q.proto)
          return error{ec::port_conflict,
                       "port " + std::to_string(p.host_port) + " is taken by " + other.view.name,
                       "stop it, or choose another port",
                       {}};
  }
  return std::nullopt;
}

}  // namespace zedops::sim
