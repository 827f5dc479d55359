#include <chrono>
#include <iostream>

#include "tests/integration/host/disk.hpp"

using namespace zedops;
using host::sizing;
using msg::data_state;
using test::disk;
using test::in_child;
namespace fs = std::filesystem;

TEST_CASE("data: absent, empty and present are distinguished", "[integration][host][fc-3]") {
  disk d;
  d.prepare();
  CHECK(d.check("alpha").state == data_state::absent);

  fs::create_directories(d.servers() / "alpha");
  CHECK(d.check("alpha").state == data_state::absent);

  fs::create_directories(d.servers() / "alpha/data/Saves/Multiplayer");
  auto report = d.check("alpha");
  CHECK(report.state == data_state::empty);
  REQUIRE(report.dirs.size() == 2);
  CHECK(report.dirs[0].state == data_state::absent);
  CHECK(report.dirs[1].state == data_state::empty);
  CHECK(report.dirs[1].path == (d.servers() / "alpha/data").string());

  d.write("alpha/data/Saves/Multiplayer/map.bin");
  CHECK(d.check("alpha").state == data_state::present);
}

TEST_CASE("data: only directories that count make a server's data present", "[integration][host]") {
  disk d;
  d.prepare();
  d.write("alpha/bin/game.so");
  fs::create_directories(d.servers() / "alpha/data");
  auto report = d.check("alpha");
  CHECK(report.dirs[0].state == data_state::present);
  CHECK(report.state == data_state::empty);
}

TEST_CASE("data: a link or special file is content", "[integration][host]") {
  disk d;
  d.prepare();
  fs::create_directories(d.servers() / "alpha/data");
  fs::create_symlink("/nowhere", d.servers() / "alpha/data/link");
  CHECK(d.check("alpha").state == data_state::present);
}

TEST_CASE("data: a root without its marker leaves everything unknown", "[integration][host][fc-2]") {
  disk d;
  CHECK(d.check("alpha").state == data_state::unknown);  // no root at all
  d.prepare();
  d.write("alpha/data/map.bin");
  REQUIRE(d.check("alpha").state == data_state::present);

  fs::remove(d.servers() / host::marker_name);
  auto report = d.check("alpha");
  CHECK(report.state == data_state::unknown);
  CHECK(report.error.find(host::marker_name) != std::string::npos);
  CHECK(d.check("missing-server").state == data_state::unknown);

  std::ofstream(d.servers() / host::marker_name) << "somebody-else\n";
  report = d.check("alpha");
  CHECK(report.state == data_state::unknown);
  CHECK(report.error.find("somebody-else") != std::string::npos);

  fs::remove(d.servers() / host::marker_name);
  fs::create_directory(d.servers() / host::marker_name);  // unreadable as a file
  CHECK(d.check("alpha").state == data_state::unknown);
}

TEST_CASE("data: a disk that is unmounted makes data unknown, never absent", "[integration][host][fc-2]") {
  if (!test::is_root()) return;
  disk d;
  fs::create_directories(d.servers());
  CHECK(in_child([&]() -> std::string {
          if (!test::own_mounts()) return "no mount namespace";
          auto at = d.root.data_path;
          if (::mount("none", at.c_str(), "tmpfs", 0, "size=1m") != 0) return "mount failed";
          if (!host::prepare_root(d.root)) return "not prepared";
          d.write("alpha/data/map.bin");
          if (d.check("alpha").state != data_state::present) return "not present while mounted";
          if (::umount(at.c_str()) != 0) return "umount failed";
          if (d.check("alpha").state != data_state::unknown) return "not unknown after the unmount";
          if (host::make_dirs({d.root, "alpha", {"data"}, {}, {}})) return "directories made on the bare mount point";
          if (d.remove("alpha")) return "a removal on the bare mount point succeeded";
          return {};
        }) == "");
  CHECK(fs::is_empty(d.servers()));
}

TEST_CASE("data: unreadable data is unknown, not absent", "[integration][host][fc-2]") {
  if (!test::is_root()) return;
  disk d;
  d.prepare();
  fs::create_directories(d.servers() / "alpha/data/locked");
  d.write("bravo/data/locked/hidden");
  d.write("bravo/data/open/seen");
  auto as_nobody = [&](const std::string& name) {
    return in_child([&]() -> std::string {
      if (::setegid(65534) != 0 || ::seteuid(65534) != 0) return "cannot change the user";
      auto report = d.check(name);
      return std::string(msg::name_of(report.state)) + (report.error.empty() ? "" : " with error");
    });
  };
  for (const char* locked : {"alpha/data/locked", "bravo/data/locked"})
    fs::permissions(d.servers() / locked, fs::perms::none);
  CHECK(as_nobody("alpha") == "unknown with error");
  CHECK(as_nobody("bravo").substr(0, 7) == "present");  // one file that was seen is proof
  fs::permissions(d.servers() / "alpha", fs::perms::none);
  CHECK(as_nobody("alpha") == "unknown with error");
  fs::permissions(d.servers(), fs::perms::none);
  CHECK(as_nobody("alpha") == "unknown with error");
  CHECK(as_nobody("never-there") == "unknown with error");
}

TEST_CASE("data: the error for another owner's folder names both owners, a read-only disk is reported as read-only",
          "[integration][host]") {
  if (!test::is_root()) return;
  disk d;
  d.prepare();
  d.write("alpha/data/map");
  fs::permissions(d.servers() / "alpha/data", fs::perms(0700));
  REQUIRE(::chown((d.servers() / "alpha/data").c_str(), 1234, 1234) == 0);
  CHECK(in_child([&]() -> std::string {
          if (::setegid(65534) != 0 || ::seteuid(65534) != 0) return "cannot change the user";
          return d.check("alpha").error;
        }).find("belongs to user 1234, mode 0700, and user 65534 of the agent") != std::string::npos);
  CHECK(in_child([&]() -> std::string {
          if (!test::own_mounts()) return "no mounts";
          const auto root = d.servers().string();
          const char* path = root.c_str();
          if (::mount(path, path, nullptr, MS_BIND, nullptr) != 0 ||
              ::mount(nullptr, path, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0)
            return "no bind mount";
          const auto report = d.check("alpha");
          return report.state == data_state::present ? report.error : "not present";
        }).find("mounted read-only") != std::string::npos);
}

TEST_CASE("data: links are not followed on the way to a server's data", "[integration][host][acc-61]") {
  disk d;
  d.prepare();
  d.write("bravo/data/map.bin");
  fs::create_symlink("bravo", d.servers() / "alpha");
  CHECK(d.check("alpha").error.find("is a symbolic link to bravo") != std::string::npos);
  CHECK(d.check("alpha").state == data_state::unknown);
  fs::create_directories(d.servers() / "charlie");
  fs::create_symlink("../bravo/data", d.servers() / "charlie/data");
  CHECK(d.check("charlie").state == data_state::unknown);
  d.write("delta/data", "a file where a directory ought to be");
  CHECK(d.check("delta").state == data_state::unknown);
}

TEST_CASE("data: names and directories that leave the root are unknown", "[integration][host][acc-61]") {
  disk d;
  d.prepare();
  for (const char* name : {"..", ".", "", "../servers", "a/b", "Alpha"})
    CHECK(d.check(name).state == data_state::unknown);
  d.write("alpha/data/map.bin");
  for (const char* dir : {"..", "../bravo", "/etc", "", "data/..", "data//x", "./data"}) {
    auto report = host::check({d.root, "alpha", {{dir, true}}, sizing::skip});
    CHECK(report.state == data_state::unknown);
    CHECK_FALSE(report.error.empty());
  }
}

TEST_CASE("data: a tree deeper than the limit is not called empty", "[integration][host]") {
  disk d;
  d.prepare();
  fs::path deep = d.servers() / "alpha/data";
  for (unsigned i = 0; i < host::tree_depth_max + 2; ++i) deep /= "d";
  fs::create_directories(deep);
  CHECK(d.check("alpha").state == data_state::unknown);
}

TEST_CASE("data: sizes are those of the files, of each directory and of the whole tree",
          "[integration][host][acc-59]") {
  disk d;
  d.prepare();
  d.write("alpha/bin/game", std::string(1000, 'x'));
  d.write("alpha/data/a/map", std::string(5000, 'x'));
  d.write("alpha/data/b", std::string(500, 'x'));
  d.write("alpha/logs/old.tar.gz", std::string(70, 'x'));
  d.write("bravo/data/big", std::string(100'000, 'x'));
  fs::create_symlink("/etc", d.servers() / "alpha/data/etc");
  fs::create_symlink("../../bravo", d.servers() / "alpha/data/other");
  auto report = d.check("alpha", sizing::measure);
  CHECK(report.state == data_state::present);
  REQUIRE(report.dirs[1].size);
  CHECK(report.dirs[0].size->bytes == 1000);
  CHECK(report.dirs[1].size->bytes == 5500);
  CHECK(report.dirs[1].size->entries == 5);
  CHECK(report.dirs[1].size->complete);
  REQUIRE(report.size);
  CHECK(report.size->bytes == 6570);
  CHECK_FALSE(d.check("alpha").size);
  REQUIRE(d.check("never-there", sizing::measure).size);
  CHECK(d.check("never-there", sizing::measure).size->bytes == 0);
}

TEST_CASE("data: a thousand servers are checked in well under ten seconds", "[integration][host][acc-12]") {
  disk d;
  d.prepare();
  auto name = [](int i) { return "server-" + std::to_string(i); };
  for (int i = 0; i < 1000; ++i) {
    fs::create_directories(d.servers() / name(i) / "bin");
    fs::create_directories(d.servers() / name(i) / "data/Saves");
    if (i % 2) d.write(fs::path(name(i)) / "data/Saves/map.bin");
  }
  auto begin = std::chrono::steady_clock::now();
  int present = 0, empty = 0;
  for (int i = 0; i < 1000; ++i) {
    auto state = d.check(name(i)).state;
    present += state == data_state::present;
    empty += state == data_state::empty;
  }
  auto took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  std::cout << "data check of 1000 servers: " << took << " ms\n";
  CHECK(present == 500);
  CHECK(empty == 500);
  CHECK(took < 10'000);
}

TEST_CASE("data: disk usage adds up, and a path that is not there is an error", "[integration][host]") {
  disk d;
  auto space = host::disk_usage(d.path.string());
  REQUIRE(space);
  CHECK(space->total > 0);
  CHECK(space->used + space->free <= space->total);
  auto none = host::disk_usage((d.path / "none").string());
  REQUIRE_FALSE(none);
  CHECK(none.error().code == msg::ec::data_unknown);
}
