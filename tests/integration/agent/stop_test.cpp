#include <fstream>

#include "tests/integration/agent/rig.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

namespace {

// busybox sh as process 1 ignores TERM unless it traps it.
const std::vector<std::string> obedient{"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"};
const std::vector<std::string> deaf{"sh", "-c", "trap '' TERM; while :; do sleep 1; done"};

}  // namespace

TEST_CASE_METHOD(rig, "agent: stop, start and restart keep the same container",
                 "[integration][agent][acc-36][acc-45]") {
  auto plan = busybox("same", obedient);
  welcome();
  auto id = run(command(command_kind::run, "same", plan)).after.view.id;
  auto stopped = run(command(command_kind::stop, "same", plan));
  CHECK_FALSE(stopped.failure);
  CHECK(stopped.note.find("stopped cleanly after") == 0);
  CHECK(stopped.after.view.state == container_state::exited);
  auto started = run(command(command_kind::run, "same", plan));
  CHECK_FALSE(started.failure);
  CHECK(started.after.view.id == id);
  auto restarted = run(command(command_kind::restart, "same", plan));
  CHECK_FALSE(restarted.failure);
  CHECK(restarted.after.view.id == id);
  CHECK(restarted.after.view.state == container_state::running);
  CHECK(restarted.after.view.started_at > started.after.view.started_at);
}

TEST_CASE_METHOD(rig, "agent: a server that ignores the signal is killed after its grace period, and this is reported",
                 "[integration][agent][acc-16]") {
  auto plan = busybox("deaf", deaf);
  welcome();
  run(command(command_kind::run, "deaf", plan));
  auto r = run(command(command_kind::stop, "deaf", plan));
  CHECK_FALSE(r.failure);
  CHECK(r.note == "killed after 1 s");
  CHECK(r.after.view.exit_code == 137);
}

TEST_CASE_METHOD(rig, "agent: an unreachable RCON delays no stop", "[integration][agent][acc-16]") {
  auto plan = busybox("norcon", obedient);
  plan.stop.rcon = {27015, "secret", {"save"}, 500ms, 0ms};
  welcome();
  run(command(command_kind::run, "norcon", plan));
  auto r = run(command(command_kind::stop, "norcon", plan));
  CHECK_FALSE(r.failure);
  CHECK(r.note.find("not saved: ") == 0);
  CHECK(r.note.find("stopped cleanly") != std::string::npos);
}

TEST_CASE_METHOD(rig, "agent: without a container a stop succeeds, a restart does not",
                 "[integration][agent][acc-44]") {
  auto plan = busybox("none", obedient);
  welcome();
  auto stopped = run(command(command_kind::stop, "none", plan));
  CHECK_FALSE(stopped.failure);
  CHECK(stopped.after.container == presence::absent);
  auto restarted = run(command(command_kind::restart, "none", plan));
  REQUIRE(restarted.failure);
  CHECK(restarted.failure->code == ec::not_found);
}

TEST_CASE_METHOD(rig, "agent: a paused container is woken by run, and stopped by stop", "[integration][agent][fc-8]") {
  auto plan = busybox("frozen", obedient);
  welcome();
  auto id = run(command(command_kind::run, "frozen", plan)).after.view.id;
  docker("pause " + id);
  auto woken = run(command(command_kind::run, "frozen", plan));
  CHECK(woken.after.view.state == container_state::running);
  docker("pause " + id);
  auto stopped = run(command(command_kind::stop, "frozen", plan));
  CHECK_FALSE(stopped.failure);
  CHECK(stopped.after.view.state == container_state::exited);
}

TEST_CASE_METHOD(
    rig, "agent: remove takes the server's containers, not those that merely carry its labels, and leaves the data",
    "[integration][agent][acc-49][acc-58]") {
  auto plan = busybox("away", obedient);
  welcome();
  run(command(command_kind::run, "away", plan));
  std::ofstream(data_root() + "/away/data/world") << "precious";
  const auto labels = " --label zedops.managed=true --label zedops.manager=" + manager_id() +
                      " --label zedops.server.id=" + server("away").value;
  docker("run -d --name " + plan.container.name + ".old-o1" + labels + " zedops/busybox:test sleep 1000");
  docker("commit " + plan.container.name + " zedops.test/debug");
  auto look = docker("run -d zedops.test/debug sleep 1000");  // the labels come with the image
  look.pop_back();
  REQUIRE(containers("away").size() == 3);
  auto r = run(command(command_kind::remove, "away", plan));
  INFO((r.failure ? r.failure->message : ""));
  CHECK_FALSE(r.failure);
  CHECK(r.after.container == presence::absent);
  CHECK(r.after.data == data_state::present);
  CHECK(r.after.rivals == std::vector<std::string>{look});
  CHECK(containers("away").size() == 1);
  docker("rm -f " + look);
  docker("rmi zedops.test/debug");
  CHECK(std::filesystem::exists(data_root() + "/away/data/world"));

  auto purge = command(command_kind::purge, "away", plan);
  auto kept = run(purge);
  CHECK_FALSE(kept.failure);
  CHECK(kept.after.data_bytes == 8u);
  CHECK(std::filesystem::exists(data_root() + "/away/data/world"));
}

TEST_CASE_METHOD(rig, "agent: purge with data removes the server's tree and nothing else",
                 "[integration][agent][acc-57][acc-61][fc-31]") {
  auto plan = busybox("old", obedient);
  auto other = busybox("older", obedient);
  welcome();
  run(command(command_kind::run, "old", plan));
  run(command(command_kind::run, "older", other));
  std::ofstream(data_root() + "/old/data/world") << "12345";
  std::ofstream(data_root() + "/older/data/world") << "12345";
  auto purge = command(command_kind::purge, "old", plan);
  purge.remove_data = true;
  auto r = run(purge);
  INFO((r.failure ? r.failure->message : ""));
  CHECK_FALSE(r.failure);
  CHECK(r.bytes_removed == 5u);
  CHECK(r.after.container == presence::absent);
  CHECK(r.after.data == data_state::absent);
  CHECK_FALSE(std::filesystem::exists(data_root() + "/old"));
  CHECK(std::filesystem::exists(data_root() + "/older/data/world"));

  // Backups in a tree stay, and do not block a new server of that name.
  std::filesystem::create_directories(data_root() + "/older/backups");
  std::ofstream(data_root() + "/older/backups/one.tar.gz") << "1234567";
  purge = command(command_kind::purge, "older", other);
  purge.remove_data = true;
  auto kept = run(purge);
  CHECK_FALSE(kept.failure);
  CHECK(kept.bytes_removed == 5u);
  CHECK(kept.after.data == data_state::absent);
  CHECK(kept.note.find("its backups are kept in " + data_root() + "/older/backups") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(data_root() + "/older/data"));
  CHECK(std::filesystem::exists(data_root() + "/older/backups/one.tar.gz"));

  std::filesystem::create_directory_symlink("/etc", data_root() + "/old");
  auto trap = command(command_kind::purge, "old", plan);
  trap.remove_data = true;
  auto refused = run(trap);
  CHECK(refused.failure);
  CHECK(std::filesystem::exists("/etc/passwd"));
}
