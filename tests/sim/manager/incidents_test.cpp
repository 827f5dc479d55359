// What an agent did on its own is recorded in the histories of its servers: all of it, in order, once.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

namespace {

struct incident_stage : stage {
  incident about(const std::string& name, uint64_t seq, incident_kind kind, duration ago) {
    incident i;
    i.seq = seq;
    i.server = server(name).id;
    i.kind = kind;
    i.container_id = "c1";
    i.detail = "4 crashes within 10m";
    i.at = wall.wall() - ago;
    return i;
  }
  void tells(std::vector<incident> list) { net.say(at("alpha").wire(), incidents{std::move(list)}); }
  std::vector<incident> history(const std::string& name) {
    audit.read_log(nullptr);
    std::vector<incident> out;
    for (const auto& e : audit.log())
      for (const auto& f : e.facts)
        if (const auto* a = std::get_if<agent_acted>(&f.what); a && a->what.server == server(name).id)
          out.push_back(a->what);
    return out;
  }
};

}  // namespace

TEST_CASE_METHOD(incident_stage, "incidents are recorded in order with the host's own times, then acknowledged",
                 "[sim][manager][fc-38]") {
  running("pz1");
  running("pz2");
  const std::vector<incident> one{about("pz1", 1, incident_kind::exited, 1h),
                                  about("pz1", 3, incident_kind::restarted, 59min)};
  const auto other = about("pz2", 2, incident_kind::boot_started, 59min);
  tells({one[0], other, one[1]});
  REQUIRE(until([&] { return at("alpha").incidents_taken_upto == 3; }, 5s));
  CHECK(history("pz1") == one);
  CHECK(history("pz2") == std::vector<incident>{other});
  CHECK(status("pz1") == server_status::running);  // an incident is history: the status comes from observations
}

TEST_CASE_METHOD(incident_stage,
                 "incidents that are reported again, also to a manager that was killed, are recorded once",
                 "[sim][manager][fc-38][acc-49]") {
  running("pz1");
  const std::vector<incident> all{about("pz1", 1, incident_kind::exited, 1h),
                                  about("pz1", 2, incident_kind::restarted, 1h)};
  tells(all);
  REQUIRE(until([&] { return at("alpha").incidents_taken_upto == 2; }, 5s));
  at("alpha").incidents_taken_upto = 0;
  tells(all);
  REQUIRE(until([&] { return at("alpha").incidents_taken_upto == 2; }, 5s));
  crash_manager();
  boot();
  advance(10s);  // the old connection is found dead, a new session begins
  REQUIRE(at("alpha").in_session());
  at("alpha").incidents_taken_upto = 0;
  tells(all);
  REQUIRE(until([&] { return at("alpha").incidents_taken_upto == 2; }, 5s));
  CHECK(history("pz1") == all);
}

TEST_CASE_METHOD(incident_stage, "incidents that could not be written are not acknowledged", "[sim][manager][fc-63]") {
  running("pz1");
  db.fail_commit(1, broken_disk());
  tells({about("pz1", 1, incident_kind::exited, 1h)});
  advance(1s);
  CHECK(at("alpha").incidents_taken_upto == 0);
  tells({about("pz1", 1, incident_kind::exited, 1h)});
  CHECK(until([&] { return at("alpha").incidents_taken_upto == 1; }, 5s));
  CHECK(history("pz1").size() == 1);
}

TEST_CASE_METHOD(incident_stage, "incidents of unknown servers or of another agent's are acknowledged and dropped",
                 "[sim][manager]") {
  add_host("beta");
  REQUIRE(until([&] { return in_sync("beta"); }));
  running("theirs", "beta");
  running("pz1");
  auto unknown = about("pz1", 1, incident_kind::exited, 1h);
  unknown.server = {"s-nobody"};
  tells({unknown, about("theirs", 2, incident_kind::exited, 1h), about("pz1", 3, incident_kind::exited, 1h)});
  REQUIRE(until([&] { return at("alpha").incidents_taken_upto == 3; }, 5s));
  CHECK(history("pz1").size() == 1);
  CHECK(history("theirs").empty());
}

TEST_CASE_METHOD(incident_stage,
                 "a server that its agent gave up stays stopped with a remedy, and remains desired running",
                 "[sim][manager][fc-59]") {
  running("pz1");
  on("alpha").stop(body_of("pz1")->view.id);
  REQUIRE(until([&] { return status("pz1") == server_status::stopped; }));
  tells({about("pz1", 1, incident_kind::gave_up, 0s)});
  REQUIRE(until([&] { return server("pz1").last_error.has_value(); }, 5s));
  CHECK(server("pz1").last_error->hint.find("zedctl server start pz1") != std::string::npos);
  CHECK(server("pz1").desired == desired_state::running);
  advance(60s);
  CHECK(status("pz1") == server_status::stopped);  // the manager does not restart it either
  CHECK(finish("start", start_server{"pz1"}).has_value());
  CHECK_FALSE(server("pz1").last_error.has_value());
}
