// Who may do what, role by role and verb by verb.
#include "actors/core/access.hpp"

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::msg;
using core::authorize;

namespace {
const core::access_subject arena{{"a1"}, {"s1"}};
principal with(std::vector<grant> grants) { return {"key:eve", authentication::key, "192.0.2.7", std::move(grants)}; }
const verb_row& verb(std::string_view name) {
  const auto i = find_verb(name);
  REQUIRE(i != verb_not_found);
  return verb_table[i];
}
}  // namespace

TEST_CASE("access: what each role may do with each verb", "[unit][core][acc-35]") {
  for (const auto& row : verb_table) {
    INFO(row.verb);
    if (row.needs == right::enrol) continue;  // for tokens only, no role
    const bool looks = row.needs == right::view || row.needs == right::connect;
    const bool lives = row.needs == right::operate || row.needs == right::logs;
    CHECK(authorize(with({{role::viewer, {}, {}}}), row, arena).has_value() == looks);
    CHECK(authorize(with({{role::operator_, {}, {}}}), row, arena).has_value() == (looks || lives));
    CHECK(authorize(with({{role::admin, {}, {}}}), row, arena).has_value());
    CHECK_FALSE(authorize(with({}), row, arena).has_value());
  }
}

TEST_CASE("access: an operator may neither destroy nor add and remove agents", "[unit][core]") {
  const auto op = with({{role::operator_, {}, {}}});
  for (const auto* name : {"server.purge", "agent.rm", "agent.forget"}) {
    auto r = authorize(op, verb(name), arena);
    REQUIRE_FALSE(r.has_value());
    CHECK(r.error().code == ec::forbidden);
    CHECK(r.error().message.find(name) != std::string::npos);
    CHECK(r.error().message.find("key:eve") != std::string::npos);
    CHECK_FALSE(r.error().hint.empty());
  }
  for (const auto& row : verb_table)
    if (row.risk == danger::destroys) CHECK_FALSE(authorize(op, row, arena).has_value());
}

TEST_CASE("access: the most specific grant decides, even if it is the weaker one", "[unit][core]") {
  const grant viewer_here{role::viewer, {}, {"s1"}}, operator_on_host{role::operator_, {"a1"}, {}},
      admin_everywhere{role::admin, {}, {}};
  std::vector<grant> all{admin_everywhere, operator_on_host, viewer_here};
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.as < b.as; });
  do {  // in whatever order they were given
    CHECK(core::role_for(with(all), arena) == role::viewer);
    CHECK(core::role_for(with(all), {{"a1"}, {"s2"}}) == role::operator_);
    CHECK(core::role_for(with(all), {{"a2"}, {"s3"}}) == role::admin);
    CHECK(core::role_for(with(all), {}) == role::admin);
  } while (std::next_permutation(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.as < b.as; }));
  CHECK(core::role_for(with({viewer_here, {role::operator_, {}, {"s1"}}}), arena) == role::operator_);  // the stronger
  CHECK_FALSE(core::role_for(with({viewer_here}), {{"a1"}, {"s2"}}).has_value());
  CHECK_FALSE(core::role_for(with({viewer_here, operator_on_host}), {}).has_value());
  CHECK(authorize(with({viewer_here}), verb("status"), {}).has_value());
  CHECK_FALSE(authorize(with({viewer_here}), verb("op.ls"), {}).has_value());
}

TEST_CASE("access: anyone with a role may list, and sees what that role covers", "[unit][core]") {
  const auto one = with({{role::viewer, {}, {"s1"}}});
  CHECK(authorize(one, verb("server.ls"), {}).has_value());
  CHECK_FALSE(authorize(with({}), verb("server.ls"), {}).has_value());
  CHECK(core::may_see(one, {{"a1"}, {"s1"}}));
  CHECK_FALSE(core::may_see(one, {{"a1"}, {"s2"}}));
  CHECK_FALSE(core::may_see(one, {{"a1"}, {}}));
  CHECK(core::may_see(with({{role::operator_, {"a1"}, {}}}), {{"a1"}, {"s2"}}));
}

TEST_CASE("access: an operator of anything may upload archives, but nothing beyond that", "[unit][core]") {
  const auto host = with({{role::operator_, {"a1"}, {}}}), looks = with({{role::viewer, {"a1"}, {}}});
  for (const auto* name : {"upload.begin", "upload.chunk", "upload.end"}) {
    INFO(name);
    CHECK(authorize(host, verb(name), {}).has_value());
    CHECK_FALSE(authorize(looks, verb(name), {}).has_value());
    CHECK_FALSE(authorize(with({}), verb(name), {}).has_value());
  }
  for (const auto* name : {"upload.ls", "upload.rm", "deployment.create", "service.create"}) {
    INFO(name);
    CHECK_FALSE(authorize(host, verb(name), {}).has_value());
  }
}

TEST_CASE("access: a token may enrol an agent and nothing else, and no role may", "[unit][core]") {
  principal token{"token:x", authentication::key, "192.0.2.7", {}, "host2"};
  for (const auto& row : verb_table) {
    INFO(row.verb);
    CHECK(authorize(token, row, {}).has_value() == (row.needs == right::enrol));
  }
  CHECK_FALSE(authorize(with({{role::admin, {}, {}}}), verb("agent.enrol"), {}).has_value());
}

TEST_CASE("access: a local process that may open the socket files may do everything", "[unit][core]") {
  for (const auto& row : verb_table)
    CHECK(authorize(local_principal("uid:1000"), row, {}).has_value() == (row.needs != right::enrol));
  CHECK_FALSE(core::is_scoped(local_principal()));
  CHECK(core::is_scoped(with({{role::viewer, {}, {"s1"}}})));
}
