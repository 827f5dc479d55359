// What a host's owner permits, and what they impose on every container.
#include "actors/core/guard/host_rules.hpp"

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::msg;
using core::host_rule;
using core::host_rules;
using core::permit;

namespace {

server_plan a_plan() {
  server_plan p;
  p.container.image = "registry.example/games/zomboid:42";
  p.container.networks = {"games", "monitoring"};
  p.container.ports = {{16261, 16261, protocol::udp, {}}, {0, 80, protocol::tcp, {}}};
  p.data.root = "/srv/zedops/data";
  p.data.name = "pz1";
  return p;
}
host_rule rule(const char* name, std::vector<std::string> allowed) {
  return {name, "/etc/zedops/agent.toml:12:1", std::move(allowed)};
}

void turned_away(const host_rules& rules, const server_plan& p, const std::string& what, const std::string& name) {
  auto r = permit(rules, p);
  REQUIRE_FALSE(r.has_value());
  CHECK(r.error().code == ec::forbidden);
  CHECK(r.error().message.find(what) != std::string::npos);
  CHECK(r.error().message.find(name + " (/etc/zedops/agent.toml:12:1)") != std::string::npos);
  CHECK_FALSE(r.error().hint.empty());
}

}  // namespace

TEST_CASE("host rules: without rules everything is permitted except more capabilities than Docker gives",
          "[unit][core]") {
  auto p = a_plan();
  CHECK(permit({}, p).has_value());
  p.container.cap_add = {"CAP_CHOWN", "net_bind_service"};
  CHECK(permit({}, p).has_value());
  for (const auto* c : {"SYS_ADMIN", "cap_sys_module", "ALL", "NET_ADMIN"}) {
    p.container.cap_add = {c};
    CHECK_FALSE(permit({}, p).has_value());
  }
  host_rules r;
  r.capabilities = rule("allow_capabilities", {"cap_sys_nice"});
  p.container.cap_add = {"SYS_NICE"};
  CHECK(permit(r, p).has_value());
  p.container.cap_add = {"SYS_NICE", "SYS_ADMIN"};
  turned_away(r, p, "SYS_ADMIN", "allow_capabilities");
}

TEST_CASE("host rules: each refuses what it does not allow, and the error names the rule and its place",
          "[unit][core]") {
  const auto p = a_plan();
  host_rules r;
  r.images = rule("allow_images", {"registry.example/*:4?"});
  r.networks = rule("allow_networks", {"games", "mon*"});
  r.ports = rule("allow_ports", {"16261-16999", "27015"});
  r.data_roots = rule("allow_data_roots", {"/mnt", "/srv/zedops/"});
  REQUIRE(core::check_rules(r).has_value());
  CHECK(permit(r, p).has_value());
  auto x = r;
  x.images.allowed = {"registry.example/other/*"};
  turned_away(x, p, "registry.example/games/zomboid:42", "allow_images");
  x = r;
  x.networks.allowed = {"games"};
  turned_away(x, p, "monitoring", "allow_networks");
  x = r;
  x.ports.allowed = {"16262-16999"};
  turned_away(x, p, "16261", "allow_ports");
  x = r;
  x.data_roots.allowed = {"/srv/zed", "/srv/zedops/data2"};
  turned_away(x, p, "/srv/zedops/data", "allow_data_roots");
  x = r;
  x.ports.allowed = {"16261-"};
  CHECK_FALSE(core::check_rules(x).has_value());
  x.ports.allowed = {"70000"};
  CHECK_FALSE(core::check_rules(x).has_value());
}

TEST_CASE("host rules: a mount as a server's own folder has to be below its data", "[unit][core]") {
  auto p = a_plan();
  p.data.dirs = {{"data", "/srv/zedops/data/pz1/data"}};
  p.container.mounts = {{"/srv/zedops/data/pz1/data", "/data"}};
  CHECK(permit({}, p).has_value());
  p.container.mounts = {{"/etc", "/data"}};
  CHECK_FALSE(permit({}, p).has_value());
  for (const auto* path : {"/etc", "/srv/zedops/data/pz1/../pz2/data", "/srv/zedops/data/pz10/data"}) {
    p.data.dirs = {{"data", path}};
    p.container.mounts = {{path, "/data"}};
    CHECK_FALSE(permit({}, p).has_value());
  }
  p = a_plan();
  p.container.volumes = {{"", "/etc", "/config"}};
  CHECK_FALSE(permit({}, p).has_value());
  p.data.root = "/srv/../etc";
  p.container.volumes.clear();
  host_rules r;
  r.data_roots = rule("allow_data_roots", {"/srv"});
  turned_away(r, p, "/srv/../etc", "allow_data_roots");
}

TEST_CASE("host rules: the lower of both limits applies, and an imposed setting cannot be removed by a request",
          "[unit][core]") {
  host_rules r;
  r.memory_max = 100;
  r.pids_max = 50;
  r.no_new_privileges = r.read_only_root = r.drop_capabilities = true;
  container_spec c;
  c.cap_add = {"CHOWN"};
  core::impose(r, c);
  CHECK((c.memory_max == 100 && c.pids_max == 50 && c.no_new_privileges && c.read_only_root));
  CHECK(c.cap_drop == std::vector<std::string>{"ALL"});
  c.memory_max = 200, c.pids_max = 10;
  core::impose(r, c);
  CHECK((c.memory_max == 100 && c.pids_max == 10));
  container_spec same;
  core::impose({}, same);
  CHECK(same == container_spec{});
}
