// What an image brings along: volumes that it declares, and its own user.
#include <sys/stat.h>

#include <fstream>

#include "actors/agent/engine/labels.hpp"
#include "tests/integration/agent/rig.hpp"
#include "tests/integration/agent/trees.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;
namespace fs = std::filesystem;

namespace {

// Writes into the data what it sees of /world at each start.
const std::vector<std::string> looking{
    "sh", "-c",
    "cat /world/save >> /data/seen; echo >> /data/looked; trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"};

struct image_maker : rig {
  std::string image = "zedops/" + manager_id() + ":test";

  // The test image with a file in /world, and these instructions of a Dockerfile.
  void make_image(const std::string& changes) {
    const auto c = "maker-" + manager_id();
    docker("create --name " + c + " zedops/busybox:test true");
    fs::create_directories(data_root() + "/seed");
    std::ofstream(data_root() + "/seed/default.cfg") << "seed";
    docker("cp " + data_root() + "/seed " + c + ":/world");
    docker("commit " + changes + " " + c + " " + image);
    docker("rm " + c);
    fs::remove_all(data_root() + "/seed");
  }
  ~image_maker() { docker("rmi -f " + image); }
  server_plan plan_of(const std::string& name, std::vector<std::string> words = looking) {
    auto p = busybox(name, std::move(words));
    p.container.image = image;
    return p;
  }
  bool has_looked(const std::string& name) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < until)
      if (text_of(fs::path(data_root()) / name / "data/looked") == "\n") return true;
      else std::this_thread::yield();
    return false;
  }
  std::string volumes() { return docker("volume ls -q | sort | tr '\\n' ' '"); }
};

}  // namespace

TEST_CASE_METHOD(image_maker, "agent: data in a volume that the image declares belongs to the server",
                 "[integration][agent][acc-42][fc-14]") {
  make_image("-c 'VOLUME /world' -c 'VOLUME /data'");  // the template mounts the second itself
  const auto before = volumes();
  auto plan = plan_of("vol");
  welcome();
  auto r = run(command(command_kind::run, "vol", plan));
  INFO((r.failure ? r.failure->message : ""));
  REQUIRE_FALSE(r.failure);
  const auto world = fs::path(data_root()) / "vol/volumes/world";
  CHECK(text_of(world / "default.cfg") == "seed");  // the Engine fills it, as any volume
  CHECK(r.after.data == data_state::present);
  const auto seen = fs::path(data_root()) / "vol/data/seen";
  REQUIRE(has_looked("vol"));  // before there was anything to see
  std::ofstream(world / "save") << "precious\n";

  auto replace = command(command_kind::replace, "vol", plan);
  replace.container_id = r.after.view.id;
  r = run(replace);
  INFO((r.failure ? r.failure->message : ""));
  REQUIRE_FALSE(r.failure);
  CHECK(text_of(world / "save") == "precious\n");
  CHECK(text_of(seen) == "precious\n");

  docker("rm -f " + r.after.view.id);  // by hand, without -v
  r = run(command(command_kind::run, "vol", plan));
  CHECK(text_of(seen) == "precious\nprecious\n");

  auto purge = command(command_kind::purge, "vol", plan);
  purge.remove_data = true;
  purge.container_id = r.after.view.id;
  r = run(purge);
  CHECK_FALSE(r.failure);
  CHECK_FALSE(fs::exists(data_root() + "/vol"));
  CHECK(volumes() == before);
}

TEST_CASE_METHOD(image_maker, "agent: a volume that was filled before it was known stays with the server from then on",
                 "[integration][agent][acc-42][fc-14]") {
  make_image("-c 'VOLUME /world'");
  const auto before = volumes();
  auto plan = plan_of("carried");
  welcome();
  REQUIRE_FALSE(run(command(command_kind::run, "other", busybox("other", living))).failure);  // marks the root
  fs::create_directories(data_root() + "/carried/data");
  const auto labels = " --label zedops.managed=true --label zedops.manager=" + manager_id() +
                      " --label zedops.server.id=" + server("carried").value;
  docker("run -d --name " + plan.container.name + labels + " -v " + data_root() + "/carried/data:/data " + image +
         " sh -c 'echo precious > /world/save; trap \"exit 0\" TERM; while :; do sleep 1000 & wait $!; done'");
  const auto old = docker("inspect -f '{{.Id}}' " + plan.container.name).substr(0, 64);
  auto replace = command(command_kind::replace, "carried", plan);
  replace.container_id = old;
  std::string seen;
  for (int i = 0; i < 2; ++i) {
    auto r = run(replace);
    INFO((r.failure ? r.failure->message : ""));
    REQUIRE_FALSE(r.failure);
    seen += "precious\n";
    CHECK(text_of(data_root() + "/carried/data/seen") == seen);
    replace = command(command_kind::replace, "carried", plan);
    replace.container_id = r.after.view.id;
  }
  auto purge = command(command_kind::purge, "carried", plan);
  purge.remove_data = true;
  CHECK_FALSE(run(purge).failure);
  CHECK(volumes() == before);
}

TEST_CASE_METHOD(image_maker, "agent: a change of the volumes that the image declares is reported, and removes no data",
                 "[integration][agent][acc-42][fc-14]") {
  make_image("-c 'VOLUME /world'");
  auto plan = plan_of("changing");
  welcome();
  auto r = run(command(command_kind::run, "changing", plan));
  REQUIRE_FALSE(r.failure);
  std::ofstream(data_root() + "/changing/volumes/world/save") << "precious\n";
  make_image("-c 'VOLUME /extra'");  // the tag names another image from now on
  for (int i = 0; i < 2; ++i) {
    auto replace = command(command_kind::replace, "changing", plan);
    replace.container_id = r.after.view.id;
    r = run(replace);
    INFO((r.failure ? r.failure->message : ""));
    REQUIRE_FALSE(r.failure);
    CHECK(r.note.find("does not declare the volume /world any more") != std::string::npos);
    CHECK((r.note.find("declares a volume /extra now") != std::string::npos) == (i == 0));
    CHECK(docker("exec " + r.after.view.id + " cat /world/save") == "precious\n");
  }
}

TEST_CASE_METHOD(image_maker, "agent: new folders belong to the user that the image runs as", "[integration][agent]") {
  if (::geteuid() != 0) return;  // only root can give something away
  make_image(GENERATE("-c 'USER 1234'", "-c 'USER 1234:77'"));
  auto plan = plan_of("user", {"sh", "-c", "echo mine > /data/save; sleep 1000"});
  welcome();
  auto r = run(command(command_kind::run, "user", plan));
  INFO((r.failure ? r.failure->message : ""));
  REQUIRE_FALSE(r.failure);
  for (int i = 0; i < 50 && !fs::exists(data_root() + "/user/data/save"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(text_of(data_root() + "/user/data/save") == "mine\n");
  struct stat info {};
  REQUIRE(::stat((data_root() + "/user/data").c_str(), &info) == 0);
  CHECK(info.st_uid == 1234);
}
