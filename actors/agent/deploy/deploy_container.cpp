// The phases of container services.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "actors/agent/deploy/deploy_job.hpp"
#include "actors/agent/deploy/service_container.hpp"
#include "actors/agent/engine/labels.hpp"
#include "actors/agent/jobs/command_job.hpp"
#include "integration/archive/pack.hpp"
#include "messages/base/names.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

// Between the switch of visitors and the removal of the container that they left: requests in flight can finish.
constexpr duration drain{2'000};
constexpr size_t note_max = 500;
constexpr const char* dockerfile_by_default = "Dockerfile";
constexpr const char* pulled_image = "image";  // its note says which image, and for which operation

}  // namespace

service_container deploy_job::container_here() {
  return service_container(calls_, *env_.sites, env_.clock, env_.state.manager_id(), &cancel_);
}

result<void> deploy_job::remember_container() {
  auto without = cmd_;
  without.attempt = 0;  // the same for every repetition
  return host::remember_container(env_.sites->root, cmd_.server.value, pack(without));
}

// ---- pulling_source: an image ----
result<void> deploy_job::pull_image() {
  const auto& s = plan_.source;
  const service_id id{cmd_.server.value};
  const auto tag = service_container::image_of(id, plan_, plan_.number);
  const auto known = s.digest.empty() ? noted_image() : s.digest;
  auto there = calls_.image(tag);
  if (there && !known.empty() && there->id == known) return prove_image(there->id, there->architecture);
  if (!there && there.error().code != ec::not_found) return fail(there.error());
  const auto& wanted = s.digest.empty() ? s.image : s.digest;
  const bool by_id = wanted.starts_with("sha256:");
  there = by_id ? calls_.image(wanted) : result<docker::image_info>(fail(ec::not_found, "", ""));
  if (!there && !s.image.starts_with("sha256:")) {
    // Before the pull, so that one that is cut short is known, too.
    if (auto before = calls_.image(s.image); !before && before.error().code == ec::not_found)
      ZEDOPS_TRY(host::note(site_, plan_.number, found_image, std::string(found_by_pull) + s.image));
    auto pulled = calls_.pull(s.image, [this](const docker::pull_state& p) {
      tell(static_cast<uint32_t>(p.fraction * 100),
           p.total_bytes == 0 ? p.status
                              : p.status + " " + format_bytes(p.done_bytes) + " of " + format_bytes(p.total_bytes));
    });
    there = calls_.image(s.image);
    if (!pulled && (pulled.error().code == ec::cancelled || !there)) return fail(pulled.error());
    if (!pulled) write("pull failed, using the image on this host: " + pulled.error().message);
  }
  if (!there)
    return fail(ec::not_found, "the image " + s.image + " is not on this host",
                "docker load it there, or name a repository and a tag");
  if (!s.digest.empty() && there->id != s.digest)
    return fail(ec::no_data,
                s.image + " has changed since it was first deployed, and the earlier image is not on this host",
                "deploy it again to use the new image: zedctl deploy " + plan_.project_name + "/" + plan_.service_name +
                    " --image " + s.image);
  if (there->names.empty() && host::noted(site_, plan_.number, found_image).empty())
    ZEDOPS_TRY(host::note(site_, plan_.number, found_image, std::string(found_nameless)));
  effect("image_pulled");
  ZEDOPS_TRY(host::note(site_, plan_.number, pulled_image, cmd_.op.value + " " + there->id));
  ZEDOPS_TRY(calls_.tag(there->id, service_container::repository(id, plan_), std::to_string(plan_.number)));
  return prove_image(there->id, there->architecture);
}

// The id that an earlier attempt of this operation has found, until the manager has it on record. A tag alone proves
// nothing: it may be of a manager whose store was restored since, and which reuses numbers.
std::string deploy_job::noted_image() const {
  const auto text = host::noted(site_, plan_.number, pulled_image);
  const auto mine = cmd_.op.value + " ";
  return text.starts_with(mine) ? text.substr(mine.size()) : std::string{};
}

result<void> deploy_job::prove_image(const std::string& id, const std::string& architecture) {
  prove("image", id);
  const auto here = env_.engine_is ? env_.engine_is->architecture() : std::string{};
  if (here.empty() || architecture.empty() || architecture == here) return {};
  // Some hosts run others all the same, by an emulator: it is reported, and the start will show.
  write("the image is built for " + architecture + ", this host is " + here);
  result_.note = "the image is built for " + architecture + ", this host is " + here;
  return {};
}

// ---- building ----
result<void> deploy_job::build_image() {
  const service_id id{cmd_.server.value};
  const auto tag = service_container::image_of(id, plan_, plan_.number);
  const auto source = identity_of(plan_.source) + " " + plan_.source.folder + " " + plan_.settings->dockerfile;
  if (auto there = calls_.image(tag); there && value_of(there->labels, label::source) == source) {
    (void)host::drop_unfinished(site_, plan_.number);  // of an attempt that ended before it could do so
    return prove_image(there->id, there->architecture);
  }
  const auto tree = site_.new_tree(plan_.number);
  auto done = unpack_source(tree);
  if (!done) return fail(done.error());
  const auto dockerfile = plan_.settings->dockerfile.empty() ? dockerfile_by_default : plan_.settings->dockerfile;
  if (::access((tree + "/" + dockerfile).c_str(), R_OK) != 0)
    return fail(
        ec::bad_request, "the source has no " + dockerfile,
        "set its path with zedctl service edit --dockerfile, or the build's folder with zedctl deploy --folder");
  auto packed = archive::pack_context(tree, dockerfile, site_.context(plan_.number));
  if (!packed) return fail(packed.error());
  ZEDOPS_TRY(host::drop_tree_on_its_way(site_, plan_.number));
  effect("context_packed");
  docker::build_options o;
  o.context = site_.context(plan_.number);
  o.dockerfile = dockerfile;
  o.tag = tag;
  o.labels = {{label::source, source}, {label::deployment, std::to_string(plan_.number)}};
  // Lines come on the Engine's thread, and this one waits for their end.
  auto image = calls_.build(o, [this](docker::output, std::string_view line) {
    const auto step = steps_of(line);
    if (step) built_ = *step;
    write(line);
    tell(built_, std::string(line.substr(0, 200)));
  });
  (void)host::drop_unfinished(site_, plan_.number);
  if (!image) {
    auto why = image.error();
    if (const auto last = last_lines(); why.code == ec::bad_request && !last.empty())
      why.message += "; its last lines: " + last;
    return fail(std::move(why));
  }
  effect("image_built");
  return prove_image(*image);
}

// "Step 2/5 : RUN make": 40 percent, when that is done; so 20 now.
std::optional<uint32_t> deploy_job::steps_of(std::string_view line) {
  unsigned n = 0, of = 0;
  if (!line.starts_with("Step ") || std::sscanf(std::string(line.substr(0, 40)).c_str(), "Step %u/%u", &n, &of) != 2)
    return std::nullopt;
  return n == 0 || of == 0 || n > of ? std::nullopt : std::optional((n - 1) * 100 / of);
}

// ---- updating_routes ----
result<void> deploy_job::replace_container() {
  const service_id id{cmd_.server.value};
  site_world::hold hold(*env_.sites, id.value);
  auto containers = container_here();
  if (plan_.number == 0) return drop_container(id);
  if (plan_.stop) return rest_stopped(id);
  const bool new_version = !plan_.start && !plan_.going_back && !plan_.is_rollback;
  if (new_version) ZEDOPS_TRY(run_once(plan_.settings->before_start, "the command before the start"));
  // Visitors of a published port get nothing while one container makes room for the other: then the new one must be the
  // one made again after a crash. Else the former one serves until the new one has answered.
  const bool at_once = plan_.settings->route == route_kind::none || plan_.going_back;
  if (at_once) ZEDOPS_TRY(remember_container());
  auto r = containers.ensure(id, plan_);
  while (!r && !cancel_.cancelled() && engine_away(r.error())) r = containers.ensure(id, plan_);
  if (!r) return fail(r.error());
  effect("container_started");
  prove("container", r->id);
  prove("port", std::to_string(r->port));
  tell(50, "waiting for its first answer");
  auto answer = containers.healthy(*r, plan_);
  if (!answer) return fail(answer.error());
  write("answers: " + *answer);
  ZEDOPS_TRY(remember_container());
  effect("container_healthy");
  ZEDOPS_TRY(containers.lead(id, plan_, r->port));
  effect("routed");
  if (plan_.going_back) {
    auto gone = containers.remove_but(id, r->id);
    if (!gone) return fail(gone.error());
  }
  return {};
}

// Back to a version that a user had stopped: its replacement is removed, and nothing is started.
result<void> deploy_job::rest_stopped(const service_id& id) {
  ZEDOPS_TRY(remember_container());
  effect("stop_remembered");
  auto containers = container_here();
  auto port = containers.keep_stopped(id, plan_);
  if (!port) return fail(port.error());
  return containers.lead(id, plan_, *port);
}

result<void> deploy_job::drop_container(const service_id& id) {
  ZEDOPS_TRY(drop_route());
  auto gone = container_here().remove_but(id, {});
  if (!gone) return fail(gone.error());
  return {};
}

// ---- health_check: with visitors on it; then the former one is removed ----
result<void> deploy_job::check_container() {
  const service_id id{cmd_.server.value};
  site_world::hold hold(*env_.sites, id.value);
  auto containers = container_here();
  auto r = containers.ensure(id, plan_);
  while (!r && !cancel_.cancelled() && engine_away(r.error())) r = containers.ensure(id, plan_);
  if (!r) return fail(r.error());
  auto answer = containers.healthy(*r, plan_);
  if (!answer) return fail(answer.error());
  ZEDOPS_TRY(containers.lead(id, plan_, r->port));
  prove("health", *answer);
  prove("container", r->id);
  ZEDOPS_TRY(check_visitors(r->port));
  if (plan_.settings->route != route_kind::none) env_.clock.pause(drain);
  auto gone = containers.remove_but(id, r->id);
  if (!gone) return fail(gone.error());
  effect("former_removed");
  if (!plan_.is_rollback)
    if (auto ok = run_once(plan_.settings->after_switch, "the command after the switch"); !ok)
      result_.note = ok.error().message.substr(0, note_max);  // visitors are on it already
  ZEDOPS_TRY(host::drop_unfinished(site_, plan_.number));
  return prune([this](uint32_t n) { return std::ranges::find(plan_.keep, n) == plan_.keep.end(); });
}

result<void> deploy_job::check_visitors(uint16_t port) {
  if (!plan_.settings || plan_.settings->route != route_kind::caddy) return {};
  auto seen = container_here().visited({cmd_.server.value}, plan_, port);
  if (!seen) return fail(seen.error());
  prove("visitors", *seen);
  return {};
}

// Removes what is here of deployments: images first, and without its image's removal no deployment's files, as they are
// all that tells of it. What could not be removed is tried again at the next deployment.
result<void> deploy_job::prune(const std::function<bool(uint32_t)>& goes) {
  std::vector<uint32_t> kept;
  for (const auto n : host::deployments_of(site_))
    if (!goes(n) || !image_is_gone(n)) kept.push_back(n);
  return host::prune_site(site_, kept);
}

bool deploy_job::image_is_gone(uint32_t number) {
  if (plan_.kind != service_kind::container) return true;
  auto gone = container_here().drop_image({cmd_.server.value}, site_, number);
  if (!gone) write("the image of #" + std::to_string(number) + " is kept for now: " + gone.error().message);
  return gone.has_value();
}

// After this nobody knows their names. One that somebody else's container uses stays, and the note says so.
result<void> deploy_job::drop_images() {
  for (const auto n : host::deployments_of(site_)) {
    auto gone = container_here().drop_image({cmd_.server.value}, site_, n);
    if (!gone && gone.error().code != ec::busy) return gone;
    if (!gone) result_.note = gone.error().message.substr(0, note_max);
  }
  return {};
}

// ---- by a user ----
result<void> deploy_job::stop_container() {
  const service_id id{cmd_.server.value};
  site_world::hold hold(*env_.sites, id.value);
  ZEDOPS_TRY(remember_container());
  effect("stop_remembered");
  return container_here().stop(id);
}

}  // namespace zedops::agent
