#include "actors/agent/deploy/deploy_job.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

#include "actors/agent/deploy/service_container.hpp"
#include "actors/agent/engine/labels.hpp"
#include "actors/agent/jobs/command_job.hpp"
#include "integration/archive/unpack.hpp"
#include "integration/host/files.hpp"
#include "messages/base/names.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::agent {

using namespace msg;
using host::unique_fd;

namespace {

constexpr duration phase_time_min{60'000}, pace_after{2'000};
constexpr duration health_timeout{10'000}, health_start{40'000}, health_pause_min{200}, health_pause_max{1'000},
    engine_pause{500};
constexpr size_t lines_kept_max = 20, log_line_max = 4096;
constexpr unsigned engine_returns_max = 5;
constexpr unsigned refusals_max = 3;  // refusals by a server that answers: it will not change its mind later

// As the Engine stamps the lines of a container: with nine digits.
std::string stamp_of(time_point t) {
  auto out = to_rfc3339(t);
  out.pop_back();
  const auto dot = out.find('.');
  const auto digits = dot == out.npos ? 0 : out.size() - dot - 1;
  if (dot == out.npos) out += '.';
  return out + std::string(9 - std::min<size_t>(digits, 9), '0') + "Z";
}

uint32_t percent_of(uint64_t part, uint64_t whole) {
  return whole == 0 ? 100 : static_cast<uint32_t>(std::min<uint64_t>(part, whole) * 100 / whole);
}

}  // namespace

deploy_job::deploy_job(step_env& env, run_command command, std::shared_ptr<reporter> report, cancel_token& cancel)
    : env_(env),
      cmd_(std::move(command)),
      plan_(cmd_.deploy ? *cmd_.deploy : deploy_plan{}),
      report_(std::move(report)),
      cancel_(cancel),
      calls_(env.engine, env.clock, env.clock.steady() + std::max(cmd_.time_max, phase_time_min), cancel),
      site_{env.sites ? env.sites->root : std::string{}, plan_.project_name, plan_.service_name} {
  result_.op = cmd_.op;
  result_.attempt = cmd_.attempt;
  result_.server = cmd_.server;
  result_.term = cmd_.term;
}

command_result deploy_job::execute() {
  try {
    auto ok = dispatch();
    for (unsigned n = 0; !ok && n < engine_returns_max && cut_by_engine(ok.error()); ++n) ok = dispatch();
    if (!ok) result_.failure = std::move(ok.error());
    if (result_.failure && !plan_.remove) write("failed: " + result_.failure->message);
    if (result_.failure) result_.failure->message = without_values(std::move(result_.failure->message), plan_);
    result_.note = without_values(std::move(result_.note), plan_);
  } catch (const std::exception& problem) {
    result_.failure = error{ec::internal, std::string("the agent failed: ") + problem.what(),
                            "this is a defect: report it with the agent's log", cmd_.op.value};
  }
  if (result_.failure) result_.failure->operation = cmd_.op.value;
  result_.after.server = cmd_.server;
  result_.calls = calls_.taken();
  return std::move(result_);
}

result<void> deploy_job::dispatch() {
  if (!env_.sites)
    return fail(ec::wrong_state, "this agent serves no static services", "set data_path or sites_path in its settings");
  if (!cmd_.deploy || cmd_.server.empty() || plan_.project.empty())
    return fail(ec::bad_request, "the phase arrived without its plan", "this is a defect of the manager");
  // They become folders here: what the manager has checked is checked again where it counts.
  for (const auto& name : {plan_.project_name, plan_.service_name})
    if (auto ok = check_site_name(name); !ok) return ok;
  const bool container = plan_.kind == service_kind::container;
  if (container && !plan_.settings)
    return fail(ec::bad_request, "the container arrived without its settings", "this is a defect of the manager");
  if (plan_.remove) return remove_service();
  if (plan_.stop && !plan_.going_back) return stop_container();
  if (plan_.start) return replace_container();
  tell(0, {});
  write(std::string(name_of(plan_.phase)) + (plan_.going_back ? " back to" : "") + " #" + std::to_string(plan_.number));
  switch (plan_.phase) {
    case deploy_phase::pulling_source: return pull_source();
    case deploy_phase::copying_files: return copy_files();
    case deploy_phase::creating_symlinks: return plan_.going_back ? switch_back() : switch_links();
    case deploy_phase::updating_routes: return container ? replace_container() : update_routes();
    case deploy_phase::health_check: return container ? check_container() : check_health();
    case deploy_phase::building:
      if (container) return build_image();
      if (builds()) return build_site();
      break;
    case deploy_phase::queued:
    case deploy_phase::active:
    case deploy_phase::failed: break;
  }
  return fail(ec::bad_request, "this agent has nothing to do in phase " + std::string(name_of(plan_.phase)),
              "update the agent");
}

// The log is for people: a line that cannot be written is dropped.
void deploy_job::write(std::string_view line) {
  lines_.emplace_back(line.substr(0, log_line_max));
  if (lines_.size() > lines_kept_max) lines_.pop_front();
  if (plan_.number == 0) return;
  unique_fd fd(::open(site_.log(plan_.number).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) != 0 || static_cast<uint64_t>(st.st_size) > host::log_bytes_max) return;
  const auto text = stamp_of(env_.clock.wall()) + " " + lines_.back() + "\n";
  (void)!::write(fd.get(), text.data(), text.size());
}

std::string deploy_job::last_lines() const {
  std::string out;
  for (const auto& line : lines_) out += (out.empty() ? "" : "\n") + line;
  return out;
}

void deploy_job::tell(uint32_t percent, std::string note) {
  report_->step(step_of(plan_), percent, without_values(std::move(note), plan_));
}

// With the time that is left, as soon as the pace is known.
void deploy_job::tell_bytes(uint64_t part, uint64_t whole, std::string what) {
  const auto now = env_.clock.steady();
  if (first_.at == std::chrono::steady_clock::time_point{} || part < first_.part) first_ = {now, part};
  const auto took = std::chrono::duration_cast<duration>(now - first_.at);
  if (took >= pace_after && part > first_.part && whole > part) {
    const auto left =
        static_cast<double>(took.count()) * static_cast<double>(whole - part) / static_cast<double>(part - first_.part);
    what +=
        ", " + format_duration(std::chrono::ceil<std::chrono::seconds>(duration(static_cast<int64_t>(left)))) + " left";
  }
  tell(percent_of(part, whole), std::move(what));
}

void deploy_job::prove_tree(const host::site_stamp& stamp) {
  prove("files", std::to_string(stamp.files));
  prove("bytes", std::to_string(stamp.bytes));
  prove("tree", stamp.tree_hash);
}

// ---- copying_files ----
result<void> deploy_job::copy_files() {
  ZEDOPS_TRY(host::prepare_site(site_));
  ZEDOPS_TRY(host::prune_site(site_, plan_.keep));
  effect("pruned");
  // A manager whose store was restored reuses numbers: a number alone proves nothing.
  const auto before = host::stamp_of(site_, plan_.number);
  if (!before || before->source != identity_of(plan_.source))
    if (auto ok = unpack_archive(); !ok) {
      (void)host::drop_unfinished(site_, plan_.number);
      return ok;
    }
  const auto stamp = host::stamp_of(site_, plan_.number);
  if (!stamp)
    return fail(ec::internal, "the files of #" + std::to_string(plan_.number) + " are missing", "deploy again");
  (void)host::drop_unfinished(site_, plan_.number);  // its archive has served its purpose
  prove_tree(*stamp);
  return {};
}

result<archive::unpacked> deploy_job::unpack_source(const std::string& tree) {
  const bool built = builds() && is_built();
  const auto file = built ? site_.output(plan_.number) : site_.archive(plan_.number);
  if (::access(file.c_str(), F_OK) != 0) ZEDOPS_TRY(fetch_archive());  // removed since: the manager still has it
  ZEDOPS_TRY(host::drop_tree_on_its_way(site_, plan_.number));
  turns::turn turn(env_.sites->unpacking, cancel_);
  if (!turn) return fail(ec::cancelled, "cancelled before the files were unpacked");
  return archive::unpack(
      file, tree, {},
      [&](const archive::unpacked& so_far, uint64_t read) {
        turn.give_way();
        tell_bytes(read, std::max(plan_.source.bytes, read + 1),
                   std::to_string(so_far.files) + " files, " + format_bytes(so_far.bytes));
        return !cancel_.cancelled();
      },
      built ? std::string{} : plan_.source.folder);
}

result<void> deploy_job::unpack_archive() {
  if (builds() && !is_built()) ZEDOPS_TRY(build_site());  // lost since it was built
  auto done = unpack_source(site_.new_tree(plan_.number));
  if (!done) return fail(done.error());
  effect("unpacked");
  return host::place_tree(site_, plan_.number, {identity_of(plan_.source), done->tree_hash, done->files, done->bytes});
}

// ---- creating_symlinks ----
result<void> deploy_job::switch_links() {
  if (cancel_.cancelled()) return fail(ec::cancelled, "cancelled before the switch");
  std::lock_guard guard(env_.sites->links);
  auto done = host::switch_site(site_, {cmd_.server.value}, plan_.number, plan_.going_back, identity_of(plan_.source));
  if (!done) return fail(done.error());
  effect("switched");
  if (!done->previous.empty()) prove("previous", done->previous);
  for (const auto& text : done->repairs) result_.note += (result_.note.empty() ? "" : "; ") + text;
  return {};
}

// The former one serves again, by its own names: the one that failed may have had others.
result<void> deploy_job::switch_back() {
  ZEDOPS_TRY(switch_links());
  return set_site_route();
}

// ---- updating_routes ----
result<void> deploy_job::update_routes() {
  site_world::hold hold(*env_.sites, plan_.project.value);
  auto server = project_server_here();
  auto ok = server.ensure(project());
  while (!ok && !cancel_.cancelled() && engine_away(ok.error())) ok = server.ensure(project());
  if (!ok) return fail(ok.error());
  effect("server_started");
  prove("container", ok->id);
  return set_site_route();
}

// Routes the names that visitors use for a static service, if it has any. Remembered, to be kept like other routes.
result<void> deploy_job::set_site_route() {
  const service_id id{cmd_.server.value};
  site_world::hold hold(*env_.sites, id.value);
  const bool has_one = plan_.number != 0 && plan_.settings && plan_.settings->route == route_kind::caddy;
  if (!has_one) return drop_route();
  ZEDOPS_TRY(remember_container());
  ZEDOPS_TRY(container_here().lead(id, plan_, plan_.port));
  effect("routed");
  return {};
}

// The present settings do not tell: they may have changed since the route was made.
bool deploy_job::led_by_caddy() const {
  const auto c = unpack<run_command>(host::remembered_container(env_.sites->root, cmd_.server.value));
  return c && c->deploy && c->deploy->settings && c->deploy->settings->route == route_kind::caddy;
}

// Forgotten only when the route is gone: nobody would look for it afterwards.
result<void> deploy_job::drop_route() {
  if (env_.sites->routes) {
    auto gone = env_.sites->routes->remove(cmd_.server.value);
    if (!gone && led_by_caddy()) return fail(gone.error());
  }
  return host::forget_container(env_.sites->root, cmd_.server.value);
}

project_server deploy_job::project_server_here() {
  return project_server(calls_, *env_.sites, env_.clock, env_.state.manager_id(), &cancel_);
}

// An Engine that does not answer at all is expected back: nothing is concluded from its silence, and the manager
// decides whether it takes too long. True: it was away, and a moment has passed.
bool deploy_job::engine_away(const error& why) {
  if (calls_.list({{label::project, plan_.project.value}})) {
    engine_gone_.reset();
    return false;
  }
  const auto now = env_.clock.steady();
  if (!engine_gone_) engine_gone_ = now;
  // A text that changes counts as progress: the phase is not given up while the Engine is on its way back.
  const auto gone = std::chrono::floor<std::chrono::minutes>(now - *engine_gone_);
  tell(0, "waiting for the Engine" + (gone.count() > 0 ? ", " + format_duration(gone) : std::string{}) + ": " +
              why.message);
  env_.clock.pause(engine_pause);
  return true;
}

// An Engine that is restarted ends pulls, builds and containers, which looks as if they had ended by themselves.
// Once it is back the phase is done again, as after the end of this agent.
bool deploy_job::cut_by_engine(const error& why) {
  if (calls_.unanswered() == unanswered_) return false;
  while (!cancel_.cancelled() && engine_away(why)) continue;
  unanswered_ = calls_.unanswered();
  if (cancel_.cancelled()) return false;
  calls_.extend(std::max(cmd_.time_max, phase_time_min));
  write("the Engine was away; trying again: " + why.message);
  return true;
}

// ---- health_check ----
result<void> deploy_job::check_health() {
  const auto path = "/" + plan_.service_name + (plan_.health_path.empty() ? "/" : plan_.health_path);
  auto until = env_.clock.steady() + health_start;
  unsigned attempts = 0, refusals = 0;
  for (auto pause = health_pause_min;; pause = std::min(pause * 2, health_pause_max)) {
    if (cancel_.cancelled()) return fail(ec::cancelled, "cancelled while it was being checked");
    ++attempts;
    auto status = env_.sites->look(plan_.port, path, health_timeout);
    const auto answer = status ? "HTTP " + std::to_string(*status) : status.error().message;
    if (status && *status >= 200 && *status < 400) {
      prove("health", answer);
      prove("health_attempts", std::to_string(attempts));
      return check_visitors(plan_.port);
    }
    if (status && *status >= 400) ++refusals;
    if (!status && engine_away(status.error())) until = env_.clock.steady() + health_start;
    if (refusals >= refusals_max || env_.clock.steady() >= until)
      return fail(ec::bad_request,
                  "it does not answer as expected: " + answer + " for " + path + " after " + std::to_string(attempts) +
                      " attempts",
                  status && *status == 403
                      ? "is there an index.html at the top of what was deployed? If not, give the service a health path"
                      : "set another path to check: zedctl service edit --health-path");
    tell(percent_of(attempts, attempts + refusals_max), answer);
    env_.clock.pause(pause);
  }
}

// ---- the service is removed ----
result<void> deploy_job::remove_service() {
  tell(0, {});
  if (plan_.kind == service_kind::container) {
    const service_id id{cmd_.server.value};
    site_world::hold hold(*env_.sites, id.value);
    ZEDOPS_TRY(drop_container(id));
    ZEDOPS_TRY(drop_images());
  } else {
    site_world::hold hold(*env_.sites, cmd_.server.value);
    ZEDOPS_TRY(drop_route());
  }
  {
    std::lock_guard guard(env_.sites->links);
    ZEDOPS_TRY(host::remove_site(site_));
  }
  effect("site_removed");
  if (auto ok = host::drop_cache(env_.sites->root, cmd_.server.value); !ok) result_.note = ok.error().message;
  return drop_project_server();
}

// With the last service of its project here. Only the disk shows which one that is: since the manager sent this,
// another one may have come or gone.
result<void> deploy_job::drop_project_server() {
  site_world::hold hold(*env_.sites, plan_.project.value);
  const auto others = host::sites_below(env_.sites->root);
  const auto lives = [&](const auto& s) { return s.project == plan_.project_name && !host::is_left(s); };
  if (std::ranges::any_of(others, lives)) return {};
  ZEDOPS_TRY(host::forget_project(env_.sites->root, plan_.project_name));  // first: else its server could be made again
  return project_server_here().remove(plan_.project);
}

}  // namespace zedops::agent
