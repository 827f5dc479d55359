#include "actors/agent/engine/labels.hpp"
#include "tests/integration/agent/rig.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

namespace {

// The Engine lists mounts in no order.
std::vector<mount> sorted(std::vector<mount> all) {
  std::sort(all.begin(), all.end(), [](const mount& a, const mount& b) { return a.target < b.target; });
  return all;
}

}  // namespace

TEST_CASE_METHOD(rig, "agent: a container is made exactly as planned, with its networks and directories",
                 "[integration][agent][acc-10][acc-13][acc-14]") {
  auto shared = "foreign-" + manager_id();
  docker("network create " + shared);
  auto plan = zomboid("pz1");
  plan.container.networks.push_back(shared);
  welcome();
  auto c = command(command_kind::run, "pz1", plan);
  auto r = run(c);
  INFO((r.failure ? r.failure->message : ""));
  REQUIRE_FALSE(r.failure);
  CHECK(r.fresh_start);
  REQUIRE(r.after.container == presence::present);
  CHECK(r.after.view.state == container_state::running);
  CHECK(r.after.drift.empty());

  auto made = inspect(r.after.view.id);
  CHECK(made.view.name == plan.container.name);
  CHECK(made.view.image == plan.container.image);
  CHECK(made.ports == plan.container.ports);
  CHECK(sorted(made.mounts) == sorted(plan.container.mounts));
  CHECK(std::set<std::string>(made.networks.begin(), made.networks.end()) ==
        std::set<std::string>(plan.container.networks.begin(), plan.container.networks.end()));
  for (const auto& [k, v] : plan.container.env) CHECK(made.env.at(k) == v);
  for (const auto& [k, v] : plan.container.labels) CHECK(made.view.labels.at(k) == v);
  CHECK(made.view.labels.at("zedops.manager") == manager_id());
  CHECK(made.view.labels.at("zedops.server.id") == server("pz1").value);
  CHECK(made.view.labels.at("zedops.operation") == c.op.value);
  CHECK(docker("inspect -f '{{.HostConfig.RestartPolicy.Name}}' " + made.view.id) == "unless-stopped\n");
  CHECK(docker("network inspect -f '{{index .Labels \"zedops.managed\"}}' " + plan.container.networks[0]) == "true\n");
  CHECK(docker("network inspect -f '{{len .Labels}}' " + shared) == "0\n");
  CHECK(std::filesystem::is_directory(data_root() + "/pz1/bin"));

  SECTION("the same command again repeats its report and makes nothing") {
    auto again = run(c);
    CHECK(again.after.view.id == made.view.id);
    CHECK(containers("pz1").size() == 1);
  }
  SECTION("a second attempt finds it running") {
    c.attempt = 2;
    auto again = run(c);
    CHECK_FALSE(again.failure);
    CHECK(again.after.view.id == made.view.id);
    CHECK(again.note == "was running already");
  }
  SECTION("recreated after its removal, every field is the same") {
    docker("rm -f " + made.view.id);
    auto second = command(command_kind::run, "pz1", plan);
    second.demand = data_demand::present;
    second.container_id = made.view.id;
    auto back = run(second);
    INFO((back.failure ? back.failure->message : ""));
    REQUIRE_FALSE(back.failure);
    CHECK_FALSE(back.fresh_start);
    auto now = inspect(back.after.view.id);
    CHECK(now.view.id != made.view.id);
    CHECK(now.env == made.env);
    CHECK(now.ports == made.ports);
    CHECK(sorted(now.mounts) == sorted(made.mounts));
    CHECK(now.networks == made.networks);
    CHECK(now.view.image == made.view.image);
  }
  docker("ps -aq --filter label=zedops.manager=" + manager_id() + " | xargs -r docker -H " + docker_host() + " rm -f");
  docker("network rm " + plan.container.networks[0] + " " + plan.container.networks[1] + " " + shared);
}

TEST_CASE_METHOD(rig, "agent: a missing server without data is not created unless that is asked for",
                 "[integration][agent][acc-38][acc-39]") {
  auto plan = busybox("empty", {"sleep", "1000"});
  welcome();
  auto c = command(command_kind::run, "empty", plan);
  c.demand = data_demand::present;
  auto r = run(c);
  REQUIRE(r.failure);
  CHECK(r.failure->code == ec::no_data);
  CHECK(r.failure->message == "Cannot start server, no data found");
  CHECK(r.after.container == presence::absent);
  CHECK(r.after.data == data_state::absent);
  CHECK(containers("empty").empty());
  CHECK_FALSE(std::filesystem::exists(data_root() + "/empty"));

  auto fresh = run(command(command_kind::run, "empty", plan));
  CHECK_FALSE(fresh.failure);
  CHECK(fresh.fresh_start);
}

TEST_CASE_METHOD(rig, "agent: while the data cannot be seen nothing is permitted, not even a fresh start",
                 "[integration][agent][acc-39][fc-2]") {
  auto plan = busybox("disk", {"sleep", "1000"});
  welcome();
  REQUIRE_FALSE(run(command(command_kind::run, "disk", plan)).failure);
  docker("rm -f " + plan.container.name);
  std::filesystem::remove(data_root() + "/.zedops-data-root");  // as if the disk were not mounted
  auto r = run(command(command_kind::run, "disk", plan));
  REQUIRE(r.failure);
  CHECK(r.failure->code == ec::data_unknown);
  CHECK(r.after.data == data_state::unknown);
  CHECK(containers("disk").empty());
}

TEST_CASE_METHOD(rig, "agent: a foreign container that holds the name is named and left alone",
                 "[integration][agent][acc-21][fc-64]") {
  auto plan = busybox("taken", {"sleep", "1000"});
  welcome();
  auto id = docker("create --name " + plan.container.name + " zedops/busybox:test true");
  id.pop_back();
  auto r = run(command(command_kind::run, "taken", plan));
  REQUIRE(r.failure);
  CHECK(r.failure->message.find(plan.container.name) != std::string::npos);
  CHECK(r.failure->message.find(id.substr(0, 12)) != std::string::npos);
  CHECK_FALSE(gone(id));
  docker("rm -f " + id);
}

TEST_CASE_METHOD(rig, "agent: a taken port is refused with its holder's name, before anything is touched",
                 "[integration][agent][acc-47][fc-46]") {
  auto holder = busybox("holder", {"sleep", "1000"});
  const auto port = free_port();
  holder.container.ports = {{port, port, protocol::udp, {}}};
  auto late = busybox("late", {"sleep", "1000"});
  late.container.ports = holder.container.ports;
  welcome();
  REQUIRE_FALSE(run(command(command_kind::run, "holder", holder)).failure);
  auto r = run(command(command_kind::run, "late", late));
  REQUIRE(r.failure);
  CHECK(r.failure->code == ec::port_conflict);
  CHECK(r.failure->message == "port " + std::to_string(port) + "/udp is taken by container " + holder.container.name);
  CHECK(containers("late").empty());
}

TEST_CASE_METHOD(rig, "agent: a container that cannot be started is removed again, and its error is kept unchanged",
                 "[integration][agent][acc-40]") {
  auto plan = busybox("broken", {"/no/such/program"});
  welcome();
  auto r = run(command(command_kind::run, "broken", plan));
  REQUIRE(r.failure);
  CHECK(r.failure->message.find("/no/such/program") != std::string::npos);
  CHECK(r.after.container == presence::absent);
  CHECK(containers("broken").empty());
  plan.container.command = {"sleep", "1000"};
  CHECK_FALSE(run(command(command_kind::run, "broken", plan)).failure);
}

TEST_CASE_METHOD(rig, "agent: an unreachable registry does not matter when the image is present",
                 "[integration][agent][acc-15][fc-17]") {
  const auto image = "127.0.0.1:" + std::to_string(free_port()) + "/game:1";
  docker("tag zedops/busybox:test " + image);
  auto plan = busybox("offline", {"sleep", "1000"});
  plan.container.image = image;
  plan.pull = pull_policy::always;
  welcome();
  auto r = run(command(command_kind::run, "offline", plan));
  INFO((r.failure ? r.failure->message : ""));
  CHECK_FALSE(r.failure);
  CHECK(r.note.find("registry unreachable, used local image") == 0);

  docker("rm -f " + plan.container.name);
  docker("rmi " + image);
  auto none = run(command(command_kind::run, "offline", plan));
  REQUIRE(none.failure);
  CHECK(none.failure->code == ec::pull_failed);
}
