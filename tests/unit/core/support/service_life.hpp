// A service on its own, driven as its actor would drive it.
#pragma once
#include <algorithm>

#include "actors/core/deploy/service_machine.hpp"

namespace zedops::core::testing {

using namespace msg;
using namespace std::chrono_literals;

struct life {
  service s;
  core::service_context cx;
  uint64_t seq = 0, requests = 0;
  std::vector<core::service_effect> effects;  // of the last input

  explicit life(service_kind kind = service_kind::static_site) {
    cx.now = time_point{1'000'000s};
    cx.agent_online = true;
    service made;
    made.id = {"v1"};
    made.project = {"p1"};
    made.project_name = "shop";
    made.name = "web";
    made.agent = {"a1"};
    made.port = 8080;
    made.retention = 2;
    made.kind = kind;
    if (kind == service_kind::container) {
      made.port_beside = 8081;
      made.settings.container_port = 3000;
      made.settings.env["KEY"] = "one";
    }
    take(core::new_service{made, who()});
  }
  core::request_info who() {
    return {{"o" + std::to_string(++requests)}, "ann", {}, 0, {"r" + std::to_string(requests)}};
  }

  core::service_decision take(core::service_input in) {
    auto d = core::decide(s, in, cx);
    effects = d.effects;
    if (!d.facts.empty()) {
      log_entry e;
      e.entity = "v1";
      e.time = cx.now;
      e.facts = core::entity<service>::number(s, d.facts);
      e.first_seq = ++seq;
      seq += e.facts.size();
      core::apply(s, e);
    }
    cx.now += 1s;
    return d;
  }
  deploy_source source() {
    const auto n = std::to_string(requests);
    return {source_kind::upload, {"u" + n}, n + ".tar.gz", std::string(64, 'a'), 1000, {}, {}, {}, {}, {}, {}};
  }
  core::service_decision deploy() {
    const auto w = who();
    return take(core::service_requested{deploy_service{"shop/web", "u", {}, {}, {}, {}}, w, source()});
  }
  core::service_decision deploy_image() {
    deploy_source from;
    from.kind = source_kind::image;
    from.image = from.name = "shop/api:1";
    return take(core::service_requested{deploy_service{}, who(), from});
  }
  core::service_decision stop() { return take(core::service_requested{stop_service{"shop/web"}, who()}); }
  core::service_decision start() { return take(core::service_requested{start_service{"shop/web"}, who()}); }
  core::service_decision roll_back(uint32_t to = 0) {
    return take(core::service_requested{rollback_service{"shop/web", to}, who()});
  }
  std::optional<core::send_phase> sent() const {
    for (const auto& e : effects)
      if (const auto* p = std::get_if<core::send_phase>(&e)) return *p;
    return std::nullopt;
  }
  bool withdrawn() const {
    return std::ranges::any_of(effects, [](const auto& e) { return std::holds_alternative<core::withdraw_phase>(e); });
  }
  command_result result(std::optional<error> failure = {}) const {
    command_result r;
    r.op = s.op->id;
    r.attempt = s.op->attempt;
    r.server = {"v1"};
    r.failure = std::move(failure);
    if (s.run) r.proof["left_by"] = std::string(name_of(s.run->phase));
    if (s.run && s.kind == service_kind::container) r.proof["image"] = "sha256:" + std::to_string(s.run->number);
    return r;
  }
  core::service_decision report(std::optional<error> failure = {}) {
    return take(core::phase_reported{result(std::move(failure))});
  }
  void finish() {
    for (int n = 0; s.op && n < 20; ++n) report();
  }
  // Goes forwards until this phase is running.
  void until(deploy_phase p) {
    while (s.run && s.run->phase != p) report();
  }
  const deployment& newest() const { return s.deployments.back(); }
};

inline const error broken{ec::bad_request, "it is broken", "mend it", {}};

}  // namespace zedops::core::testing
