// The build of a static service: its command in a container of its builder, with the source as its folder. What it has
// made becomes an archive, and is handled like every other archive.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "actors/agent/deploy/deploy_job.hpp"
#include "actors/agent/deploy/log_limit.hpp"
#include "actors/agent/engine/labels.hpp"
#include "actors/agent/jobs/command_job.hpp"
#include "integration/archive/pack.hpp"
#include "integration/host/files.hpp"
#include "messages/base/names.hpp"
#include "messages/base/sha256.hpp"

namespace zedops::agent {

using namespace msg;

namespace {
constexpr const char* source_in_container = "/src";
constexpr const char* cache_in_container = "/cache";  // kept from one build of a service to the next
constexpr const char* made_output = "output";         // its note names the source and settings it was made from
constexpr duration stop_grace{1'000};
}  // namespace

// An output of this number may have been made under a manager whose store was restored since, and which reuses numbers.
bool deploy_job::is_built() const {
  return ::access(site_.output(plan_.number).c_str(), F_OK) == 0 &&
         host::noted(site_, plan_.number, made_output) == build_identity();
}

std::string deploy_job::build_identity() const {
  const auto& s = *plan_.settings;
  sha256 hash;
  for (const auto& x : {identity_of(plan_.source), plan_.source.folder, s.builder, s.output}) hash.add(x + "\n");
  for (const auto& word : s.build) hash.add(word + "\n");
  return hash.hex();
}

result<void> deploy_job::build_site() {
  if (is_built()) return {};
  ::unlink(site_.output(plan_.number).c_str());  // made from something else: the note written below is not about it
  const auto tree = site_.new_tree(plan_.number);
  ZEDOPS_TRY(remove_builders());  // of an earlier attempt: its work is half done, and its end would go unnoticed
  auto unpacked = unpack_source(tree);
  if (!unpacked) return fail(unpacked.error());
  effect("source_unpacked");
  auto ended = run_builder(tree);
  ZEDOPS_TRY(remove_builders());
  limit_cache();
  if (!ended) return ended;
  auto made = made_folder(tree);
  if (!made) return fail(made.error());
  const auto part = site_.context(plan_.number);
  auto packed = archive::pack_all(*made, part);
  if (!packed) return fail(packed.error());
  host::unique_fd file(::open(part.c_str(), O_RDONLY | O_CLOEXEC));
  ZEDOPS_TRY(host::note(site_, plan_.number, made_output, build_identity()));
  if (!file || ::fsync(file.get()) != 0 || ::rename(part.c_str(), site_.output(plan_.number).c_str()) != 0)
    return fail(ec::internal, part + ": " + host::errno_text(errno), "check that disk, then deploy again");
  effect("site_built");
  ZEDOPS_TRY(host::drop_tree_on_its_way(site_, plan_.number));
  prove("built_files", std::to_string(packed->files));
  return {};
}

// The build could write to the tree: a link that it left where the output belongs could lead to any folder of this host
// and have it served.
result<std::string> deploy_job::made_folder(const std::string& tree) const {
  const auto& wanted = plan_.settings->output;
  std::error_code problem;
  const auto top = std::filesystem::canonical(tree, problem);
  if (problem) return fail(ec::internal, tree + ": " + problem.message(), "check that disk, then deploy again");
  const auto made = std::filesystem::canonical(wanted.empty() ? top : top / wanted, problem);
  if (problem || !std::filesystem::is_directory(made, problem))
    return fail(ec::bad_request, "the build produced no folder " + wanted,
                "set the folder that is served: zedctl service edit --output");
  if (made != top && !made.string().starts_with(top.string() + "/"))
    return fail(ec::bad_request, "the folder " + wanted + " of the build points outside of what was built",
                "make it a folder, or a link to one inside the source");
  return made.string();
}

result<void> deploy_job::run_builder(const std::string& tree) {
  const auto& s = *plan_.settings;
  if (auto there = calls_.image(s.builder); !there) {
    if (there.error().code != ec::not_found) return fail(there.error());
    auto pulled = calls_.pull(s.builder, [this](const docker::pull_state& p) {
      tell(static_cast<uint32_t>(p.fraction * 20), "builder: " + p.status);
    });
    if (!pulled) return fail(pulled.error());
  }
  const auto cache = host::cache_folder(env_.sites->root, cmd_.server.value);
  std::error_code problem;
  std::filesystem::create_directories(cache, problem);
  if (problem) return fail(ec::internal, cache + ": " + problem.message(), "check that disk");
  container_spec c;
  c.name = "zedops-build-" + cmd_.server.value;
  c.image = s.builder;
  c.labels = {{label::managed, "true"}, {label::manager, env_.state.manager_id()}, {label::build, cmd_.server.value}};
  c.entrypoint = {s.build.front()};
  c.command = {s.build.begin() + 1, s.build.end()};
  c.working_dir = source_in_container;
  c.user = std::to_string(::geteuid()) + ":" + std::to_string(::getegid());  // so that the agent owns what it makes
  c.env = {{"HOME", cache_in_container}, {"CI", "true"}};
  c.mounts = {{tree, source_in_container, false}, {cache, cache_in_container, false}};
  c.networks = {s.build_network ? "bridge" : "none"};
  c.memory_max = s.memory_max;
  c.cpu_millis = s.cpu_millis;
  c.no_new_privileges = true;
  limit_log(c);
  auto code = run_to_end(c, "builder_started");
  if (!code) return fail(code.error());
  if (*code == 0) return {};
  return fail(ended_badly("the build", *code));
}

error deploy_job::ended_badly(const std::string& what, int64_t code) const {
  return {ec::bad_request,
          what + " ended with exit code " + std::to_string(code) + (code == 137 ? " (killed: out of memory?)" : "") +
              "; its last lines: " + last_lines(),
          "zedctl deploy logs " + plan_.project_name + "/" + plan_.service_name + "#" + std::to_string(plan_.number),
          {}};
}

// Its lines go into the deployment's log. Returns the exit code.
result<int64_t> deploy_job::run_to_end(const container_spec& c, const char* started) {
  auto made = calls_.create(c);
  if (!made) return fail(made.error());
  if (auto ok = calls_.start(made->id); !ok) return fail(ok.error());
  effect(started);
  // Lines come on the Engine's thread, and this one waits for their end.
  ZEDOPS_TRY(calls_.watch(made->id, [this](docker::output, std::string_view line) {
    write(line);
    tell(20, std::string(line.substr(0, 200)));
  }));
  auto d = calls_.inspect(made->id);
  if (!d) return fail(d.error());
  if (is_alive(d->view.state))
    return fail(ec::engine_error, "the Engine stopped reporting on " + c.name, "deploy again");
  return d->view.exit_code;
}

// Runs in a container of the deployment's image, as the service itself will. Runs again if it was cut short.
result<void> deploy_job::run_once(const std::vector<std::string>& words, const char* what) {
  if (words.empty()) return {};
  ZEDOPS_TRY(remove_builders());
  const auto& s = *plan_.settings;
  const service_id id{cmd_.server.value};
  container_spec c;
  c.name = "zedops-once-" + id.value;
  c.image = service_container::image_of(id, plan_, plan_.number);
  c.labels = {{label::managed, "true"}, {label::manager, env_.state.manager_id()}, {label::build, id.value}};
  c.env = s.env;
  c.entrypoint = {words.front()};
  c.command = {words.begin() + 1, words.end()};
  c.memory_max = s.memory_max;
  c.cpu_millis = s.cpu_millis;
  c.no_new_privileges = true;
  limit_log(c);
  write(std::string(what) + " begins");
  auto code = run_to_end(c, "command_started");
  ZEDOPS_TRY(remove_builders());
  if (!code) return fail(code.error());
  if (*code != 0) return fail(ended_badly(what, *code));
  return {};
}

// Its tools only add to it. Without it the next build is slower, and nothing else.
void deploy_job::limit_cache() {
  auto removed = host::limit_cache(env_.sites->root, cmd_.server.value);
  const auto limit = format_bytes(host::cache_bytes_max);
  if (!removed) write("the build cache could not be removed: " + removed.error().message);
  else if (*removed)
    write("the build cache is larger than " + limit + ": it is removed, the next build starts without it");
}

result<void> deploy_job::remove_builders() {
  calls_.extend(stop_grace);
  auto list = calls_.list(
      {{label::managed, "true"}, {label::manager, env_.state.manager_id()}, {label::build, cmd_.server.value}});
  if (!list) return fail(list.error());
  for (const auto& c : *list) {
    auto gone = calls_.remove(c.id, docker::removal::force, docker::anonymous_volumes::remove);
    if (!gone) return fail(gone.error());
  }
  return {};
}

}  // namespace zedops::agent
