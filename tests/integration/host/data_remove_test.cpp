#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "tests/integration/host/disk.hpp"

using namespace zedops;
using test::disk;
using test::in_child;
namespace fs = std::filesystem;

namespace {

size_t entries_in(const fs::path& path) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("purge: a tree is removed with all its content, and the freed bytes are reported",
          "[integration][host][acc-57][acc-61]") {
  disk d;
  d.prepare();
  d.write("alpha/data/map", std::string(5000, 'x'));
  d.write("alpha/bin/deep/er/game", std::string(300, 'x'));
  d.write("bravo/data/map");
  CHECK(d.remove("alpha") == 5300u);
  CHECK_FALSE(fs::exists(d.servers() / "alpha"));
  CHECK(d.check("bravo").state == msg::data_state::present);
  CHECK(entries_in(d.servers()) == 2);  // bravo and the marker
}

TEST_CASE("purge: backups in a server's tree stay where they are, and count neither as data nor as freed space",
          "[integration][host][fc-31]") {
  disk d;
  d.prepare();
  d.write("alpha/data/map", std::string(5000, 'x'));
  d.write("alpha/bin/game", std::string(300, 'x'));
  d.write("alpha/data/backups/of-the-game", std::string(40, 'x'));  // only one directly in the tree is a backup of ours
  d.write("alpha/backups/2026-01-01.tar.gz", std::string(700, 'x'));
  CHECK(d.check("alpha", host::sizing::measure).size->bytes == 5340);
  auto removed = host::remove_tree({d.root, "alpha", "o1"});
  REQUIRE(removed);
  CHECK(removed->bytes == 5340);
  CHECK(removed->kept == d.root.data_path + "/alpha/backups");
  CHECK(entries_in(d.servers() / "alpha") == 1);
  CHECK(fs::file_size(d.servers() / "alpha/backups/2026-01-01.tar.gz") == 700);
  CHECK(entries_in(d.servers()) == 2);  // the tree and the marker: no trash

  const auto left = d.check("alpha", host::sizing::measure);
  CHECK(left.state == msg::data_state::absent);
  CHECK(left.size->bytes == 0);
  removed = host::remove_tree({d.root, "alpha", "o2"});  // again: there is nothing more to do
  REQUIRE(removed);
  CHECK(removed->bytes == 0);
  CHECK(removed->kept == d.root.data_path + "/alpha/backups");
  CHECK(fs::exists(d.servers() / "alpha/backups/2026-01-01.tar.gz"));
}

TEST_CASE("purge: an empty folder, a file or a link named backups is removed with the tree",
          "[integration][host][fc-31]") {
  disk d;
  d.prepare();
  d.write("alpha/data/map");
  fs::create_directories(d.path / "outside");
  std::ofstream(d.path / "outside/precious") << "x";
  SECTION("empty") { fs::create_directories(d.servers() / "alpha/backups"); }
  SECTION("a file") { d.write("alpha/backups"); }
  SECTION("a link") { fs::create_directory_symlink(d.path / "outside", d.servers() / "alpha/backups"); }
  auto removed = host::remove_tree({d.root, "alpha", "o1"});
  REQUIRE(removed);
  CHECK(removed->kept.empty());
  CHECK_FALSE(fs::exists(d.servers() / "alpha"));
  CHECK(fs::exists(d.path / "outside/precious"));
}

TEST_CASE("purge: one that was interrupted beside backups is finished by the next", "[integration][host][fc-31]") {
  disk d;
  d.prepare();
  d.write(".trash-alpha-o1/data/rest", std::string(100, 'x'));  // taken out of the tree, half deleted, then a crash
  d.write("alpha/bin/game", std::string(20, 'x'));              // not taken out yet
  d.write("alpha/backups/one.tar.gz", std::string(700, 'x'));
  auto removed = host::remove_tree({d.root, "alpha", "o1"});  // the same operation, given again
  REQUIRE(removed);
  CHECK(removed->bytes == 120);
  CHECK(fs::file_size(d.servers() / "alpha/backups/one.tar.gz") == 700);
  CHECK(entries_in(d.servers() / "alpha") == 1);
  CHECK(entries_in(d.servers()) == 2);
}

TEST_CASE("purge: a disk mounted as a server's backups is left alone", "[integration][host][fc-31]") {
  if (!test::is_root()) return;
  disk d;
  d.prepare();
  d.write("alpha/data/map");
  fs::create_directories(d.servers() / "alpha/backups");
  fs::create_directories(d.path / "outside");
  std::ofstream(d.path / "outside/precious") << "x";
  CHECK(in_child([&]() -> std::string {
          if (!test::own_mounts()) return "no mount namespace";
          if (::mount((d.path / "outside").c_str(), (d.servers() / "alpha/backups").c_str(), nullptr, MS_BIND, nullptr))
            return "mount failed";
          auto removed = host::remove_tree({d.root, "alpha", "o1"});
          if (!removed) return removed.error().message;
          return removed->kept.empty() ? "the mount was not seen" : "";
        }) == "");
  CHECK_FALSE(fs::exists(d.servers() / "alpha/data"));
  CHECK(fs::exists(d.path / "outside/precious"));
}

TEST_CASE("data: a template's mount from the backups does not count as the server's data",
          "[integration][host][fc-31]") {
  disk d;
  d.prepare();
  d.write("alpha/backups/one.tar.gz");
  const auto report = host::check({d.root, "alpha", {{"data", true}, {"backups", true}}, host::sizing::skip});
  CHECK(report.state == msg::data_state::absent);
  CHECK(report.dirs[1].state == msg::data_state::present);
}

TEST_CASE("purge: an absent tree counts as removed", "[integration][host]") {
  disk d;
  d.prepare();
  CHECK(d.remove("alpha") == 0u);
}

TEST_CASE("purge: nothing outside a server's own tree can be named", "[integration][host][acc-61]") {
  disk d;
  d.prepare();
  d.write("alpha/data/map");
  fs::create_directories(d.path / "outside");
  for (const char* name :
       {"", ".", "..", "../outside", "alpha/data", "/", "Alpha", ".zedops-data-root", ".trash-alpha-o1"}) {
    CAPTURE(name);
    CHECK(d.remove(name).error().code == msg::ec::invalid_name);
  }
  for (const char* id : {"", "../x", "a/b", "a-b", "."})
    CHECK(d.remove("alpha", id).error().code == msg::ec::bad_request);
  CHECK(fs::exists(d.path / "outside"));
  CHECK(d.check("alpha").state == msg::data_state::present);
}

TEST_CASE("purge: refuses a data path that is not a root of ours", "[integration][host][acc-61]") {
  disk d;
  d.prepare();
  d.write("alpha/data/map");
  auto inside = d.root;
  inside.data_path += "/alpha";  // another server's tree given as the root
  auto removed = host::remove_tree({inside, "data", "o1"});
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code == msg::ec::data_unknown);
  auto foreign = d.root;
  foreign.owner = "another-agent";
  CHECK_FALSE(host::remove_tree({foreign, "alpha", "o1"}));
  fs::remove(d.servers() / host::marker_name);
  CHECK(d.remove("alpha").error().code == msg::ec::data_unknown);
  CHECK(fs::exists(d.servers() / "alpha/data/map"));
}

TEST_CASE("purge: a link in a server's place is refused, its target untouched", "[integration][host][acc-61]") {
  disk d;
  d.prepare();
  d.write("bravo/data/map");
  fs::create_symlink("bravo", d.servers() / "alpha");
  auto removed = d.remove("alpha");
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code == msg::ec::forbidden);
  CHECK(fs::is_symlink(d.servers() / "alpha"));
  CHECK(d.check("bravo").state == msg::data_state::present);
  d.write("charlie", "a file");
  CHECK(d.remove("charlie").error().code == msg::ec::forbidden);
}

TEST_CASE("purge: links inside a tree are removed, not what they point at", "[integration][host][acc-61][fc-45]") {
  disk d;
  d.prepare();
  d.write("bravo/data/map");
  fs::create_directories(d.path / "outside");
  std::ofstream(d.path / "outside/file") << "x";
  fs::create_directories(d.servers() / "alpha/data");
  fs::create_symlink("../../bravo", d.servers() / "alpha/data/other");
  fs::create_symlink(d.path / "outside", d.servers() / "alpha/data/outside");
  fs::create_symlink(d.path / "outside/file", d.servers() / "alpha/data/file");
  fs::create_symlink("..", d.servers() / "alpha/data/loop");
  fs::create_hard_link(d.servers() / "bravo/data/map", d.servers() / "alpha/data/hard");
  CHECK(d.remove("alpha") == 0u);  // a file with a second name frees nothing
  CHECK_FALSE(fs::exists(d.servers() / "alpha"));
  CHECK(fs::exists(d.path / "outside/file"));
  CHECK(d.check("bravo").state == msg::data_state::present);
}

TEST_CASE("purge: a program that swaps directories for links meanwhile cannot reach outside",
          "[integration][host][acc-61]") {
  disk d;
  d.prepare();
  fs::create_directories(d.path / "outside/d");
  std::ofstream(d.path / "outside/d/precious") << "x";
  std::atomic<bool> done = false;
  std::atomic<int> swaps = 0;
  std::thread attacker([&] {
    // Held open, so the attack continues under the tree's new name.
    const auto tree = (d.servers() / "alpha").string(), target = (d.path / "outside/d").string();
    while (!done) {
      int fd = ::open(tree.c_str(), O_RDONLY | O_DIRECTORY);
      struct stat info {};
      while (fd >= 0 && !done && ::fstat(fd, &info) == 0 && info.st_nlink != 0) {
        ::renameat(fd, "d", fd, "d.away");
        swaps += ::symlinkat(target.c_str(), fd, "d") == 0;
        ::unlinkat(fd, "d", 0);
        ::renameat(fd, "d.away", fd, "d");
      }
      if (fd >= 0) ::close(fd);
    }
  });
  std::error_code failed;
  for (int round = 0; round < 200; ++round) {
    auto fresh = d.path / "fresh";
    fs::create_directories(fresh / "d", failed);
    for (int i = 0; i < 5; ++i) std::ofstream(fresh / "d" / ("file" + std::to_string(i))) << "x";
    fs::rename(fresh, d.servers() / "alpha", failed);
    (void)d.remove("alpha", "o" + std::to_string(round));
  }
  done = true;
  attacker.join();
  CHECK(swaps > 0);
  CHECK(fs::exists(d.path / "outside/d/precious"));
  REQUIRE(d.remove("alpha"));
  CHECK(entries_in(d.servers()) == 1);
}

TEST_CASE("purge: one that was interrupted is finished by the next", "[integration][host][acc-61]") {
  disk d;
  d.prepare();
  d.write(".trash-alpha-o0/data/rest", std::string(100, 'x'));       // renamed, half deleted, then a crash
  d.write(".trash-alpha-2-o7/data/rest", std::string(10'000, 'x'));  // server alpha-2's
  d.write("alpha/data/map", std::string(20, 'x'));                   // a new server of that name
  CHECK(d.remove("alpha", "o1") == 120u);
  CHECK_FALSE(fs::exists(d.servers() / ".trash-alpha-o0"));
  CHECK(fs::exists(d.servers() / ".trash-alpha-2-o7"));
  CHECK(d.remove("alpha-2") == 10'000u);
  CHECK(entries_in(d.servers()) == 1);
}

TEST_CASE("purge: a removal that fails in the middle resumes where it stopped", "[integration][host][acc-61]") {
  if (!test::is_root()) return;
  disk d;
  d.prepare();
  d.write("alpha/data/locked/file");
  d.write("alpha/data/free/file");
  fs::permissions(d.servers(), fs::perms(0777));
  for (const auto& entry : fs::recursive_directory_iterator(d.servers() / "alpha"))
    REQUIRE(::chown(entry.path().c_str(), 65534, 65534) == 0);
  REQUIRE(::chown((d.servers() / "alpha").c_str(), 65534, 65534) == 0);
  REQUIRE(::chown((d.servers() / "alpha/data/locked").c_str(), 0, 0) == 0);
  CHECK(in_child([&]() -> std::string {
          if (::setegid(65534) != 0 || ::seteuid(65534) != 0) return "cannot change the user";
          auto removed = d.remove("alpha");
          if (removed) return "removed what may not be removed";
          return removed.error().message.find("locked") == std::string::npos ? removed.error().message : "";
        }) == "");
  CHECK_FALSE(fs::exists(d.servers() / "alpha"));
  CHECK(fs::exists(d.servers() / ".trash-alpha-o1/data/locked/file"));
  CHECK(d.remove("alpha", "o2"));
  CHECK(entries_in(d.servers()) == 1);
}

TEST_CASE("purge: a tree with a mount in it is refused before anything is removed", "[integration][host][acc-61]") {
  if (!test::is_root()) return;
  disk d;
  d.prepare();
  d.write("alpha/data/map");
  fs::create_directories(d.servers() / "alpha/saves");
  fs::create_directories(d.path / "outside");
  std::ofstream(d.path / "outside/precious") << "x";
  auto at = (d.servers() / "alpha/saves").string();
  auto bind_is_refused = [&](const char* source, const std::string& target) {
    return in_child([&]() -> std::string {
      if (!test::own_mounts()) return "no mount namespace";
      int failed = source ? ::mount(source, target.c_str(), nullptr, MS_BIND, nullptr)
                          : ::mount("none", target.c_str(), "tmpfs", 0, nullptr);
      if (failed) return "mount failed";
      auto removed = d.remove("alpha");
      if (removed) return "removed";
      return removed.error().code == msg::ec::forbidden ? "" : removed.error().message;
    });
  };
  auto outside = (d.path / "outside").string();
  CHECK(bind_is_refused(outside.c_str(), at) == "");  // the same file system: the device number does not show it
  CHECK(bind_is_refused(nullptr, at) == "");
  CHECK(bind_is_refused(outside.c_str(), (d.servers() / "alpha").string()) == "");
  CHECK(fs::exists(d.servers() / "alpha/data/map"));
  CHECK(fs::exists(d.path / "outside/precious"));
}

TEST_CASE("purge: finishing an earlier removal does not enter a mount either", "[integration][host][acc-61]") {
  if (!test::is_root()) return;
  disk d;
  d.prepare();
  d.write(".trash-alpha-o0/data/map");
  fs::create_directories(d.servers() / ".trash-alpha-o0/backups");
  fs::create_directories(d.path / "outside");
  std::ofstream(d.path / "outside/precious") << "x";
  CHECK(in_child([&]() -> std::string {
          if (!test::own_mounts()) return "no mount namespace";
          auto at = (d.servers() / ".trash-alpha-o0/backups").string();
          if (::mount((d.path / "outside").c_str(), at.c_str(), nullptr, MS_BIND, nullptr) != 0) return "mount failed";
          auto removed = d.remove("alpha");
          if (removed) return "removed";
          return removed.error().message.find("mount point") == std::string::npos ? removed.error().message : "";
        }) == "");
  CHECK(fs::exists(d.path / "outside/precious"));
  CHECK(d.remove("alpha"));  // unmounted: it can be finished
  CHECK(entries_in(d.servers()) == 1);
}

TEST_CASE("purge: a tree that holds another data root is refused", "[integration][host][acc-61]") {
  disk d;
  d.prepare();
  d.write("alpha/nested/" + std::string(host::marker_name), d.root.owner);
  d.write("alpha/nested/bravo/data/map");
  CHECK(d.remove("alpha").error().code == msg::ec::forbidden);
  CHECK(fs::exists(d.servers() / "alpha/nested/bravo/data/map"));
}

TEST_CASE("purge: a tree of any depth is removed", "[integration][host]") {
  disk d;
  d.prepare();
  fs::create_directories(d.servers() / "alpha/data");
  int at = ::open((d.servers() / "alpha/data").c_str(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(::mkdirat(at, "deep", 0755) == 0);
    int below = ::openat(at, "deep", O_RDONLY | O_DIRECTORY);
    ::close(at);
    at = below;
  }
  int file = ::openat(at, "file", O_WRONLY | O_CREAT, 0644);
  REQUIRE(::write(file, "12345", 5) == 5);
  ::close(file);
  ::close(at);
  CHECK(d.remove("alpha") == 5u);
  CHECK(entries_in(d.servers()) == 1);
}
