// A manager and one host "alpha" whose agent is connected, in virtual time. The end of each test checks that the
// auditor's rules have held at every moment of it.
#pragma once
#include "tests/sim/support/world_fixture.hpp"
#include "tests/support/catch.hpp"

namespace zedops::sim {

using namespace msg;

struct stage : world {
  stage() : world(1) {
    boot();
    add_host("alpha");
    REQUIRE(until([&] { return in_sync("alpha"); }));
  }
  ~stage() {
    audit.read_log(nullptr);
    CHECK(report() == "");
  }

  bool in_sync(const std::string& agent_name) {
    for (const auto& e : audit.log())
      for (const auto& n : e.facts)
        if (std::holds_alternative<sync_completed>(n.what) && audit.agents().at({e.entity}).name == agent_name &&
            at(agent_name).in_session())
          return true;
    return false;
  }
  // Creates a server that runs on alpha (or elsewhere).
  msg::server running(const std::string& name, const std::string& on = "alpha") {
    auto r = finish("create", a_server(name, on));
    INFO((r ? std::string("created") : r.error().message));
    REQUIRE(r.has_value());
    REQUIRE(status(name) == server_status::running);
    return server(name);
  }
  msg::server deleted(const std::string& name) {
    running(name);
    REQUIRE(finish("rm", remove_server{name}).has_value());
    REQUIRE(status(name) == server_status::deleted);
    return server(name);
  }
  container* body_of(const std::string& name, const std::string& on_host = "alpha") {
    return on(on_host).by_name("steam-zomboid-" + name);
  }
  template <class F>
  size_t facts() const {
    size_t n = 0;
    for (const auto& e : audit.log())
      for (const auto& f : e.facts) n += std::holds_alternative<F>(f.what) ? 1 : 0;
    return n;
  }
  template <class T>
  static std::string code(const result<T>& r) {
    return r ? "ok" : std::string(name_of(r.error().code));
  }
  static error broken_disk() { return {ec::internal, "the disk says no", "", {}}; }
};

}  // namespace zedops::sim
