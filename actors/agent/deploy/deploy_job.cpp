#include "actors/agent/deploy/deploy_job.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <exception>

#include "actors/agent/engine/labels.hpp"
#include "actors/agent/jobs/command_job.hpp"
#include "integration/archive/unpack.hpp"
#include "integration/host/files.hpp"
#include "integration/host/git.hpp"
#include "messages/base/names.hpp"
#include "messages/base/sha256.hpp"

namespace zedops::agent {

using namespace msg;
using host::unique_fd;

namespace {

constexpr duration phase_time_min{60'000}, pace_after{2'000};
constexpr duration health_timeout{10'000}, health_start{40'000}, health_pause_min{200}, health_pause_max{1'000},
    engine_pause{500};
constexpr size_t lines_kept_max = 20, log_line_max = 4096;
constexpr unsigned refusals_max = 3;  // answers of a server that says no: it will not say yes later

error disk(const std::string& what, int problem) {
  const bool full = problem == ENOSPC || problem == EDQUOT;
  return {full ? ec::store_full : ec::internal,
          what + ": " + host::errno_text(problem),
          full ? "free some space on that disk, then deploy again" : "check that disk",
          {}};
}

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
    if (auto ok = dispatch(); !ok) result_.failure = std::move(ok.error());
    if (result_.failure && !plan_.remove) write("failed: " + result_.failure->message);
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
    return fail(ec::bad_request, "the phase came without its plan", "this is a defect of the manager");
  // They are folders here: what the manager has checked is checked where it counts.
  for (const auto& name : {plan_.project_name, plan_.service_name})
    if (auto ok = check_site_name(name); !ok) return ok;
  const bool container = plan_.kind == service_kind::container;
  if (container && !plan_.settings)
    return fail(ec::bad_request, "the container came without its settings", "this is a defect of the manager");
  if (plan_.remove) return remove_service();
  if (plan_.stop) return stop_container();
  if (plan_.start) return replace_container();
  tell(0, {});
  write(std::string(name_of(plan_.phase)) + (plan_.going_back ? ", back" : "") + " #" + std::to_string(plan_.number));
  switch (plan_.phase) {
    case deploy_phase::pulling_source: return pull_source();
    case deploy_phase::copying_files: return copy_files();
    case deploy_phase::creating_symlinks: return switch_links();
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

// It is for people: what cannot be written is left out.
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
  report_->step(std::string(plan_.remove ? "removing" : name_of(plan_.phase)), percent, std::move(note));
}

// With the time that is left, as soon as there is a pace to tell it by.
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

// ---- pulling_source ----
result<void> deploy_job::pull_source() {
  ZEDOPS_TRY(host::prepare_site(site_));
  if (plan_.source.kind == source_kind::image) return pull_image();
  const auto stamp = host::stamp_of(site_, plan_.number);
  const bool have_tree = stamp && !identity_of(plan_.source).empty() && stamp->source == identity_of(plan_.source);
  if (plan_.source.kind == source_kind::git) return have_tree ? prove_commit(stamp->source) : fetch_repository();
  if (!have_tree && ::access(site_.archive(plan_.number).c_str(), F_OK) != 0) {
    if (auto ok = fetch_archive(); !ok) {
      if (ok.error().code == ec::cancelled) (void)host::drop_unfinished(site_, plan_.number);
      return ok;
    }
  }
  prove("sha256", plan_.source.sha256);
  prove("archive_bytes", std::to_string(plan_.source.bytes));
  return {};
}

result<void> deploy_job::prove_commit(const std::string& commit) {
  prove("commit", commit);
  return {};
}

// The commit that is recorded, if this is a repetition. Its files become an archive like any other.
result<void> deploy_job::fetch_repository() {
  const auto& s = plan_.source;
  if (::access(site_.archive(plan_.number).c_str(), F_OK) == 0 && !s.commit.empty()) return prove_commit(s.commit);
  host::git_request r;
  r.url = s.url;
  r.revision = s.commit.empty() ? s.revision : s.commit;
  r.folder = site_.repository(plan_.number);
  r.archive = site_.archive(plan_.number) + ".part";
  r.ssh_key = env_.sites->git_ssh_key;
  r.credentials = env_.sites->git_credentials;
  r.cancelled = [this] { return cancel_.cancelled(); };
  r.progress = [this](uint32_t percent, std::string_view line) {
    write(line);
    tell(percent, std::string(line.substr(0, 200)));
  };
  auto commit = host::fetch_commit(r);
  if (!commit) {
    (void)host::drop_unfinished(site_, plan_.number);
    return fail(commit.error());
  }
  effect("repository_fetched");
  if (::rename(r.archive.c_str(), site_.archive(plan_.number).c_str()) != 0) return fail(disk(r.archive, errno));
  return prove_commit(*commit);
}

result<void> deploy_job::fetch_archive() {
  if (plan_.source.kind == source_kind::git) return fetch_repository();
  const auto part = site_.archive(plan_.number) + ".part";
  for (const bool again : {false, true}) {
    auto whole = fetch_rest(part);
    if (!whole) return fail(whole.error());
    if (*whole) break;
    // What an earlier life of this host wrote may have been lost with its power: from the beginning, once.
    ::unlink(part.c_str());
    if (again)
      return fail(ec::bad_request, "the source that arrived here is not the one that was uploaded: its hash differs",
                  "deploy again; if it happens again, check that disk");
  }
  effect("archive_fetched");
  if (::rename(part.c_str(), site_.archive(plan_.number).c_str()) != 0) return fail(disk(part, errno));
  return {};
}

// Goes on where it ended. Says whether the hash of all of it is right.
result<bool> deploy_job::fetch_rest(const std::string& part) {
  unique_fd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail(disk(part, errno));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail(disk(part, errno));
  auto have = static_cast<uint64_t>(st.st_size);
  if (have > plan_.source.bytes) {
    if (::ftruncate(fd.get(), 0) != 0) return fail(disk(part, errno));
    have = 0;
  }
  const bool resumed = have > 0;
  sha256 hash;  // of what comes now
  const auto take = [&](std::string_view piece) -> result<void> {
    for (size_t n = 0; n < piece.size();) {
      const auto w = ::write(fd.get(), piece.data() + n, piece.size() - n);
      if (w < 0) return fail(disk(part, errno));
      n += static_cast<size_t>(w);
    }
    // The disk begins now, not at the end; what fails of it is told by fsync.
    (void)::sync_file_range(fd.get(), static_cast<off_t>(have), static_cast<off_t>(piece.size()),
                            SYNC_FILE_RANGE_WRITE);
    hash.add(piece);
    have += piece.size();
    tell_bytes(have, plan_.source.bytes, format_bytes(have) + " of " + format_bytes(plan_.source.bytes));
    return {};
  };
  ZEDOPS_TRY(env_.sites->uploads.read(plan_.source.upload, have, plan_.source.bytes, cancel_, take));
  if (::fsync(fd.get()) != 0) return fail(disk(part, errno));
  if (!resumed) return hash.hex() == plan_.source.sha256;
  auto whole = sha256_of_file(part);
  if (!whole) return fail(whole.error());
  return *whole == plan_.source.sha256;
}

// ---- copying_files ----
result<void> deploy_job::copy_files() {
  ZEDOPS_TRY(host::prepare_site(site_));
  ZEDOPS_TRY(host::prune_site(site_, plan_.keep));
  effect("pruned");
  // A manager whose store was put back counts anew: a number alone says nothing.
  const auto before = host::stamp_of(site_, plan_.number);
  if (!before || before->source != identity_of(plan_.source))
    if (auto ok = unpack_archive(); !ok) {
      (void)host::drop_unfinished(site_, plan_.number);
      return ok;
    }
  const auto stamp = host::stamp_of(site_, plan_.number);
  if (!stamp)
    return fail(ec::internal, "the files of #" + std::to_string(plan_.number) + " are not there", "deploy again");
  (void)host::drop_unfinished(site_, plan_.number);  // its archive has served its purpose
  prove_tree(*stamp);
  return {};
}

result<archive::unpacked> deploy_job::unpack_source(const std::string& tree) {
  const bool built = builds() && is_built();
  const auto file = built ? site_.output(plan_.number) : site_.archive(plan_.number);
  if (::access(file.c_str(), F_OK) != 0) ZEDOPS_TRY(fetch_archive());  // gone since: the manager has it still
  ZEDOPS_TRY(host::drop_tree_on_its_way(site_, plan_.number));
  return archive::unpack(
      file, tree, {},
      [&](const archive::unpacked& so_far, uint64_t read) {
        tell_bytes(read, std::max(plan_.source.bytes, read + 1),
                   std::to_string(so_far.files) + " files, " + format_bytes(so_far.bytes));
        return !cancel_.cancelled();
      },
      built ? std::string{} : plan_.source.folder);
}

result<void> deploy_job::unpack_archive() {
  if (builds() && !is_built()) ZEDOPS_TRY(build_site());  // lost since
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

// Names that visitors use for a static service, if it has any. Remembered: whoever keeps containers' routes keeps it.
result<void> deploy_job::set_site_route() {
  const service_id id{cmd_.server.value};
  site_world::hold hold(*env_.sites, id.value);
  if (!plan_.settings || plan_.settings->route != route_kind::caddy) return drop_site_route();
  ZEDOPS_TRY(remember_container());
  ZEDOPS_TRY(container_here().lead(id, plan_, plan_.port));
  effect("routed");
  return {};
}

result<void> deploy_job::drop_site_route() {
  ZEDOPS_TRY(host::forget_container(env_.sites->root, cmd_.server.value));
  if (!env_.sites->routes) return {};
  auto gone = env_.sites->routes->remove(cmd_.server.value);
  const bool had = plan_.settings && plan_.settings->route == route_kind::caddy;
  if (!gone && had) return fail(gone.error());
  return {};
}

project_server deploy_job::project_server_here() {
  return project_server(calls_, *env_.sites, env_.clock, env_.state.manager_id(), &cancel_);
}

// An Engine that does not answer anything comes back: nothing follows from it, and the manager sees whether it takes
// too long. True: it was away, and a moment has passed.
bool deploy_job::engine_away(const error& why) {
  if (calls_.list({{label::project, plan_.project.value}})) return false;
  tell(0, "waiting for the Engine: " + why.message);
  env_.clock.pause(engine_pause);
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
                      ? "is there an index.html at the top of what was deployed? Else give the service a health path"
                      : "zedctl service edit --health-path sets the path that is checked");
    tell(percent_of(attempts, attempts + refusals_max), answer);
    env_.clock.pause(pause);
  }
}

// ---- the service goes ----
result<void> deploy_job::remove_service() {
  tell(0, {});
  if (plan_.kind == service_kind::container) {
    const service_id id{cmd_.server.value};
    site_world::hold hold(*env_.sites, id.value);
    ZEDOPS_TRY(drop_container(id));
    drop_images([](uint32_t) { return true; });
  } else {
    site_world::hold hold(*env_.sites, cmd_.server.value);
    ZEDOPS_TRY(drop_site_route());
  }
  {
    std::lock_guard guard(env_.sites->links);
    ZEDOPS_TRY(host::remove_site(site_));
  }
  effect("site_removed");
  if (!plan_.last) return {};
  site_world::hold hold(*env_.sites, plan_.project.value);
  ZEDOPS_TRY(host::forget_project(env_.sites->root, plan_.project_name));  // first: nobody makes its server again
  return project_server_here().remove(plan_.project);
}

}  // namespace zedops::agent
