// Removes the container, and removes the data. Each is verified: nothing is reported that was not seen.
#include "actors/agent/jobs/command_job.hpp"
#include "actors/agent/observe/data_layouts.hpp"

namespace zedops::agent {

using namespace msg;

result<void> command_job::remove_one(const docker::container_details& c, docker::anonymous_volumes volumes) {
  // Our own volumes are folders of the tree: only the Engine's entry is removed, not the data.
  if (value_of(c.view.labels, label::volumes) == "folders") volumes = docker::anonymous_volumes::remove;
  auto gone = calls_.remove(c.view.id, docker::removal::force, volumes);
  effect("removed");
  if (gone) return {};
  if (gone.error().code != ec::busy) return fail(std::move(gone.error()));
  // Another removal is in progress: wait for its end.
  for (duration waited{}; waited < removal_wait_max; waited += proof_look) {
    auto left = calls_.inspect(c.view.id);
    if (!left && left.error().code == ec::not_found) return {};
    env_.clock.pause(proof_look);
  }
  return fail(std::move(gone.error()));
}

result<void> command_job::remove() {
  ZEDOPS_TRY(step("preparing", 1));
  auto s = look();
  if (!s) return fail(std::move(s.error()));
  if (auto not_ours = permit(*s); !not_ours) note("left alone: " + not_ours.error().message);
  const auto volumes = cmd_.kind == command_kind::purge && cmd_.remove_data ? docker::anonymous_volumes::remove
                                                                            : docker::anonymous_volumes::keep;
  std::vector<std::string> carried;
  for (const auto& c : s->ours) {
    carried.insert(carried.end(), c.volume_names.begin(), c.volume_names.end());
    if (is_alive(c.view.state))
      if (auto stopped = stop_gently(c, 10); !stopped) {
        if (stopped.error().code == ec::cancelled) return stopped;
        note("not stopped: " + stopped.error().message);
      }
    ZEDOPS_TRY(step("removing", 60));
    ZEDOPS_TRY(remove_one(c, volumes));
  }
  ZEDOPS_TRY(step("verifying", 80));
  auto left = look();
  if (!left) return fail(std::move(left.error()));
  if (!left->ours.empty())
    return fail(ec::engine_error, "container " + short_id(left->ours.front().view.id) + " is still there",
                "look at it with docker inspect, then repeat");
  if (volumes == docker::anonymous_volumes::keep) carried.clear();
  drop_volumes(std::move(carried));
  return {};
}

result<void> command_job::purge() {
  ZEDOPS_TRY(remove());
  drop_left_copies();
  if (!cmd_.remove_data) return {};
  const auto& layout = cmd_.plan.data;
  if (layout.name.empty() || layout.root.empty()) return {};
  ZEDOPS_TRY(step("removing", 85, "data"));
  const host::data_root root{layout.root, env_.state.id().value};
  if (!env_.state.used_root(layout.root) && env_.host.owner_of_root(layout.root) == env_.state.id().value)
    ZEDOPS_TRY(env_.state.remember_root(layout.root));  // used before the agent's state folder was lost
  if (!env_.state.used_root(layout.root)) {
    // Never used by us: there is no data of ours.
    note("no data: " + layout.root + " was never used");
    result_.bytes_removed = 0;
    return {};
  }
  auto removed = env_.host.remove_tree({root, layout.name, cmd_.op.value});
  effect("data_removed");
  if (!removed) return fail(std::move(removed.error()));
  result_.bytes_removed = removed->bytes;
  if (!removed->kept.empty()) note("its backups are kept in " + removed->kept);
  ZEDOPS_TRY(step("verifying", 95));
  auto request = check_request_of(layout, env_.state.id(), host::sizing::skip);
  if (!request) return fail(std::move(request.error()));
  const auto report = env_.host.check(*request);
  if (report.state == data_state::absent) return {};
  return fail(report.state == data_state::unknown ? ec::data_unknown : ec::engine_error,
              "data is still there: " + layout.root + "/" + layout.name +
                  (report.error.empty() ? "" : " (" + report.error + ")"),
              "check that folder on the host, then repeat");
}

}  // namespace zedops::agent
