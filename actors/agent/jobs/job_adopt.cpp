// Take over a container that somebody else made. The original is not ours: it is stopped, maybe renamed, and removed
// last; what it has mounted is only read and stays.
//
//   original stopped -> copy made and verified -> copy in place -> ours made on the copy, proved -> original removed
//        \____________________________________________________________________________/
//            any failure: ours removed, copy removed, the original has its name again, runs again if it ran
//
// In the journal: whether it ran, then that ours counts. From there on nothing is rolled back.
#include <algorithm>

#include "actors/agent/jobs/command_job.hpp"
#include "actors/agent/observe/adoptable.hpp"
#include "actors/agent/observe/data_layouts.hpp"
#include "actors/core/plan/adoption.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

// "sha256:0123456789ab"
std::string short_image(const std::string& id) { return id.substr(0, id.find(':') + 13); }

}  // namespace

result<void> command_job::adopt() {
  const auto known = env_.state.find(cmd_.op);
  const bool begun = known && !known->note.empty();
  auto done = step("preparing", 1);
  result_.untouched = !begun;  // until something is
  if (!done && !begun) return done;
  if (!done) calls_.extend(clean_up_time);  // cancelled, but begun by an earlier attempt: that is rolled back
  // Cut short before, the original may be stopped: an Engine that is on its way back is worth waiting for.
  const auto patience = begun ? clean_up_time : duration{0};
  auto s = patiently(patience, [this] { return look(); });
  if (!s) return fail(begun ? left_down(std::move(s.error())) : std::move(s.error()));
  const auto* fresh = s->current();
  if (fresh) result_.untouched = false;
  if (begun && known->note == note_switched) return drop_original();
  auto original = patiently(patience, [this] { return calls_.inspect(cmd_.original); });
  if (!original && original.error().code == ec::not_found) return without_original(fresh);
  if (!original) return fail(begun ? left_down(std::move(original.error())) : std::move(original.error()));
  if (!begun) ZEDOPS_TRY(permit_adoption(*original));
  auto parts = parts_of(*original);
  if (!parts) return fail(std::move(parts.error()));
  parts_ = std::move(*parts);
  if (done) done = fresh ? check_placed() : begin_adoption(*original);
  if (!done && !begun) return done;  // nothing was touched
  result_.untouched = false;
  const bool was_running = remember_running(&*original);
  if (done && !fresh) done = stop_and_copy(&*original);
  if (done) done = use_copy({&*original, fresh}, was_running);
  if (done) done = step("switching", 92);  // the last moment at which this can be rolled back
  if (done) done = check_untouched(*original);
  if (done) done = env_.state.note(cmd_.op, note_switched);
  if (done) {
    effect("switched");
    return drop_original();
  }
  // What ran on the copy before we were interrupted may have written what the original has not.
  const bool has_lived = fresh && fresh->view.state != container_state::created;
  auto failure = std::move(done.error());
  failure.message += "; " + undo_adoption(was_running, has_lived ? host::copy_fate::keep : host::copy_fate::remove);
  return fail(std::move(failure));
}

// The Engine cannot be asked any more what became of it, so the user is told what to check.
error command_job::left_down(error e) const {
  e.message += "; container " + short_id(cmd_.original) + " may be stopped, and renamed to " +
               set_aside_name(cmd_.plan.container.name, cmd_.op);
  e.hint = "check it on its host, rename it back and start it";
  return e;
}

// The manager has checked the same; meanwhile a manager may have taken the container.
result<void> command_job::permit_adoption(const docker::container_details& original) {
  ZEDOPS_TRY(check_permitted());
  const auto owner = value_of(original.view.labels, label::manager);
  if (owner.empty()) {
    ZEDOPS_TRY(check_adoptable(original));
    for (const auto& name : original.volume_names) {
      auto volume = calls_.volume(name);
      if (!volume) return fail(std::move(volume.error()));
      ZEDOPS_TRY(check_adoptable(*volume, original.view.name));
    }
    return {};
  }
  return fail(ec::forbidden,
              "container " + original.view.name + " belongs to " +
                  (owner == manager_ ? "a server of this manager" : "another manager"),
              "only a container that no manager owns can be adopted");
}

// For each directory of ours what the original has mounted there, or the part of a mount that is that directory.
result<std::vector<host::copy_part>> command_job::parts_of(const docker::container_details& original) const {
  auto all = original.mounts;
  all.insert(all.end(), original.volumes.begin(), original.volumes.end());
  std::vector<host::copy_part> out;
  const auto& spec = cmd_.plan.container;
  for (size_t i = 0; i < cmd_.plan.data.dirs.size() && i < spec.mounts.size(); ++i) {
    const auto& target = spec.mounts[i].target;
    auto place = core::placement_of(all, target);
    if (!place)
      return fail(ec::no_data, "container " + original.view.name + " has nothing mounted at " + target,
                  "recreate it with that directory mounted, then repeat");
    auto below = path_below(cmd_.plan.data, cmd_.plan.data.dirs[i]);
    if (!below) return fail(std::move(below.error()));
    out.push_back({std::move(place->path), std::move(*below)});
  }
  if (out.empty())
    return fail(ec::bad_request, "a server without directories has no data to take over", "choose another template");
  return out;
}

// All that can be known before it is stopped.
result<void> command_job::begin_adoption(const docker::container_details& original) {
  if (!env_.state.used_root(cmd_.plan.data.root)) ZEDOPS_TRY(env_.host.check_new_root(cmd_.plan.data.root));
  // Its tag may have been pulled again since it was made: a newer game would convert the data that is taken over.
  const auto& name = cmd_.plan.container.image;
  if (auto image = calls_.image(name); image && image->id != original.image_id)
    return fail(
        ec::bad_request,
        "container " + original.view.name + " runs image " + short_image(original.image_id) + ", but " + name + " is " +
            short_image(image->id) + " now",
        "name the image that it runs (docker tag it, then --tag), or recreate the container on the newer one first");
  return prepare_copy(&original);
}

// Ours counts from here on, and the journal says so: what fails now is reported, not undone.
result<void> command_job::drop_original() {
  report_->step("removing", 94);
  if (auto own = env_.host.finish_copy(copy_request()); !own) note("the copy stays marked: " + own.error().message);
  const auto left = [this](const std::string& why) {
    note("the original container was kept: " + why);
    return result<void>{};
  };
  auto now = calls_.inspect(cmd_.original);
  if (!now && now.error().code == ec::not_found) return {};
  if (!now) return left(now.error().message);
  if (is_alive(now->view.state)) return left("it is running again; stop it before anybody uses it");
  auto gone = calls_.remove(cmd_.original, docker::removal::stopped_only, docker::anonymous_volumes::keep);
  effect("original_removed");
  if (!gone && gone.error().code != ec::not_found) return left(gone.error().message);
  std::string where;
  for (const auto& m : now->mounts) where += (where.empty() ? "" : ", ") + m.source;
  for (const auto& m : now->volumes) where += (where.empty() ? "" : ", ") + m.source;
  note("container " + now->view.name + " was taken over; what it had mounted is still in " + where);
  return {};
}

// The original was removed meanwhile. What was copied from it may be all that is left of its volumes.
result<void> command_job::without_original(const docker::container_details* fresh) {
  const error gone{ec::not_found,
                   "container " + short_id(cmd_.original) + " does not exist any more",
                   "docker ps -a on that host lists its containers",
                   {}};
  if (result_.untouched) return fail(gone);
  if (!fresh) {
    auto kept = drop_copy(host::copy_fate::keep);
    auto e = gone;
    if (kept && !kept->empty()) e.message += "; what was copied of its data is kept in " + *kept;
    return fail(std::move(e));
  }
  ZEDOPS_TRY(check_placed());
  ZEDOPS_TRY(use_copy({nullptr, fresh}, remember_running(nullptr)));
  ZEDOPS_TRY(env_.state.note(cmd_.op, note_switched));
  if (auto own = env_.host.finish_copy(copy_request()); !own) note("the copy stays marked: " + own.error().message);
  note(gone.message);
  return {};
}

std::string command_job::undo_adoption(bool was_running, host::copy_fate fate) {
  calls_.extend(clean_up_time);
  auto back = patiently(clean_up_time, [&] { return give_back(was_running); });
  if (!back) return back.error().message + "; its data is where it was, the copy is left in " + cmd_.plan.data.root;
  auto kept = drop_copy(fate);
  if (!kept) return *back + ", but the copy of its data could not be removed: " + kept.error().message;
  if (!kept->empty()) return *back + "; what the new container wrote is kept in " + *kept;
  result_.untouched = true;
  return *back;
}

// Looks before each step: an earlier attempt may have ended at any point.
result<std::string> command_job::give_back(bool was_running) {
  const auto failed = [](const std::string& what, const error& e) {
    return fail(e.code, what + ": " + e.message, e.hint);
  };
  auto s = look();
  if (!s) return failed("the original could not be restored", s.error());
  for (const auto& c : s->ours)
    if (auto gone = remove_one(c, docker::anonymous_volumes::remove); !gone)
      return failed("the new container could not be removed", gone.error());
  auto now = calls_.inspect(cmd_.original);
  if (!now && now.error().code == ec::not_found) return std::string("the original container is gone");
  if (!now) return failed("the original could not be inspected", now.error());
  if (now->view.name == set_aside_name(cmd_.plan.container.name, cmd_.op)) {
    if (auto r = calls_.rename(cmd_.original, cmd_.plan.container.name); !r)
      return failed("the original could not be renamed back", r.error());
    effect("renamed_back");
  }
  if (!was_running) return std::string("the original container is as it was");
  if (is_alive(now->view.state)) return std::string("the original container runs");
  if (auto r = calls_.start(cmd_.original); !r) return failed("the original is back, but did not start", r.error());
  effect("started_again");
  return std::string("the original container runs again");
}

}  // namespace zedops::agent
