#include "actors/core/plan/secrets.hpp"

#include "actors/core/plan/blueprint.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"
#include "tests/unit/core/support/templates.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

TEST_CASE("secrets: what the template names is masked, an unknown template masks everything", "[unit][core]") {
  const auto pz = builtin_template("project-zomboid");
  auto env = record().env;
  env["EMPTY"] = "";
  auto all = env;
  mask_secrets(env, &pz);
  CHECK(env == std::map<std::string, std::string>{{"EMPTY", ""}, {"RCON_PASSWORD", "***"}, {"SERVER_NAME", "one"}});
  mask_secrets(all, nullptr);
  CHECK(all == std::map<std::string, std::string>{{"EMPTY", ""}, {"RCON_PASSWORD", "***"}, {"SERVER_NAME", "***"}});
}

TEST_CASE("secrets: every fact that carries an environment is masked, and known to be one", "[unit][core]") {
  const auto pz = builtin_template("project-zomboid");
  auto x = created_server();
  x.finish(saw(container_state::running));
  edit_server edit;
  edit.config["ADMIN_PASSWORD"] = "hunter2";
  x.ask(edit);
  size_t seen = 0;
  for (auto entry : x.log)
    for (auto& n : entry.facts) {
      log_entry one;
      one.facts = {n};
      const auto before = pack(one);
      const bool tells = before.find("hunter2") != std::string::npos || before.find("secret") != std::string::npos;
      if (!tells) continue;
      ++seen;
      CHECK(may_tell_secrets(n.what));
      mask_secrets(one.facts[0].what, &pz);
      CHECK(pack(one).find("hunter2") == std::string::npos);
      CHECK(pack(one).find("secret") == std::string::npos);
    }
  CHECK(seen == 2);
}

TEST_CASE("secrets: the mask is no value, neither at create nor at edit", "[unit][core]") {
  const auto pz = builtin_template("project-zomboid");
  create_server c;
  c.name = "pz-one";
  c.image = "registry.example/pz";
  c.config = {{"ADMIN_PASSWORD", "***"}};
  agent a;
  a.data_path = "/srv/zedops";
  auto made = record_for(c, a, pz, {"s1"}, {});
  REQUIRE_FALSE(made);
  CHECK(mentions(made.error().message, {"ADMIN_PASSWORD", "***"}));
  edit_server e;
  e.config = {{"ADMIN_PASSWORD", "***"}};
  auto edited = check_edit(record(), e, pz);
  REQUIRE_FALSE(edited);
  CHECK(edited.error().code == ec::bad_request);
  CHECK(mentions(edited.error().hint, {"leave ADMIN_PASSWORD out"}));
}

TEST_CASE("secrets: a refused change of a secret value does not show the value", "[unit][core]") {
  auto t = builtin_template("project-zomboid");
  t.env_immutable.push_back("RCON_PASSWORD");
  edit_server e;
  e.config = {{"RCON_PASSWORD", "other"}};
  auto r = check_edit(record(), e, t);
  REQUIRE_FALSE(r);
  CHECK(r.error().message == "RCON_PASSWORD keeps its first value");
}

TEST_CASE("edit: a crash policy or a priority alone is a change", "[unit][core]") {
  const auto pz = builtin_template("project-zomboid");
  edit_server e;
  CHECK_FALSE(check_edit(record(), e, pz));
  e.crash = crash_policy::always;
  CHECK(check_edit(record(), e, pz));
  e = {};
  e.priority = -3;
  CHECK(check_edit(record(), e, pz));
}
