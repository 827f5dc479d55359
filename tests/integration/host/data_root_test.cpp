#include <sys/stat.h>

#include <thread>
#include <vector>

#include "integration/host/files.hpp"
#include "tests/integration/host/disk.hpp"

using namespace zedops;
using host::root_made;
using test::disk;
namespace fs = std::filesystem;

TEST_CASE("data root: the first use makes the folder and its marker, the second nothing", "[integration][host][fc-2]") {
  disk d;
  d.root.data_path = (d.path / "a/b/servers").string();
  CHECK(host::prepare_root(d.root) == root_made::created);
  CHECK(fs::exists(d.servers() / host::marker_name));
  auto written = fs::last_write_time(d.servers() / host::marker_name);
  CHECK(host::prepare_root(d.root) == root_made::existed);
  CHECK(fs::last_write_time(d.servers() / host::marker_name) == written);
}

TEST_CASE("data root: one that holds something but lost its marker is not marked again", "[integration][host][fc-2]") {
  disk d;
  d.prepare();
  d.write("alpha/data/map.bin");
  fs::remove(d.servers() / host::marker_name);
  auto again = host::prepare_root(d.root);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == msg::ec::data_unknown);
  CHECK(again.error().hint.find(d.root.owner) != std::string::npos);
  CHECK_FALSE(fs::exists(d.servers() / host::marker_name));
}

TEST_CASE("data root: the remedy that the refusal names works", "[integration][host]") {
  disk d;
  d.write("alpha/data/map.bin");
  REQUIRE_FALSE(host::prepare_root(d.root));
  std::ofstream(d.servers() / host::marker_name) << d.root.owner << "\n";
  CHECK(host::prepare_root(d.root) == root_made::existed);
  CHECK(d.check("alpha").state == msg::data_state::present);
}

TEST_CASE("data root: one of another owner is left alone", "[integration][host]") {
  disk d;
  d.prepare();
  auto other = d.root;
  other.owner = "another-agent";
  auto taken = host::prepare_root(other);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().message.find(d.root.owner) != std::string::npos);
  CHECK(host::prepare_root(d.root) == root_made::existed);
}

TEST_CASE("data root: a fresh disk's lost+found and a crashed first try are no obstacle", "[integration][host]") {
  disk d;
  fs::create_directories(d.servers() / "lost+found");
  std::ofstream(d.servers() / ".zedops-data-root.new") << "half";
  CHECK(host::prepare_root(d.root) == root_made::created);
  CHECK_FALSE(fs::exists(d.servers() / ".zedops-data-root.new"));
}

TEST_CASE("data root: several calls at once leave one whole marker", "[integration][host]") {
  disk d;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back([&] { (void)host::prepare_root(d.root); });
  for (auto& t : threads) t.join();
  CHECK(host::prepare_root(d.root) == root_made::existed);
}

TEST_CASE("data root: system folders and relative paths are refused", "[integration][host]") {
  for (const char* path : {"/etc", "/", "relative", "/srv/../etc/x"})
    CHECK(host::prepare_root({path, "owner"}).error().code == msg::ec::bad_request);
}

TEST_CASE("directories: are made with mode 0755 whatever the umask, and kept if they exist",
          "[integration][host][acc-13]") {
  disk d;
  d.prepare();
  auto old = ::umask(0077);
  auto made = host::make_dirs({d.root, "alpha", {"bin", "data", "logs/console"}, {}, {}});
  ::umask(old);
  CHECK(made == 5u);
  for (const char* dir : {"alpha", "alpha/bin", "alpha/data", "alpha/logs/console"})
    CHECK(fs::status(d.servers() / dir).permissions() == fs::perms(0755));
  d.write("alpha/data/map.bin");
  fs::permissions(d.servers() / "alpha/data", fs::perms(0700));
  CHECK(host::make_dirs({d.root, "alpha", {"bin", "data"}, {}, {}}) == 0u);
  CHECK(fs::exists(d.servers() / "alpha/data/map.bin"));
  CHECK(fs::status(d.servers() / "alpha/data").permissions() == fs::perms(0700));
}

TEST_CASE("directories: are given to the game's user, also after a crash in between", "[integration][host]") {
  if (!test::is_root()) return;
  disk d;
  d.prepare();
  fs::create_directories(d.servers() / "alpha/data");  // made, but its owner not changed yet
  REQUIRE(host::make_dirs({d.root, "alpha", {"bin", "data"}, 1430, 1431}));
  for (const char* dir : {"alpha/bin", "alpha/data"}) {
    struct stat info {};
    REQUIRE(::stat((d.servers() / dir).c_str(), &info) == 0);
    CHECK(info.st_uid == 1430);
    CHECK(info.st_gid == 1431);
  }
}

TEST_CASE("directories: are not made through links, outside, or without the marker", "[integration][host][acc-61]") {
  disk d;
  d.prepare();
  fs::create_directories(d.path / "outside");
  fs::create_symlink(d.path / "outside", d.servers() / "alpha");
  CHECK(host::make_dirs({d.root, "alpha", {"data"}, {}, {}}).error().code == msg::ec::data_unknown);
  fs::create_directories(d.servers() / "bravo");
  fs::create_symlink(d.path / "outside", d.servers() / "bravo/data");
  CHECK_FALSE(host::make_dirs({d.root, "bravo", {"data/x"}, {}, {}}));
  for (const char* dir : {"../charlie", "/tmp/x", "", ".", "a/../../b"})
    CHECK(host::make_dirs({d.root, "bravo", {dir}, {}, {}}).error().code == msg::ec::bad_request);
  CHECK(host::make_dirs({d.root, "../bravo", {"x"}, {}, {}}).error().code == msg::ec::invalid_name);
  CHECK(fs::is_empty(d.path / "outside"));
  fs::remove(d.servers() / host::marker_name);
  CHECK(host::make_dirs({d.root, "delta", {"data"}, {}, {}}).error().code == msg::ec::data_unknown);
  CHECK_FALSE(fs::exists(d.servers() / "delta"));
}

TEST_CASE("directories: a full disk is named as such", "[integration][host][fc-63]") {
  if (!test::is_root()) return;
  disk d;
  fs::create_directories(d.servers());
  CHECK(test::in_child([&]() -> std::string {
          if (!test::own_mounts()) return "no mount namespace";
          if (::mount("none", d.root.data_path.c_str(), "tmpfs", 0, "size=1m,nr_inodes=4") != 0) return "mount failed";
          if (!host::prepare_root(d.root)) return "not prepared";
          auto made = host::make_dirs({d.root, "alpha", {"a", "b", "c", "d"}, {}, {}});
          return made ? "made on a full disk" : std::string(msg::name_of(made.error().code));
        }) == "store_full");
}

TEST_CASE("rename: without RENAME_NOREPLACE of the kernel nothing is replaced either", "[integration][host]") {
  disk d;
  fs::create_directories(d.path / "dir/sub");
  fs::create_directories(d.path / "other/sub");
  std::ofstream(d.path / "file") << "one";
  std::ofstream(d.path / "second") << "two";
  const int at = ::open(d.path.c_str(), O_RDONLY | O_DIRECTORY);
  REQUIRE(at >= 0);
  for (auto* rename : {&host::rename_checked, &host::rename_new}) {
    CHECK(rename(at, "dir", at, "other") == EEXIST);
    CHECK(rename(at, "file", at, "second") == EEXIST);
    CHECK(rename(at, "nowhere", at, "new") == ENOENT);
    CHECK(rename(at, "dir", at, "new-dir") == 0);
    CHECK(fs::exists(d.path / "new-dir/sub"));
    CHECK_FALSE(fs::exists(d.path / "dir"));
    CHECK(rename(at, "file", at, "new-file") == 0);
    CHECK_FALSE(fs::exists(d.path / "file"));
    CHECK(rename(at, "new-file", at, "file") == 0);
    CHECK(rename(at, "new-dir", at, "dir") == 0);
  }
  ::close(at);
}
