#include "integration/host/data/data_move.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/integration/host/disk.hpp"

using namespace zedops;
using test::disk;
using test::in_child;
namespace fs = std::filesystem;

namespace {

struct two_roots : disk {
  host::data_root target;
  two_roots() {
    prepare();
    target = {(path / "new").string(), root.owner};
    REQUIRE(host::prepare_root(target));
    write("alpha/data/world/map", std::string(3'000'000, 'm'));
    write("alpha/data/empty", "");
    write("alpha/bin/game", "#!/bin/sh\n");
    fs::permissions(servers() / "alpha/bin/game", fs::perms(0751));
    fs::create_directories(servers() / "alpha/data/nothing");
    fs::create_symlink("world/map", servers() / "alpha/data/link");
    fs::create_hard_link(servers() / "alpha/data/world/map", servers() / "alpha/data/twin");
  }
  host::copy_request request(const std::string& id = "o1") const { return {root, target, "alpha", id}; }
  fs::path moved() const { return fs::path(target.data_path) / "alpha"; }
  fs::path folder(const std::string& id = "o1") const {
    return fs::path(target.data_path) / (".zedops-moving-alpha-" + id);
  }
};

bool on_and_on(host::copy_phase, uint64_t) { return true; }

struct stat look(const fs::path& p) {
  struct stat info {};
  REQUIRE(::lstat(p.c_str(), &info) == 0);
  return info;
}

std::string text_of(const fs::path& p) {
  std::ifstream in(p);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("move: the copy has content, modes, owners, times, links and hard links of the original",
          "[integration][host][fc-23]") {
  two_roots d;
  const timespec times[2] = {{1'000'000'000, 0}, {1'234'567'890, 123'456'789}};
  REQUIRE(::utimensat(AT_FDCWD, (d.servers() / "alpha/bin/game").c_str(), times, 0) == 0);
  if (test::is_root()) REQUIRE(::chown((d.servers() / "alpha/data/world/map").c_str(), 1234, 4321) == 0);
  auto size = host::check_copy(d.request());
  REQUIRE(size);
  CHECK(size->bytes == 6'000'010u);
  auto copied = host::copy_tree(d.request(), on_and_on);
  INFO((copied ? "" : copied.error().message));
  REQUIRE(copied);
  CHECK_FALSE(fs::exists(d.moved()));  // it appears only when it is put in place
  CHECK(host::look_at_copy(d.request()) == host::copy_stage::partial);
  REQUIRE(host::place_copy(d.request()));
  CHECK(host::look_at_copy(d.request()) == host::copy_stage::placed);
  for (const char* file :
       {"data/world/map", "data/empty", "bin/game", "data/twin", "data/link", "data/nothing", "data"}) {
    CAPTURE(file);
    const auto a = look(d.servers() / "alpha" / file), b = look(d.moved() / file);
    CHECK(a.st_mode == b.st_mode);
    CHECK(a.st_uid == b.st_uid);
    CHECK(a.st_gid == b.st_gid);
    CHECK(a.st_mtim.tv_sec == b.st_mtim.tv_sec);
    CHECK(a.st_mtim.tv_nsec == b.st_mtim.tv_nsec);
    if (S_ISREG(a.st_mode)) CHECK(text_of(d.servers() / "alpha" / file) == text_of(d.moved() / file));
  }
  CHECK(fs::read_symlink(d.moved() / "data/link") == "world/map");
  CHECK(look(d.moved() / "data/twin").st_ino == look(d.moved() / "data/world/map").st_ino);
  REQUIRE(host::finish_copy(d.request()));
  CHECK_FALSE(fs::exists(d.folder()));
  CHECK(fs::exists(d.moved() / "data/world/map"));
  CHECK(d.check("alpha").state == msg::data_state::present);  // removing the original is not this function's task
}

TEST_CASE("move: damage during the copy is noticed, and the original stays", "[integration][host][fc-23]") {
  two_roots d;
  const auto copy = d.folder() / "tree";
  std::function<void()> damage;
  SECTION("other bytes of the same length, at the same time") {
    damage = [&] {
      const auto before = look(copy / "bin/game");
      std::ofstream(copy / "bin/game", std::ios::in) << "X";
      const timespec times[2] = {before.st_atim, before.st_mtim};
      REQUIRE(::utimensat(AT_FDCWD, (copy / "bin/game").c_str(), times, 0) == 0);
    };
  }
  SECTION("a truncated file") {
    damage = [&] { fs::resize_file(copy / "bin/game", 3); };
  }
  SECTION("a file that is lost") {
    damage = [&] { fs::remove(copy / "bin/game"); };
  }
  SECTION("an additional file") {
    damage = [&] { std::ofstream(copy / "bin/more") << "x"; };
  }
  SECTION("another mode") {
    damage = [&] { fs::permissions(copy / "bin/game", fs::perms(0644)); };
  }
  SECTION("an original that is written to") {
    damage = [&] { d.write("alpha/bin/game", "#!/bin/sh\n"); };
  }
  bool done = false;
  auto copied = host::copy_tree(d.request(), [&](host::copy_phase, uint64_t bytes) {
    if (bytes > 2'000'000 && !std::exchange(done, true)) damage();  // bin is copied by then: names come in order
    return true;
  });
  REQUIRE_FALSE(copied);
  INFO(copied.error().message);
  CHECK(copied.error().message.find("bin") != std::string::npos);
  CHECK_FALSE(fs::exists(d.moved()));
  CHECK(d.check("alpha").state == msg::data_state::present);
}

TEST_CASE("move: an interrupted copy is started over", "[integration][host][fc-23]") {
  two_roots d;
  auto cut = host::copy_tree(d.request(), [](host::copy_phase, uint64_t bytes) { return bytes < 2'000'000; });
  REQUIRE_FALSE(cut);
  CHECK(cut.error().code == msg::ec::cancelled);
  CHECK(host::look_at_copy(d.request()) == host::copy_stage::partial);
  SECTION("after a part of it") {}
  SECTION("after it was put in place") {
    REQUIRE(host::copy_tree(d.request(), on_and_on));
    REQUIRE(host::place_copy(d.request()));
  }
  REQUIRE(host::copy_tree(d.request(), on_and_on));
  REQUIRE(host::place_copy(d.request()));
  CHECK(text_of(d.moved() / "data/world/map") == std::string(3'000'000, 'm'));
}

TEST_CASE("move: undoing a copy leaves nothing at the target, or keeps the copy aside and returns its path",
          "[integration][host][fc-23]") {
  two_roots d;
  REQUIRE(host::copy_tree(d.request(), on_and_on));
  REQUIRE(host::place_copy(d.request()));
  SECTION("removed") {
    REQUIRE(host::drop_copy(d.request(), host::copy_fate::remove) == std::string{});
    CHECK_FALSE(fs::exists(d.folder()));
  }
  SECTION("kept, because it may hold data that the original lacks") {
    auto kept = host::drop_copy(d.request(), host::copy_fate::keep);
    REQUIRE(kept);
    CHECK(fs::exists(fs::path(*kept) / "data/world/map"));
  }
  CHECK_FALSE(fs::exists(d.moved()));
  CHECK(d.check("alpha").state == msg::data_state::present);
}

TEST_CASE("move: an occupied target is refused and not touched", "[integration][host][fc-23]") {
  two_roots d;
  fs::create_directories(d.moved() / "data");
  std::ofstream(d.moved() / "data/theirs") << "theirs";
  CHECK(host::look_at_copy(d.request()).error().code == msg::ec::already_exists);
  CHECK(host::copy_tree(d.request(), on_and_on).error().code == msg::ec::already_exists);
  // Also when it appears during the copy, and when it is another operation's copy.
  fs::remove_all(d.moved());
  REQUIRE(host::copy_tree(d.request(), on_and_on));
  fs::create_directories(d.moved());
  CHECK_FALSE(host::place_copy(d.request()));
  fs::remove_all(d.moved());
  REQUIRE(host::place_copy(d.request()));
  CHECK(host::look_at_copy(d.request("o2")).error().code == msg::ec::already_exists);
  REQUIRE(host::drop_copy(d.request("o2"), host::copy_fate::remove));
  CHECK(fs::exists(d.moved() / "data/world/map"));
}

TEST_CASE("move: a tree that cannot be copied faithfully is refused before anything is made",
          "[integration][host][fc-23]") {
  two_roots d;
  const char* word = "";
  auto request = d.request();
  SECTION("a pipe in it") {
    REQUIRE(::mkfifo((d.servers() / "alpha/data/pipe").c_str(), 0600) == 0);
    word = "special file";
  }
  SECTION("another data root in it") {
    REQUIRE(host::prepare_root({(d.servers() / "alpha/data/root").string(), d.root.owner}));
    word = "another data root";
  }
  SECTION("a target within it") {
    fs::create_directories(d.servers() / "alpha/data/world");
    request.to = {(d.servers() / "alpha/data/target").string(), d.root.owner};
    REQUIRE(host::prepare_root(request.to));
    word = "would be copied";
  }
  SECTION("the same folder by another name") {
    fs::create_directory_symlink(d.servers(), d.path / "alias");
    request.to.data_path = (d.path / "alias").string();
    word = "by another name";
  }
  SECTION("there is no data") {
    fs::remove_all(d.servers() / "alpha");
    word = "no data";
  }
  auto checked = host::check_copy(request);
  REQUIRE_FALSE(checked);
  INFO(checked.error().message);
  CHECK(checked.error().message.find(word) != std::string::npos);
  CHECK_FALSE(fs::exists(d.folder()));
}

TEST_CASE("move: a new root must not be a system folder, also through links, nor within another root",
          "[integration][host][fc-23]") {
  two_roots d;
  fs::create_directory_symlink("/usr", d.path / "innocent");
  CHECK(host::check_new_root((d.path / "innocent/data").string()).error().message.find("/usr") != std::string::npos);
  CHECK(host::check_new_root((d.servers() / "alpha/data").string()).error().message.find("within") !=
        std::string::npos);
  CHECK(host::check_new_root((d.servers() / "beside").string()).error().code == msg::ec::bad_request);
  CHECK(host::check_new_root("relative").error().code == msg::ec::bad_request);
  CHECK(host::check_new_root((d.path / "yet/to/be/made").string()).has_value());
  CHECK(host::check_new_root(d.target.data_path).has_value());
}

TEST_CASE("move: what the agent's user could not copy is found before anything is stopped", "[integration][host]") {
  if (!test::is_root()) return;
  const std::string name = GENERATE("of another", "unreadable");
  disk d;
  d.prepare();
  d.write("alpha/data/mine");
  d.write("alpha/data/" + name);
  const auto file = d.servers() / "alpha/data" / name;
  fs::permissions(d.path, fs::perms(0777));
  REQUIRE(::chown(d.servers().c_str(), 65534, 65534) == 0);
  for (const auto& entry : fs::recursive_directory_iterator(d.servers()))
    REQUIRE(::chown(entry.path().c_str(), 65534, 65534) == 0);
  if (name == "unreadable") fs::permissions(file, fs::perms::none);
  else REQUIRE(::chown(file.c_str(), 1234, 1234) == 0);
  CHECK(in_child([&]() -> std::string {
          if (::setegid(65534) != 0 || ::seteuid(65534) != 0) return "cannot change the user";
          const host::data_root target{(d.path / "target").string(), d.root.owner};
          if (!host::prepare_root(target)) return "no root";
          const auto r = host::check_copy({d.root, target, "alpha", "o1"});
          if (r) return "not refused";
          return r.error().message.find(name) == std::string::npos ? r.error().message : "";
        }).empty());
}

TEST_CASE("move: a full disk is refused beforehand, and one that fills up during the copy loses nothing",
          "[integration][host][fc-23]") {
  if (!test::is_root()) return;
  CHECK(in_child([] {
          if (!test::own_mounts()) return std::string("no mounts");
          disk d;
          d.prepare();
          d.write("alpha/data/map", std::string(3'000'000, 'm'));
          const auto small = (d.path / "small").string();
          fs::create_directories(small);
          if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=2m") != 0) return std::string("no tmpfs");
          const host::data_root target{small + "/root", d.root.owner};
          if (!host::prepare_root(target)) return std::string("no root");
          const host::copy_request r{d.root, target, "alpha", "o1"};
          const auto early = host::check_copy(r);
          const auto late = host::copy_tree(r, on_and_on);
          std::string said;
          if (early || early.error().code != msg::ec::store_full) said += "not refused; ";
          if (late || late.error().code != msg::ec::store_full) said += "not noticed; ";
          if (!host::drop_copy(r, host::copy_fate::remove)) said += "not undone; ";
          if (fs::exists(small + "/root/.zedops-moving-alpha-o1")) said += "left over; ";
          if (d.check("alpha").state != msg::data_state::present) said += "lost; ";
          ::umount2(small.c_str(), MNT_DETACH);
          return said;
        }).empty());
}

namespace {

// Two directories in unrelated places that are to form one tree.
struct scattered : two_roots {
  fs::path game = path / "somewhere/game", saves = path / "elsewhere/saves";
  scattered() {
    fs::create_directories(game / "lib");
    fs::create_directories(saves);
    std::ofstream(game / "lib/engine") << std::string(2'000'000, 'e');
    std::ofstream(saves / "world") << std::string(1'000'000, 'w');
    fs::permissions(saves, fs::perms(0711));
  }
  host::copy_request parts(std::vector<host::copy_part> of = {}) const {
    if (of.empty()) of = {{game, "bin"}, {saves, "deep/data"}};
    return {{}, target, "beta", "o1", std::move(of)};
  }
  fs::path made() const { return fs::path(target.data_path) / "beta"; }
};

}  // namespace

TEST_CASE("adopt: directories from anywhere form one tree, verified like any other", "[integration][host][fc-24]") {
  scattered d;
  auto size = host::check_copy(d.parts());
  REQUIRE(size);
  CHECK(size->bytes == 3'000'000);
  std::vector<uint64_t> copied, verified;
  auto done = host::copy_tree(d.parts(), [&](host::copy_phase phase, uint64_t bytes) {
    (phase == host::copy_phase::copying ? copied : verified).push_back(bytes);
    return true;
  });
  INFO((done ? "" : done.error().message));
  REQUIRE(done);
  CHECK(done->bytes == 3'000'000);
  for (const auto* seen : {&copied, &verified}) {  // one count over all of them
    CHECK(std::is_sorted(seen->begin(), seen->end()));
    CHECK(seen->back() == 3'000'000);
  }
  REQUIRE(host::place_copy(d.parts()));
  REQUIRE(host::finish_copy(d.parts()));
  CHECK(text_of(d.made() / "bin/lib/engine").size() == 2'000'000);
  CHECK(text_of(d.made() / "deep/data/world").size() == 1'000'000);
  CHECK((look(d.made() / "deep/data").st_mode & 07777) == 0711);
  CHECK((look(d.made()).st_mode & 07777) == 0755);
  CHECK(text_of(d.saves / "world").size() == 1'000'000);
}

TEST_CASE("adopt: what cannot be copied is refused with its cause", "[integration][host][fc-24]") {
  scattered d;
  struct row {
    const char* what;
    std::vector<host::copy_part> of;
    msg::ec code;
  };
  std::ofstream(d.path / "a-file") << "x";
  for (const auto& r : {row{"it is not there", {{d.path / "nowhere", "bin"}}, msg::ec::no_data},
                        row{"it is a file", {{d.path / "a-file", "bin"}}, msg::ec::bad_request},
                        row{"the target lies in it", {{d.path, "bin"}}, msg::ec::bad_request},
                        row{"it holds a data root", {{d.servers(), "bin"}}, msg::ec::forbidden},
                        row{"it would leave the tree", {{d.game, "../bin"}}, msg::ec::bad_request}}) {
    INFO(r.what);
    auto size = host::check_copy(d.parts(r.of));
    REQUIRE_FALSE(size);
    CHECK(size.error().code == r.code);
    CHECK_FALSE(size.error().hint.empty());
    if (r.code != msg::ec::forbidden) CHECK_FALSE(host::copy_tree(d.parts(r.of), on_and_on));
    REQUIRE(host::drop_copy(d.parts(r.of), host::copy_fate::remove));
  }
  CHECK_FALSE(fs::exists(d.made()));
}

TEST_CASE("adopt: the copy can be inspected and undone when its originals are gone", "[integration][host][fc-24]") {
  scattered d;
  REQUIRE(host::copy_tree(d.parts(), on_and_on));
  REQUIRE(host::place_copy(d.parts()));
  fs::remove_all(d.game);
  CHECK(host::look_at_copy(d.parts()).value() == host::copy_stage::placed);
  auto kept = host::drop_copy(d.parts(), host::copy_fate::keep);
  REQUIRE(kept);
  CHECK(text_of(fs::path(*kept) / "bin/lib/engine").size() == 2'000'000);
  CHECK_FALSE(fs::exists(d.made()));
}

TEST_CASE("move: holes stay holes, and only what is written needs room", "[integration][host][fc-23]") {
  two_roots d;
  const auto sparse = d.servers() / "alpha/data/sparse.db";
  {
    std::ofstream out(sparse);
    out << "head";
    out.seekp(64 << 20);
    out << "middle";
  }
  REQUIRE(::truncate(sparse.c_str(), off_t{1} << 30) == 0);
  REQUIRE(host::check_copy(d.request()));
  REQUIRE(host::copy_tree(d.request(), on_and_on));
  REQUIRE(host::place_copy(d.request()));
  const auto copy = d.moved() / "data/sparse.db";
  CHECK(look(copy).st_size == off_t{1} << 30);
  CHECK(look(copy).st_blocks * 512 < 16 << 20);
  std::ifstream in(copy);
  std::string head(4, ' '), middle(6, ' ');
  in.read(head.data(), 4);
  in.seekg(64 << 20);
  in.read(middle.data(), 6);
  CHECK(head == "head");
  CHECK(middle == "middle");
}

TEST_CASE("move: the room needed is what will be written, not a sparse file's size", "[integration][host][fc-23]") {
  two_roots d;
  std::ofstream(d.servers() / "alpha/data/huge") << "x";
  REQUIRE(::truncate((d.servers() / "alpha/data/huge").c_str(), off_t{4} << 40) == 0);
  CHECK(host::check_copy(d.request()));
}
