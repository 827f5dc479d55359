// A container that was made by hand becomes a server.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

namespace {

struct by_hand : stage {
  std::string id;
  explicit by_hand(bool runs = true) {
    auto c = a_stranger("my-zomboid", 16300);
    on("alpha").images.insert(c.image);
    id = on("alpha").create(c);
    if (runs) on("alpha").start(id);
  }
  container* original() { return on("alpha").find(id); }
};
struct at_rest : by_hand {
  at_rest() : by_hand(false) {}
};

}  // namespace

TEST_CASE_METHOD(by_hand, "adopt: the server keeps what the container had, and the original is removed last",
                 "[sim][manager][fc-24]") {
  auto done = finish("adopt", an_adoption("my-zomboid", "pz1", "alpha"));
  INFO((!done ? done.error().message : done->operation.failure ? done->operation.failure->message : "adopted"));
  REQUIRE(done.has_value());
  CHECK(done->operation.status == op_status::succeeded);
  CHECK(done->operation.original == id);
  CHECK(!original());
  const auto s = server("pz1");
  CHECK(s.status == server_status::running);
  CHECK(s.desired == desired_state::running);
  CHECK(s.image == "registry.example/pz");
  CHECK(s.image_tag == "41");
  CHECK(s.env == std::map<std::string, std::string>{{"MOTD", "hello"}});
  CHECK(std::count(s.ports.begin(), s.ports.end(), reserved_port{port_role::game, protocol::udp, 16300}) == 1);
  REQUIRE(body_of("pz1"));
  CHECK(body_of("pz1")->alive());
  CHECK(body_of("pz1")->view.id == s.container_id);
  CHECK(on("alpha").data_of("pz1") == data_state::present);
}

TEST_CASE_METHOD(at_rest, "adopt: a stopped container becomes a stopped server", "[sim][manager][fc-24]") {
  REQUIRE(finish("adopt", an_adoption(id, "pz1", "alpha")).has_value());
  CHECK(status("pz1") == server_status::stopped);
  CHECK(server("pz1").desired == desired_state::stopped);
  CHECK(!original());
  REQUIRE(body_of("pz1"));
  CHECK(!body_of("pz1")->alive());
}

TEST_CASE_METHOD(by_hand, "adopt: a dry run says what would be done, and does nothing", "[sim][manager][fc-24]") {
  auto plan = operate("adopt", an_adoption("my-zomboid", "pz1", "alpha"), {.dry_run = true});
  REQUIRE(plan.has_value());
  std::string all;
  for (const auto& line : plan->plan) all += line + "\n";
  INFO(all);
  for (const auto* words : {"stop container my-zomboid", "copy /srv/old/data to pz1/data", "then remove container"})
    CHECK(all.find(words) != std::string::npos);
  advance(5s);
  CHECK(original()->alive());
  CHECK(server("pz1").id.empty());
}

TEST_CASE_METHOD(by_hand, "adopt: a failed adoption leaves everything as it was, and the name is free",
                 "[sim][manager][fc-24]") {
  at("alpha").fail_step = "switching";
  auto failed = finish("adopt", an_adoption("my-zomboid", "pz1", "alpha"));
  CHECK(code(failed) == "ok");
  REQUIRE(failed->operation.failure);
  CHECK(failed->operation.status == op_status::failed);
  CHECK(failed->server.status == server_status::purged);
  REQUIRE(original());
  CHECK(original()->alive());
  CHECK(original()->view.name == "my-zomboid");
  CHECK(!body_of("pz1"));
  CHECK(on("alpha").data_of("pz1") == data_state::absent);
  CHECK(code(ask<server_view>("server.get", get_server{"pz1"})) == "not_found");
  CHECK(finish("adopt", an_adoption("my-zomboid", "pz1", "alpha")).has_value());
  CHECK(status("pz1") == server_status::running);
}

TEST_CASE_METHOD(by_hand, "adopt: refusals name cause and remedy and are recorded", "[sim][manager][fc-24][acc-21]") {
  struct row {
    const char* what;
    adopt_server r;
    const char* code;
  };
  auto no_agent = an_adoption("my-zomboid", "pz1", "");
  auto no_template = an_adoption("my-zomboid", "pz1", "alpha");
  no_template.template_name = "project-zombiod";
  running("taken");
  const auto before = facts<operation_refused>();
  size_t refused = 0;
  for (const auto& x :
       {row{"no such container", an_adoption("other", "pz1", "alpha"), "not_found"},
        row{"no container", an_adoption("", "pz1", "alpha"), "bad_request"}, row{"no agent", no_agent, "bad_request"},
        row{"no such agent", an_adoption("my-zomboid", "pz1", "beta"), "not_found"},
        row{"no such template", no_template, "bad_request"},
        row{"a name that is taken", an_adoption("my-zomboid", "taken", "alpha"), "already_exists"},
        row{"a bad name", an_adoption("my-zomboid", "P!", "alpha"), "invalid_name"},
        row{"one of ours", an_adoption("steam-zomboid-taken", "pz1", "alpha"), "already_exists"}}) {
    INFO(x.what);
    auto r = operate("adopt", x.r);
    CHECK(code(r) == x.code);
    if (!r) CHECK(!r.error().hint.empty());
    ++refused;
  }
  CHECK(facts<operation_refused>() - before == refused);
  CHECK(original()->alive());
}

TEST_CASE_METHOD(by_hand,
                 "adopt: the same key again is the same adoption, also while the agent still inspects the container",
                 "[sim][manager][fc-24][acc-28]") {
  auto one = send("server.adopt", an_adoption("my-zomboid", "pz1", "alpha"), {.key = "k"});
  auto two = send("server.adopt", an_adoption("my-zomboid", "pz1", "alpha"), {.key = "k"});
  REQUIRE(until([&] { return answered(one) && answered(two); }));
  auto a = answer<operation_reply>(one);
  auto b = answer<operation_reply>(two);
  REQUIRE((a && b));
  CHECK(a->operation.id == b->operation.id);
  REQUIRE(until([&] { return status("pz1") == server_status::running; }));
}

TEST_CASE("adopt: an agent that dies at any step goes on when it is back", "[sim][manager][fc-24][acc-48]") {
  for (const auto* step : {"stopping", "copying", "renaming", "creating", "starting", "switching", "removing_old"}) {
    INFO(step);
    by_hand x;
    x.at("alpha").crash_before = step;
    REQUIRE(x.operate("adopt", an_adoption("my-zomboid", "pz1", "alpha")).has_value());
    REQUIRE(x.until([&] { return !x.at("alpha").running(); }));
    x.at("alpha").start();
    REQUIRE(x.until([&] { return x.status("pz1") == server_status::running && !x.server("pz1").op; }, 120s));
    CHECK(!x.original());
    CHECK(x.body_of("pz1")->alive());
  }
}

TEST_CASE_METHOD(by_hand, "adopt: a container is adopted once", "[sim][manager][fc-24]") {
  on("alpha").find(id)->ports.clear();  // so that only the container itself conflicts
  on("alpha").find(id)->env.clear();
  auto wish = an_adoption(id, "pz1", "alpha");
  wish.game_port = 16290;
  auto other = an_adoption("my-zomboid", "pz2", "alpha");
  other.game_port = 16294;
  auto one = send("server.adopt", wish);
  auto two = send("server.adopt", other);
  REQUIRE(until([&] { return answered(one) && answered(two); }));
  CHECK(code(answer<operation_reply>(one)) == "ok");
  CHECK(code(answer<operation_reply>(two)) == "busy");
  CHECK(code(operate("adopt", other)) == "busy");
  REQUIRE(until([&] { return status("pz1") == server_status::running && !server("pz1").op; }));
  CHECK(code(operate("adopt", other)) == "not_found");
}

TEST_CASE_METHOD(by_hand,
                 "adopt: cancelled while in progress it answers with the operation, and everything is rolled back",
                 "[sim][manager][fc-24]") {
  auto op = operate("adopt", an_adoption("my-zomboid", "pz1", "alpha"));
  REQUIRE(op.has_value());
  // Some steps take less time than passes between two checks of until().
  const std::set<std::string> at_work = {"switching", "creating", "starting"};
  REQUIRE(until([&] { return server("pz1").op && at_work.contains(server("pz1").op->step); }));
  auto cancelled = ask<operation_view>("op.cancel", cancel_operation{op->operation.id.value});
  INFO((cancelled ? "" : cancelled.error().message));
  REQUIRE(cancelled.has_value());
  CHECK(cancelled->step == "cancelling");
  REQUIRE(until([&] { return original()->alive() && !body_of("pz1"); }));
  auto end = ask<operation_view>("op.get", get_operation{op->operation.id.value});
  REQUIRE(end.has_value());
  CHECK(end->status == op_status::cancelled);
}

TEST_CASE_METHOD(by_hand, "adopt: it goes on after the manager's death", "[sim][manager][fc-24][acc-48]") {
  REQUIRE(operate("adopt", an_adoption("my-zomboid", "pz1", "alpha")).has_value());
  crash_manager();
  boot();
  REQUIRE(until([&] { return status("pz1") == server_status::running && !server("pz1").op; }, 120s));
  CHECK(!original());
}
