// What exists: before, during and after a command.
#include <algorithm>

#include "actors/agent/jobs/command_job.hpp"
#include "actors/agent/observe/container_map.hpp"
#include "actors/agent/observe/data_layouts.hpp"

namespace zedops::agent {

using namespace msg;

const docker::container_details* command_job::sighting::find(const std::string& id) const {
  auto i = std::find_if(ours.begin(), ours.end(), [&](const auto& c) { return c.view.id == id; });
  return i == ours.end() ? nullptr : &*i;
}

known_server command_job::as_known() const { return {cmd_.server, counts_, cmd_.plan.container.name, cmd_.plan.data}; }

result<command_job::sighting> command_job::look() {
  auto listed = calls_.list({{label::managed, "true"}, {label::manager, manager_}, {label::server, cmd_.server.value}});
  if (!listed) return fail(std::move(listed.error()));
  container_map view;
  view.set_manager(manager_);
  view.watch(as_known());
  std::vector<std::string> ids;
  for (const auto& c : *listed) ids.push_back(c.id);
  if (!counts_.empty() && std::find(ids.begin(), ids.end(), counts_) == ids.end())
    ids.push_back(counts_);  // recognised by its id even when it lost its labels
  sighting out;
  for (const auto& id : ids) {
    auto c = calls_.inspect(id);
    if (!c && c.error().code == ec::not_found) continue;
    if (!c) return fail(std::move(c.error()));
    view.put(c->view, view.next_ticket());
    const bool good = believable(c->view, counts_, cmd_.plan.container.name);
    if (good && may_touch(c->view.labels, manager_, cmd_.server)) out.ours.push_back(std::move(*c));
  }
  out.seen = view.observe(cmd_.server);
  return out;
}

result<void> command_job::permit(const sighting& s) const {
  if (s.seen.container != presence::present || s.current()) return {};
  return fail(ec::forbidden,
              "container " + s.seen.view.name + " (" + short_id(s.seen.view.id) + ") is recorded for this server but " +
                  s.seen.drift,
              "it is not touched: remove it by hand if it is no longer needed, then repeat");
}

result<command_job::sighting> command_job::look_and_settle() {
  auto s = look();
  if (!s) return s;
  bool changed = false;
  ZEDOPS_TRY(settle(*s, changed));
  return changed ? look() : std::move(s);
}

// An interrupted replacement of another operation left a container that was set aside, and maybe its successor. One
// that is alive on this server's data counts, whatever the record says: players may be on it. Else the record decides.
result<void> command_job::settle(const sighting& s, bool& changed) {
  const docker::container_details* aside = nullptr;
  for (const auto& c : s.ours)
    if (is_set_aside(c.view.name) && c.view.name != set_aside_name(cmd_.plan.container.name, cmd_.op)) aside = &c;
  if (!aside) return {};
  const docker::container_details* successor = nullptr;
  for (const auto& c : s.ours)
    if (c.view.name == cmd_.plan.container.name) successor = &c;
  changed = true;
  const bool lives = successor && is_alive(successor->view.state);
  if (lives && !mounts_of_plan(*successor))
    return fail(ec::wrong_state,
                "container " + successor->view.name +
                    ", which an interrupted replacement made, runs on other data than " + cmd_.plan.data.root + "/" +
                    cmd_.plan.data.name,
                "stop it first: zedctl server stop; what it wrote stays where it is");
  if (lives || (successor && aside->view.id != cmd_.container_id)) {
    if (is_alive(aside->view.state)) ZEDOPS_TRY(stop_gently(*aside, 2));
    note("finished an interrupted replacement");
    return remove_one(*aside, docker::anonymous_volumes::keep);
  }
  if (successor) ZEDOPS_TRY(remove_one(*successor, docker::anonymous_volumes::keep));
  if (auto r = calls_.rename(aside->view.id, cmd_.plan.container.name); !r) return fail(std::move(r.error()));
  effect("settled");
  note("undid an interrupted replacement");
  return {};
}

// Its bind mounts are those that a container made now would have.
bool command_job::mounts_of_plan(const docker::container_details& c) const {
  return std::all_of(cmd_.plan.container.mounts.begin(), cmd_.plan.container.mounts.end(), [&](const mount& wanted) {
    return std::any_of(c.mounts.begin(), c.mounts.end(),
                       [&](const mount& m) { return m.source == wanted.source && m.target == wanted.target; });
  });
}

observation command_job::look_after(host::sizing sizes) {
  calls_.extend(look_after_time);
  return observe_now(sizes);
}

observation command_job::observe_now(host::sizing sizes) {
  observation out;
  if (auto s = look()) out = std::move(s->seen);
  out.server = cmd_.server;
  const bool moved = cmd_.kind != command_kind::move || !result_.data_root.empty();
  if (auto request = check_request_of(moved ? cmd_.plan.data : cmd_.source, env_.state.id(), sizes)) {
    auto report = env_.host.check(*request);
    out.data = report.state;
    if (report.state == data_state::unknown) out.data_problem = report.error;
    if (report.size) out.data_bytes = report.size->bytes;
  }
  out.observed_at = env_.clock.wall();
  return out;
}

}  // namespace zedops::agent
