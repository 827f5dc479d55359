// One phase of a deployment, or the removal of a service: straight-line code on a worker thread that looks before it
// acts. What is done already is not done again, but its proof is still reported.
#pragma once
#include <deque>
#include <functional>
#include <optional>

#include "actors/agent/deploy/project_server.hpp"
#include "actors/agent/deploy/service_container.hpp"
#include "actors/agent/lanes/step_env.hpp"
#include "integration/archive/unpack.hpp"
#include "integration/host/sites/sites.hpp"

namespace zedops::agent {

class deploy_job {
 public:
  deploy_job(step_env& env, msg::run_command command, std::shared_ptr<reporter> report, cancel_token& cancel);

  // Never throws, except what crash_point throws.
  msg::command_result execute();
  // The name under which this step is reported.
  static std::string step_of(const msg::deploy_plan& p) {
    return std::string(p.remove ? "removing" : name_of(p.phase));
  }

 private:
  msg::result<void> dispatch();
  msg::result<void> copy_files();
  msg::result<void> unpack_archive();
  msg::result<archive::unpacked> unpack_source(const std::string& tree);
  msg::result<void> switch_links();
  msg::result<void> switch_back();
  msg::result<void> update_routes();
  msg::result<void> check_health();
  msg::result<void> remove_service();
  msg::result<void> drop_project_server();

  // deploy_source.cpp
  msg::result<void> pull_source();
  msg::result<void> drop_leftovers();
  msg::result<void> prune(const std::function<bool(uint32_t)>& goes);
  bool has_archive() const;
  msg::result<void> fetch_archive();
  msg::result<void> fetch_repository();
  msg::result<void> prove_commit(const std::string& commit);
  msg::result<bool> fetch_rest(const std::string& part);

  // Of static services that are built; deploy_build.cpp.
  bool builds() const {
    return plan_.kind == msg::service_kind::static_site && plan_.settings && !plan_.settings->build.empty();
  }
  bool is_built() const;
  std::string build_identity() const;
  msg::result<std::string> made_folder(const std::string& tree) const;
  msg::result<void> build_site();
  msg::result<void> run_builder(const std::string& tree);
  msg::result<int64_t> run_to_end(const msg::container_spec& c, const char* started);
  msg::result<void> run_once(const std::vector<std::string>& words, const char* what);
  msg::result<void> remove_builders();
  void limit_cache();

  // Of container services; deploy_container.cpp.
  msg::result<void> pull_image();
  msg::result<void> build_image();
  std::string noted_image() const;
  msg::result<void> replace_container();
  msg::result<void> rest_stopped(const msg::service_id& id);
  msg::result<void> check_container();
  msg::result<void> check_visitors(uint16_t port);
  msg::result<void> stop_container();
  msg::result<void> drop_container(const msg::service_id& id);
  msg::result<void> remember_container();
  msg::result<void> prove_image(const std::string& id, const std::string& architecture = {});
  msg::result<void> drop_images();
  bool image_is_gone(uint32_t number);
  service_container container_here();
  static std::optional<uint32_t> steps_of(std::string_view line);

  // Into the deployment's log; from any thread, one at a time.
  void write(std::string_view line);
  std::string last_lines() const;
  msg::error ended_badly(const std::string& what, int64_t code) const;
  project_server project_server_here();
  bool engine_away(const msg::error& why);
  bool cut_by_engine(const msg::error& why);
  void tell(uint32_t percent, std::string note);
  void tell_bytes(uint64_t part, uint64_t whole, std::string what);
  msg::result<void> set_site_route();
  msg::result<void> drop_route();
  bool led_by_caddy() const;
  void prove(const std::string& what, std::string value) { result_.proof[what] = std::move(value); }
  void prove_tree(const host::site_stamp& stamp);
  void effect(std::string_view name) const {
    if (env_.crash_point) env_.crash_point(name);
  }
  host::project_place project() const { return {plan_.project, plan_.project_name, plan_.port}; }

  step_env& env_;
  const msg::run_command cmd_;
  const msg::deploy_plan plan_;
  std::shared_ptr<reporter> report_;
  cancel_token& cancel_;
  engine_calls calls_;
  host::site site_;
  std::deque<std::string> lines_;  // the newest
  struct {
    std::chrono::steady_clock::time_point at{};
    uint64_t part = 0;
  } first_;  // of the bytes that are reported
  uint32_t built_ = 0;
  std::optional<std::chrono::steady_clock::time_point> engine_gone_;  // since when it is away
  size_t unanswered_ = 0;                                             // calls without an answer, as last checked
  msg::command_result result_;
};

}  // namespace zedops::agent
