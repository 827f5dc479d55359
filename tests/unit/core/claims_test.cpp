// Names and ports: what a server reserves and how free ports are chosen.
#include "actors/core/plan/claims.hpp"

#include <rapidcheck.h>

#include <set>

#include "config/template_file.hpp"
#include "messages/wire/codec.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/server_fixture.hpp"
#include "tests/unit/core/support/templates.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;
using namespace zedops::msg;

namespace {

bool nothing_taken(protocol, uint16_t) { return false; }

std::vector<uint16_t> numbers(const std::vector<reserved_port>& ports) {
  std::vector<uint16_t> out;
  for (const auto& p : ports) out.push_back(p.number);
  return out;
}

}  // namespace

TEST_CASE("claims: a name and each port, per agent and protocol", "[unit][core][acc-5][acc-65][fc-46]") {
  server s;
  s.name = "pz-one";
  s.agent = {"a1"};
  s.ports = {{port_role::game, protocol::udp, 16261}, {port_role::rcon, protocol::tcp, 16261}};
  CHECK(claims_of(s) == std::vector<std::string>{"name/a1/pz-one", "port/a1/udp/16261", "port/a1/tcp/16261"});
  CHECK(port_claim({"a1"}, protocol::udp, 1) != port_claim({"a2"}, protocol::udp, 1));
  CHECK(port_claim({"a1"}, protocol::udp, 1) != port_claim({"a1"}, protocol::tcp, 1));
}

TEST_CASE("claims: a conflict names the owner, its state and a way out", "[unit][core][acc-5][acc-67]") {
  auto name = claim_taken("name/a1/pz-one", "pz-one", server_status::deleted);
  CHECK(name.code == ec::already_exists);
  CHECK(mentions(name.message, {"pz-one (deleted)"}));
  CHECK(mentions(name.hint, {"restore", "purge"}));
  auto port = claim_taken(port_claim({"a1"}, protocol::udp, 16261), "pz-one", server_status::missing);
  CHECK(port.code == ec::port_conflict);
  CHECK(mentions(port.message, {"16261/udp", "pz-one (missing)"}));
  CHECK(!port.hint.empty());
}

TEST_CASE("ports: the first free tuple, all roles in lock-step", "[unit][core][acc-68]") {
  const auto pz = builtin_template("project-zomboid");
  CHECK(numbers(choose_ports(pz, {}, nothing_taken).value()) == std::vector<uint16_t>{16261, 16262, 27015});
  const auto rcon_taken = [](protocol p, uint16_t n) { return p == protocol::tcp && n == 27015; };
  CHECK(numbers(choose_ports(pz, {}, rcon_taken).value()) == std::vector<uint16_t>{16263, 16264, 27016});
  const auto other_protocol = [](protocol p, uint16_t n) { return p == protocol::tcp && n == 16261; };
  CHECK(numbers(choose_ports(pz, {}, other_protocol).value()) == std::vector<uint16_t>{16261, 16262, 27015});
}

TEST_CASE("ports: a full range is a clear error", "[unit][core][acc-68]") {
  const auto pz = builtin_template("project-zomboid");
  const auto r = choose_ports(pz, {}, [](protocol, uint16_t) { return true; });
  REQUIRE(!r);
  CHECK(r.error().code == ec::port_conflict);
  CHECK(mentions(r.error().message, {"range exhausted"}));
  CHECK(!r.error().hint.empty());
}

TEST_CASE("ports: a port named by the request is used as it is", "[unit][core][acc-4]") {
  const auto pz = builtin_template("project-zomboid");
  CHECK(numbers(choose_ports(pz, {20000, 0, 0}, nothing_taken).value()) == std::vector<uint16_t>{20000, 20001, 27015});
  CHECK(numbers(choose_ports(pz, {20000, 30000, 40000}, nothing_taken).value()) ==
        std::vector<uint16_t>{20000, 30000, 40000});
  const auto same = choose_ports(pz, {20000, 20000, 0}, nothing_taken);
  REQUIRE(!same);
  CHECK(same.error().code == ec::bad_request);
}

TEST_CASE("ports: one that follows from a named port is not searched for, even if it is taken",
          "[unit][core][acc-67]") {
  const auto pz = builtin_template("project-zomboid");
  const auto taken = [](protocol p, uint16_t n) { return p == protocol::udp && n == 20001; };
  const auto r = choose_ports(pz, {20000, 0, 0}, taken);
  REQUIRE(r);
  CHECK(numbers(*r) == std::vector<uint16_t>{20000, 20001, 27015});
}

TEST_CASE("ports: a port beyond 65535 is refused with a fitting message", "[unit][core][acc-68]") {
  const auto pz = builtin_template("project-zomboid");
  const auto r = choose_ports(pz, {65535, 0, 0}, nothing_taken);
  REQUIRE(!r);
  CHECK(r.error().code == ec::bad_request);
  CHECK(mentions(r.error().message, {"udp", "65535"}));
}

TEST_CASE("ports: a role that the template lacks is refused", "[unit][core][acc-4]") {
  const auto r = choose_ports(builtin_template("teeworlds"), {0, 0, 27015}, nothing_taken);
  REQUIRE(!r);
  CHECK(r.error().code == ec::bad_request);
  CHECK(mentions(r.error().message, {"rcon"}));
}

TEST_CASE("ports: a port that is published for two protocols is reserved for both", "[unit][core][acc-65][fc-46]") {
  const auto r = choose_ports(builtin_template("generic"), {8000, 0, 0}, nothing_taken).value();
  server s;
  s.agent = {"a1"};
  s.name = "any";
  s.ports = r;
  const auto claims = claims_of(s);
  CHECK(std::set<std::string>(claims.begin(), claims.end()) ==
        std::set<std::string>{"name/a1/any", "port/a1/tcp/8000", "port/a1/udp/8000"});
}

TEST_CASE("ports: whatever is taken, the chosen ports are free, distinct and in range",
          "[unit][core][acc-65][acc-68]") {
  const auto pz = builtin_template("project-zomboid");
  REQUIRE(rc::check("chosen ports are free, distinct, in range, and the earliest such tuple", [&] {
    const auto games = *rc::gen::container<std::set<int>>(rc::gen::inRange(16261, 16402));
    const auto rcons = *rc::gen::container<std::set<int>>(rc::gen::inRange(27015, 27101));
    const auto taken = [&](protocol p, uint16_t n) {
      return p == protocol::udp ? games.contains(n) : rcons.contains(n);
    };
    const auto r = choose_ports(pz, {}, taken);
    int first = -1;
    for (int n = 0; 16261 + 2 * n <= 16400 && 27015 + n <= 27100; ++n)
      if (!games.contains(16261 + 2 * n) && !games.contains(16262 + 2 * n) && !rcons.contains(27015 + n)) {
        first = n;
        break;
      }
    RC_ASSERT(r.has_value() == (first >= 0));
    if (!r) return;
    RC_ASSERT(r->size() == 3u);
    RC_ASSERT(r->at(0).number == 16261 + 2 * first);
    RC_ASSERT(r->at(1).number == r->at(0).number + 1);
    RC_ASSERT(r->at(2).number == 27015 + first);
  }));
}

TEST_CASE("ports: each server gets other ports until the range is full", "[unit][core][acc-65][acc-66][acc-68]") {
  const auto pz = builtin_template("project-zomboid");
  std::set<std::string> ledger;
  const agent_id agent{"a1"};
  const auto taken = [&](protocol p, uint16_t n) { return ledger.contains(port_claim(agent, p, n)); };
  int servers = 0;
  for (;; ++servers) {
    const auto r = choose_ports(pz, {}, taken);
    if (!r) break;
    for (const auto& p : *r) REQUIRE(ledger.insert(port_claim(agent, p.proto, p.number)).second);
    REQUIRE(servers < 1000);
  }
  CHECK(servers == 70);  // 16261 to 16400 in steps of two
}
