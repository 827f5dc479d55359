// Replace the container: rename the old one, make the new one, prove it, drop the old one; any failure renames back.
//
//   old runs as N -> saved, stopped -> old is N.old-<op> -> new is made as N, started, proved -> old removed
//        \________________________________________________/
//                 any failure: new removed, old is N again, runs again if it ran
#include "actors/agent/jobs/command_job.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

constexpr const char* note_was_running = "was running";
constexpr const char* note_was_stopped = "was stopped";

}  // namespace

// Once it is stopped this cannot be seen any more, so it is noted before; a repetition believes the first note.
bool command_job::remember_running(const docker::container_details* old) {
  if (auto e = env_.state.find(cmd_.op); e && !e->note.empty()) return e->note == note_was_running;
  const bool alive = old && is_alive(old->view.state);
  (void)env_.state.note(cmd_.op, alive ? note_was_running : note_was_stopped);
  return alive;
}

command_job::generations command_job::tell_apart(const sighting& s) const {
  generations g;
  for (const auto& c : s.ours)
    if (value_of(c.view.labels, label::operation) == cmd_.op.value) g.fresh = &c;
  for (const auto& c : s.ours) {
    if (&c == g.fresh) continue;
    // The one we set aside before; else the one that counts.
    if (c.view.name == set_aside_name(cmd_.plan.container.name, cmd_.op) || (!g.old && &c == s.current())) g.old = &c;
  }
  return g;
}

result<void> command_job::replace() {
  ZEDOPS_TRY(step("preparing", 1));
  auto s = look_and_settle();
  if (!s) return fail(std::move(s.error()));
  ZEDOPS_TRY(permit(*s));
  const auto [old, fresh] = tell_apart(*s);
  if (!old && !fresh) return create_and_start();
  if (!fresh) {
    ZEDOPS_TRY(check_data());
    ZEDOPS_TRY(check_ports(cmd_.plan.container.ports, {old->view.id}, old->ports));
    ZEDOPS_TRY(check_permitted());
    ZEDOPS_TRY(make_networks());
    ZEDOPS_TRY(carry_volumes(*old));
    ZEDOPS_TRY(pull(5, 45));
    ZEDOPS_TRY(make_dirs());
  }
  const bool was_running = remember_running(old);
  auto done = swap(old, fresh);
  if (done) return {};
  if (!old) return done;  // nothing to go back to: the new one was proved before and stays
  auto failure = std::move(done.error());
  auto back = put_back(old->view.id, was_running);
  failure.message += "; " + (back ? *back : back.error().message);
  result_.fresh_start = false;
  return fail(std::move(failure));
}

result<void> command_job::swap(const docker::container_details* old, const docker::container_details* fresh) {
  const auto aside = set_aside_name(cmd_.plan.container.name, cmd_.op);
  if (old && is_alive(old->view.state)) ZEDOPS_TRY(stop_gently(*old, 46));
  if (old && old->view.name != aside) {
    ZEDOPS_TRY(step("renaming", 66));
    ZEDOPS_TRY(calls_.rename(old->view.id, aside));
    effect("renamed");
  }
  std::string id;
  if (fresh) {
    id = fresh->view.id;
  } else {
    ZEDOPS_TRY(step("creating", 70));
    auto c = create();
    if (!c) return fail(std::move(c.error()));
    id = c->id;
  }
  if (!fresh || !is_alive(fresh->view.state)) {
    ZEDOPS_TRY(step("starting", 78));
    ZEDOPS_TRY(calls_.start(id));
    effect("started");
  }
  ZEDOPS_TRY(prove(id));
  effect("proved");
  counts_ = id;
  if (!old) return {};
  report_->step("removing", 95);
  // From here on the new one counts: an old one that cannot be removed is reported, and nothing is undone.
  if (auto gone = remove_one(*old, docker::anonymous_volumes::keep); gone) drop_image_of(*old, id);
  else note("the old container " + old->view.name + " could not be removed: " + gone.error().message);
  return {};
}

// A pull that moves a name leaves the former image without any: with its container gone nobody would ever remove it.
// Without a pull it is a person who has moved the name, and may want the image. A container that was not made by a name,
// or by a digest, had none to lose. The Engine refuses what another
// container uses, and whatever it says, the replacement stands.
void command_job::drop_image_of(const docker::container_details& old, const std::string& fresh) {
  const auto& id = old.image_id;  // "sha256:..."
  const auto& name = old.view.image;
  const bool by_id = id.starts_with(name) || id.substr(id.find(':') + 1).starts_with(name);
  if (!pulled_ || id.empty() || by_id || name.find('@') != std::string::npos) return;
  const auto now = calls_.inspect(fresh);
  if (!now || now->image_id.empty() || now->image_id == id) return;
  const auto image = calls_.image(id);
  if (!image || !image->names.empty()) return;
  const auto gone = calls_.remove_image(id);
  config::log_event(gone ? "image.removed" : "image.kept",
                    {{"image", id}, {"was", name}, {"error", gone ? std::string{} : gone.error().message}});
}

// What still fails in the end is reported, and shown as drift.
result<std::string> command_job::put_back(const std::string& old_id, bool was_running) {
  calls_.extend(clean_up_time);
  return patiently(clean_up_time, [&] { return try_put_back(old_id, was_running); });
}

result<std::string> command_job::try_put_back(const std::string& old_id, bool was_running) {
  const auto failed = [](const std::string& what, const error& e) {
    return fail(e.code, what + ": " + e.message, e.hint);
  };
  auto s = look();
  if (!s) return failed("the old container could not be restored", s.error());
  const docker::container_details* old = s->find(old_id);
  for (const auto& c : s->ours)
    if (c.view.id != old_id && value_of(c.view.labels, label::operation) == cmd_.op.value)
      if (auto gone = remove_one(c, docker::anonymous_volumes::remove); !gone)
        return failed("the new container could not be removed", gone.error());
  if (!old) return "the old container is gone";
  if (old->view.name != cmd_.plan.container.name) {
    if (auto r = calls_.rename(old_id, cmd_.plan.container.name); !r)
      return failed("the old container could not be renamed back", r.error());
    effect("renamed_back");
  }
  if (!was_running) return "the old container is back";
  if (auto r = calls_.start(old_id); !r) return failed("the old container is back, but did not start", r.error());
  effect("started_again");
  return "the old container is back and running";
}

}  // namespace zedops::agent
