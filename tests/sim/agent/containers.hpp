// Phases of container services on a real disk and an Engine in memory.
#pragma once
#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <fstream>

#include "actors/agent/deploy/deploy_job.hpp"
#include "actors/agent/engine/labels.hpp"
#include "messages/base/sha256.hpp"
#include "messages/wire/codec.hpp"
#include "tests/sim/agent/world.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

namespace zedops::test {

using namespace msg;
namespace fs = std::filesystem;

struct cut_short {};

inline std::string tar_of(const std::map<std::string, std::string>& files) {
  std::string out(1 << 16, '\0');
  size_t used = 0;
  auto* a = archive_write_new();
  archive_write_set_format_pax_restricted(a);
  archive_write_open_memory(a, out.data(), out.size(), &used);
  for (const auto& [name, text] : files) {
    auto* e = archive_entry_new();
    archive_entry_set_pathname(e, name.c_str());
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, static_cast<int64_t>(text.size()));
    archive_write_header(a, e);
    archive_write_data(a, text.data(), text.size());
    archive_entry_free(e);
  }
  archive_write_close(a);
  archive_write_free(a);
  out.resize(used);
  return out;
}

struct one_upload final : agent::upload_source {
  std::string bytes;
  result<void> read(const upload_id&, uint64_t from, uint64_t to, const agent::cancel_token&,
                    const take_fn& take) override {
    return take(std::string_view(bytes).substr(from, to - from));
  }
};

struct routes_in_memory final : routes::route_table {
  std::map<std::string, routes::route> all;
  bool away = false;
  std::vector<std::optional<unsigned>> seen;  // status that the next visitors get; afterwards 200
  size_t visits = 0;
  result<std::optional<unsigned>> visit(const routes::route&, const std::string&) override {
    return visits < seen.size() ? seen[visits++] : (++visits, 200);
  }
  result<routes::change> put(const routes::route& r) override {
    if (away) return fail(ec::engine_error, "Caddy does not answer", "");
    const bool same = all.contains(r.id) && all[r.id] == r;
    all[r.id] = r;
    return same ? routes::change::none : routes::change::made;
  }
  result<routes::change> remove(const std::string& id) override {
    if (away) return fail(ec::engine_error, "Caddy does not answer", "");
    return all.erase(id) ? routes::change::made : routes::change::none;
  }
};

struct containers : agent_world {
  temp_dir dir;
  one_upload upload;
  routes_in_memory visitors;
  std::map<uint16_t, unsigned> answers;  // status of the program at a port; else 200
  std::vector<std::string> fetched;
  agent::site_world sites{(dir.path() / "sites").string(), "site:1", upload,
                          [this](uint16_t port, const std::string& path, duration) -> result<unsigned> {
                            if (!docker.holds(port)) return fail(ec::engine_error, "nobody answers", "");
                            fetched.push_back(path);
                            return answers.contains(port) ? answers[port] : 200;
                          }};
  uint32_t attempt = 0;
  std::optional<size_t> dies_after;
  agent::cancel_token cancel;
  service_settings settings;

  containers() {
    docker.images.insert("shop/api:1");
    docker.image_ids["shop/api:1"] = "sha256:shop/api:1";
    REQUIRE(state->belong_to("m1").has_value());
    sites.routes = &visitors;
    env->sites = &sites;
    env->crash_point = [this](std::string_view) {
      if (dies_after && (*dies_after)-- == 0) throw cut_short{};
    };
    settings.container_port = 3000;
    settings.route = route_kind::caddy;
    settings.hosts = {"api.example.org"};
  }
  static deploy_source an_image() {
    deploy_source s;
    s.kind = source_kind::image;
    s.image = s.name = "shop/api:1";
    return s;
  }
  deploy_source a_source(const std::map<std::string, std::string>& files) {
    upload.bytes = tar_of(files);
    sha256 hash;
    hash.add(upload.bytes);
    deploy_source s;
    s.upload = {"u1"};
    s.name = "api.tar";
    s.sha256 = hash.hex();
    s.bytes = upload.bytes.size();
    return s;
  }
  run_command command(deploy_phase phase, uint32_t number, deploy_source from) {
    run_command c;
    c.term = 1;
    c.op = {"o" + std::to_string(number)};
    c.attempt = ++attempt;
    c.server = {"v1"};
    c.kind = command_kind::deploy;
    deploy_plan p;
    p.phase = phase;
    p.kind = service_kind::container;
    p.project = {"p1"};
    p.project_name = "shop";
    p.service_name = "api";
    p.number = number;
    p.source = std::move(from);
    if (number > 1) p.keep = {number - 1, number};
    else p.keep = {number};
    p.port = 8080;
    p.port_beside = 8081;
    p.settings = settings;
    c.deploy = p;
    return c;
  }
  command_result run(run_command c) {
    auto report = std::make_shared<agent::reporter>(
        c, [](command_progress) {}, env->clock.steady);
    return agent::deploy_job(*env, std::move(c), report, cancel).execute();
  }
  template <class Change>
  command_result run_with(run_command c, Change change) {
    auto plan = *c.deploy;
    change(plan);
    c.deploy = plan;
    return run(c);
  }
  static constexpr std::array phases{deploy_phase::pulling_source, deploy_phase::updating_routes,
                                     deploy_phase::health_check};
  void deploy(uint32_t number) {
    for (const auto phase : phases) {
      auto r = run(command(phase, number, an_image()));
      INFO(name_of(phase) << (r.failure ? ": " + r.failure->message : ""));
      REQUIRE_FALSE(r.failure);
    }
  }
  const docker::container_details& of(uint32_t number) const {
    static const docker::container_details none;
    for (const auto& [id, c] : docker.containers)
      if (agent::value_of(c.view.labels, agent::label::deployment) == std::to_string(number)) return c;
    return none;
  }
  uint16_t led_to() {
    if (!visitors.all.contains("v1")) return 0;
    const auto& r = visitors.all["v1"];
    return r.beside ? r.port_beside : r.port;
  }
  std::string remembered() const { return host::remembered_container(sites.root, "v1"); }
};

}  // namespace zedops::test
