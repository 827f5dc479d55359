// Move the data to another root. The original is only read here; it is removed by drop_source, which the manager sends
// once its record names the new root.
//
//   old stopped -> copy made and verified -> copy in place -> old set aside, new made on the copy, proved -> old
//   removed
//        \______________________________________________________________________________________/
//            any failure: new removed, copy removed, old is N again, runs again if it ran
//
// In the journal: whether it ran, then that it switched. From there on nothing is rolled back.
#include <fmt/format.h>

#include "actors/agent/jobs/command_job.hpp"
#include "actors/agent/observe/data_layouts.hpp"
#include "messages/base/names.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

// A game that stops may clear caches and logs. Losing most of its data means that a mount went with its container.
bool shrank(const std::optional<host::copy_size>& before, const host::copy_size& now) {
  return before && now.bytes < before->bytes / 2 && now.entries <= before->entries / 2;
}

}  // namespace

host::copy_request command_job::copy_request() const {
  const auto owner = env_.state.id().value;
  return {{cmd_.source.root, owner}, {cmd_.plan.data.root, owner}, cmd_.plan.data.name, cmd_.op.value, parts_};
}

result<void> command_job::move() {
  const auto known = env_.state.find(cmd_.op);
  const bool begun = known && !known->note.empty();
  auto done = step("preparing", 1);
  if (!done && !begun) return done;
  if (cmd_.source.root.empty() || cmd_.source.root == cmd_.plan.data.root)
    return fail(ec::bad_request, "a move without two different data roots", "this is a defect of the manager");
  if (!done) calls_.extend(clean_up_time);  // cancelled, but begun by an earlier attempt: that is rolled back
  auto s = look_and_settle();
  if (!s) return fail(std::move(s.error()));
  ZEDOPS_TRY(permit(*s));
  const auto g = tell_apart(*s);
  if (begun && known->note == note_switched) return switch_over(g);
  if (done) done = g.fresh ? check_placed() : begin_move(g.old);
  if (!done && !begun) return done;  // nothing was touched
  const bool was_running = remember_running(g.old);
  if (done && !g.fresh) done = stop_and_copy(g.old);
  if (done) done = use_copy(g, was_running);
  if (done) done = step("switching", 92);  // the last moment at which this can be rolled back
  if (done && g.old) done = check_untouched(*g.old);
  if (done) done = env_.state.note(cmd_.op, note_switched);
  if (done) {
    effect("switched");
    return switch_over(g);
  }
  // What ran on the copy before we were interrupted may have written what the original has not.
  const bool has_lived = g.fresh && g.fresh->view.state != container_state::created;
  auto failure = std::move(done.error());
  failure.message += "; " + undo_move(g.old, was_running, has_lived ? host::copy_fate::keep : host::copy_fate::remove);
  return fail(std::move(failure));
}

// Its container was made by this operation already, so the copy must be in place.
result<void> command_job::check_placed() {
  auto stage = env_.host.look_at_copy(copy_request());
  if (!stage) return fail(std::move(stage.error()));
  if (*stage == host::copy_stage::placed) return {};
  return fail(ec::data_unknown, "the copy in " + cmd_.plan.data.root + " does not exist any more",
              "check that disk, then repeat");
}

// All that can be known before the server is stopped.
result<void> command_job::begin_move(const docker::container_details* old) {
  auto source = check_request_of(cmd_.source, env_.state.id(), host::sizing::skip);
  if (!source) return fail(std::move(source.error()));
  const auto there = env_.host.check(*source);
  if (there.state == data_state::unknown)
    return fail(ec::data_unknown, "the data of this server cannot be seen: " + there.error,
                "check that the disk is mounted and readable; nothing is moved until the data is known");
  ZEDOPS_TRY(env_.host.check_new_root(cmd_.plan.data.root));
  return prepare_copy(old);
}

result<void> command_job::prepare_copy(const docker::container_details* old) {
  const auto request = copy_request();
  if (old) {
    ZEDOPS_TRY(check_ports(cmd_.plan.container.ports, {old->view.id}, old->ports));
    ZEDOPS_TRY(check_permitted());
  }
  if (!env_.state.used_root(request.to.data_path)) {
    ZEDOPS_TRY(env_.host.prepare_root(request.to));
    ZEDOPS_TRY(env_.state.remember_root(request.to.data_path));
  }
  drop_left_copies();
  auto stage = env_.host.look_at_copy(request);
  if (!stage) return fail(std::move(stage.error()));
  if (*stage != host::copy_stage::none) ZEDOPS_TRY(env_.host.drop_copy(request, host::copy_fate::remove));
  auto size = env_.host.check_copy(request);
  if (!size) return fail(std::move(size.error()));
  if (old && is_alive(old->view.state)) size_before_stop_ = *size;
  if (!old) return {};
  ZEDOPS_TRY(make_networks());
  if (cmd_.kind == command_kind::move) ZEDOPS_TRY(carry_volumes(*old));
  return pull(2, 10);
}

result<void> command_job::stop_and_copy(const docker::container_details* old) {
  if (old && is_alive(old->view.state)) {
    ZEDOPS_TRY(stop_gently(*old, 11));
    effect("stopped");
  }
  ZEDOPS_TRY(step("copying", 15));
  const auto request = copy_request();
  auto size = env_.host.check_copy(request);  // now that nothing writes any more
  if (!size) return fail(std::move(size.error()));
  if (shrank(size_before_stop_, *size))
    return fail(ec::data_unknown,
                fmt::format("{} in {} files and folders were there before the server was stopped, {} in {} are now",
                            format_bytes(size_before_stop_->bytes), size_before_stop_->entries,
                            format_bytes(size->bytes), size->entries),
                "something that was mounted there disappeared with the container: mount it on the host itself first");
  const auto all = std::max<uint64_t>(size->bytes, 1);
  auto phase = host::copy_phase::copying;
  auto copied = env_.host.copy_tree(request, [&](host::copy_phase p, uint64_t bytes) {
    if (cancel_.cancelled() || calls_.left() == duration{0}) return false;
    if (p != phase) report_->step("verifying", 50);
    phase = p;
    const bool copying = p == host::copy_phase::copying;
    const auto percent = (copying ? 15 : 50) + static_cast<uint32_t>(30.0 * static_cast<double>(std::min(bytes, all)) /
                                                                     static_cast<double>(all));
    report_->within(copying ? "copying" : "verifying", percent,
                    fmt::format("{} of {}", format_bytes(bytes), format_bytes(size->bytes)));
    return true;
  });
  if (!copied) {
    ZEDOPS_TRY(step("verifying", 50));  // for its error, when it was cancelled or the time is over
    return fail(std::move(copied.error()));
  }
  effect("copied");
  ZEDOPS_TRY(step("switching", 80));
  ZEDOPS_TRY(env_.host.place_copy(request));
  effect("placed");
  note(fmt::format("{} in {} files and folders copied and verified", format_bytes(copied->bytes), copied->entries));
  return make_dirs();
}

// It was stopped before its data was copied: whatever has run in it since then is not in the copy.
result<void> command_job::check_untouched(const docker::container_details& old) {
  auto now = calls_.inspect(old.view.id);
  if (!now && now.error().code == ec::not_found) return {};
  if (!now) return fail(std::move(now.error()));
  if (is_alive(now->view.state) || now->view.started_at != old.view.started_at)
    return fail(ec::wrong_state, "the old container was started meanwhile: the copy lacks what it has written since",
                "find out who started it, then repeat");
  return {};
}

// Makes the container anew, on the copy. A server without a container has its data moved and nothing else.
result<void> command_job::use_copy(const generations& g, bool was_running) {
  if (!g.old && !g.fresh) return {};
  if (g.old) ZEDOPS_TRY(check_untouched(*g.old));
  const auto aside = set_aside_name(cmd_.plan.container.name, cmd_.op);
  // One that is adopted keeps its own name, unless ours needs it.
  const bool in_the_way = cmd_.kind != command_kind::adopt || (g.old && g.old->view.name == cmd_.plan.container.name);
  if (g.old && g.old->view.name != aside && in_the_way) {
    ZEDOPS_TRY(step("renaming", 82));
    ZEDOPS_TRY(calls_.rename(g.old->view.id, aside));
    effect("renamed");
  }
  std::string id = g.fresh ? g.fresh->view.id : std::string{};
  if (!g.fresh) {
    ZEDOPS_TRY(step("creating", 84));
    auto c = create();
    if (!c) return fail(std::move(c.error()));
    id = c->id;
  }
  if (!was_running) return {};
  if (!g.fresh || !is_alive(g.fresh->view.state)) {
    ZEDOPS_TRY(step("starting", 86));
    ZEDOPS_TRY(calls_.start(id));
    effect("started");
  }
  ZEDOPS_TRY(prove(id));
  effect("proved");
  return {};
}

// The copy is what counts from here on, and the journal says so: what fails now is reported, not undone.
result<void> command_job::switch_over(const generations& g) {
  result_.data_root = cmd_.plan.data.root;
  const auto* old = g.old;
  if (auto s = look())
    for (const auto& c : s->ours)
      if (value_of(c.view.labels, label::operation) == cmd_.op.value) counts_ = c.view.id;
  // Only what this operation set aside: a server that was missing had nothing to replace.
  if (!old) return {};
  auto now = calls_.inspect(old->view.id);  // it was seen before it was renamed
  if (!now) {
    if (now.error().code != ec::not_found)
      note("the old container " + old->view.name + " could not be inspected: " + now.error().message);
    return {};
  }
  if (now->view.name != set_aside_name(cmd_.plan.container.name, cmd_.op)) return {};
  report_->step("removing", 94);
  // Never one that runs: what it writes would go with the old tree.
  auto gone = calls_.remove(old->view.id, docker::removal::stopped_only, docker::anonymous_volumes::keep);
  effect("removed");
  if (!gone) note("the old container " + now->view.name + " could not be removed: " + gone.error().message);
  return {};
}

std::string command_job::undo_move(const docker::container_details* old, bool was_running, host::copy_fate fate) {
  std::string said;
  if (old) {
    auto back = put_back(old->view.id, was_running);
    if (!back) return back.error().message + "; the data is where it was, its copy is left in " + cmd_.plan.data.root;
    said = *back + "; ";
  }
  auto kept = drop_copy(fate);
  if (!kept) return said + "the data is where it was, but its copy could not be removed: " + kept.error().message;
  if (!kept->empty()) return said + "the data is where it was; what the new container wrote is kept in " + *kept;
  return said + "the data is where it was";
}

result<std::string> command_job::drop_copy(host::copy_fate fate) {
  auto kept = env_.host.drop_copy(copy_request(), fate);
  effect("copy_dropped");
  if (kept) env_.state.forget_copy(cmd_.op);
  return kept;
}

// What earlier operations have copied for this server and could not take back. Never one that was put into place, which
// may be in use, nor one that was kept on purpose: the journal forgets those.
void command_job::drop_left_copies() {
  const auto owner = env_.state.id().value;
  for (const auto& earlier : env_.state.left_copies(cmd_.plan.data.name)) {
    if (earlier.op == cmd_.op) continue;
    const auto& data = earlier.plan.data;
    const host::copy_request left{{earlier.source.root, owner}, {data.root, owner}, data.name, earlier.op.value};
    if (auto stage = env_.host.look_at_copy(left); !stage || *stage != host::copy_stage::partial) continue;
    if (auto gone = env_.host.drop_copy(left, host::copy_fate::remove); gone) env_.state.forget_copy(earlier.op);
    else note("an unfinished copy in " + data.root + " could not be removed: " + gone.error().message);
  }
}

result<void> command_job::drop_source() {
  ZEDOPS_TRY(step("cleaning", 95));
  auto s = look();
  if (!s) return fail(std::move(s.error()));
  for (const auto& c : s->ours)
    if (is_set_aside(c.view.name) && is_alive(c.view.state))
      return fail(ec::wrong_state, "container " + c.view.name + " runs on the data that was moved",
                  "the old tree was kept: check what that container wrote, then remove the container and the tree");
  const auto request = copy_request();
  auto check = check_request_of(cmd_.plan.data, env_.state.id(), host::sizing::skip);
  if (!check) return fail(std::move(check.error()));
  auto original = check_request_of(cmd_.source, env_.state.id(), host::sizing::skip);
  if (!original) return fail(std::move(original.error()));
  // The last look before the original is removed: its copy has to be there.
  const auto copy = env_.host.check(*check);
  const bool empty_copy = copy.state == data_state::empty && env_.host.check(*original).state != data_state::present;
  if (copy.state != data_state::present && !empty_copy)
    return fail(ec::data_unknown, "the data in " + cmd_.plan.data.root + " cannot be seen: " + copy.error,
                "the old tree was kept: check the disk first");
  ZEDOPS_TRY(env_.host.finish_copy(request));
  // Its backups are in the copy, proved like the rest.
  auto removed = env_.host.remove_tree({request.from, request.name, cmd_.op.value, host::backups_fate::remove});
  effect("source_removed");
  if (!removed) return fail(std::move(removed.error()));
  result_.bytes_removed = removed->bytes;
  note(fmt::format("the data is in {}/{}; {} removed from {}", request.to.data_path, request.name,
                   format_bytes(removed->bytes), request.from.data_path));
  return {};
}

}  // namespace zedops::agent
