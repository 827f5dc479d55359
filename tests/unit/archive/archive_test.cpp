// Untrusted archives: what is accepted, what is refused, and that nothing is ever written outside.
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <rapidcheck.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "integration/archive/pack.hpp"
#include "integration/archive/unpack.hpp"
#include "messages/base/sha256.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::archive;
namespace fs = std::filesystem;

namespace {

struct entry {
  std::string name;
  std::string content;  // of a file; of a link its target
  unsigned type = AE_IFREG;
  unsigned mode = 0644;
  std::string hardlink = {};
};

struct in_folder {
  test::temp_dir dir;
  fs::path file = dir.path() / "a.tar", into = dir.path() / "out";

  void write(const std::vector<entry>& all, bool zip = false, bool gz = false) {
    auto* a = archive_write_new();
    zip ? archive_write_set_format_zip(a) : archive_write_set_format_pax_restricted(a);
    if (gz) archive_write_add_filter_gzip(a);
    REQUIRE(archive_write_open_filename(a, file.c_str()) == ARCHIVE_OK);
    for (const auto& x : all) {
      auto* e = archive_entry_new();
      archive_entry_set_pathname(e, x.name.c_str());
      archive_entry_set_filetype(e, x.type);
      archive_entry_set_perm(e, static_cast<mode_t>(x.mode));
      archive_entry_set_uid(e, 4321);
      if (!x.hardlink.empty()) archive_entry_set_hardlink(e, x.hardlink.c_str());
      else if (x.type == AE_IFLNK) archive_entry_set_symlink(e, x.content.c_str());
      else archive_entry_set_size(e, static_cast<int64_t>(x.content.size()));
      REQUIRE(archive_write_header(a, e) >= ARCHIVE_WARN);
      if (x.type == AE_IFREG && x.hardlink.empty()) archive_write_data(a, x.content.data(), x.content.size());
      archive_entry_free(e);
    }
    archive_write_close(a);
    archive_write_free(a);
  }
  msg::result<unpacked> go(unpack_limits limits = {}) { return unpack(file.string(), into.string(), limits, {}); }
  std::string read(const std::string& name) {
    std::ifstream in(into / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void refused(const std::vector<entry>& all, const std::string& because, unpack_limits limits = {}) {
    fs::remove_all(into);
    write(all);
    auto r = go(limits);
    REQUIRE_FALSE(r.has_value());
    CHECK(r.error().code == msg::ec::bad_request);
    CHECK_FALSE(r.error().hint.empty());
    INFO(r.error().message);
    CHECK(r.error().message.find(because) != std::string::npos);
  }
};

}  // namespace

TEST_CASE_METHOD(in_folder, "unpack: files, folders and links that stay inside, without owner and special modes",
                 "[archive]") {
  write({{"./", "", AE_IFDIR, 0700},
         {"./index.html", "hello"},
         {"a/b/c.txt", "deep"},
         {"run", "#!/bin/sh", AE_IFREG, 06777},
         {"a/link", "b/c.txt", AE_IFLNK},
         {"a/b/up", "../../index.html", AE_IFLNK}});
  auto r = go();
  REQUIRE(r.has_value());
  CHECK(r->files == 3);
  CHECK(r->bytes == 18);
  CHECK(r->tree_hash.size() == 64);
  CHECK(read("index.html") == "hello");
  CHECK(read("a/link") == "deep");
  CHECK(read("a/b/up") == "hello");
  struct stat st {};
  REQUIRE(::stat((into / "run").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0755);
  CHECK(st.st_uid == ::geteuid());
  REQUIRE(::stat(into.c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0755);
}

TEST_CASE_METHOD(in_folder, "unpack: zip and tar.gz give the same tree, with the same hash", "[archive]") {
  const std::vector<entry> all = {{"index.html", "hello"}, {"d/x", std::string(100'000, 'x')}};
  write(all);
  const auto tar = go();
  fs::remove_all(into);
  write(all, true);
  const auto zip = go();
  fs::remove_all(into);
  write(all, false, true);
  const auto gz = go();
  REQUIRE((tar && zip && gz));
  CHECK(tar->tree_hash == zip->tree_hash);
  CHECK(tar->tree_hash == gz->tree_hash);
}

TEST_CASE_METHOD(in_folder, "unpack: an entry that leaves the folder or cannot belong to a site is refused by name",
                 "[archive][hostile]") {
  refused({{"../evil", "x"}}, "points outside of it with '..'");
  refused({{"a/../../evil", "x"}}, "points outside of it with '..'");
  refused({{"/etc/evil", "x"}}, "is absolute");
  refused({{"l", "/etc/passwd", AE_IFLNK}}, "points outside, to '/etc/passwd'");
  refused({{"a/l", "../../x", AE_IFLNK}}, "points outside");
  refused({{"x/y/d", "../..", AE_IFLNK}, {"x/y/e", "d/../z", AE_IFLNK}}, "points outside");  // through a link
  refused({{"l", ".", AE_IFLNK}, {"l/f", "x"}}, "collides with another entry");
  refused({{"f", "x"}, {"f/g", "x"}}, "collides with another entry");
  refused({{"d/f", "x"}, {"d", "x"}}, "collides with a folder");
  refused({{"dev", "", AE_IFCHR}}, "neither a file, a folder nor a link");
  refused({{"pipe", "", AE_IFIFO}}, "neither a file, a folder nor a link");
  refused({{"f", "x"}, {"h", "", AE_IFREG, 0644, "/etc/passwd"}}, "is a hard link");
  refused({{std::string(300, 'n'), "x"}}, "a name of 300 bytes");
  std::string deep;
  for (int n = 0; n < 70; ++n) deep += "d/";
  refused({{deep + "f", "x"}}, "folders more than 64 deep");
  CHECK_FALSE(fs::exists(dir.path() / "evil"));
}

TEST_CASE_METHOD(in_folder, "unpack: one folder of the archive can be unpacked alone", "[archive]") {
  write({{"docs/public/index.html", "hello"}, {"docs/public/a/b", "x"}, {"docs/publication", "no"}, {"readme", "no"}});
  REQUIRE(unpack(file.string(), into.string(), {}, {}, "docs/public").has_value());
  CHECK(read("index.html") == "hello");
  CHECK(read("a/b") == "x");
  CHECK_FALSE(fs::exists(into / "readme"));
  CHECK_FALSE(fs::exists(into / "docs"));
  fs::remove_all(into);
  auto none = unpack(file.string(), into.string(), {}, {}, "docs/private");
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().message.find("no folder 'docs/private'") != std::string::npos);
}

TEST_CASE_METHOD(in_folder, "unpack: limits on entries, bytes and ratio apply while it is read", "[archive][hostile]") {
  std::vector<entry> many;
  for (int n = 0; n < 100; ++n) many.push_back({std::to_string(n), "x"});
  refused(many, "more than 50 entries", {.entries_max = 50});
  refused({{"big", std::string(3'000'000, 'x')}}, "more than 1.0 MiB together", {.bytes_max = 1 << 20});
  fs::remove_all(into);
  write({{"bomb", std::string(80 << 20, '\0')}}, false, true);
  auto r = go({.ratio_max = 100});
  REQUIRE_FALSE(r.has_value());
  CHECK(r.error().message.find("100 times its size") != std::string::npos);
}

TEST_CASE_METHOD(in_folder, "unpack: of duplicate entries the last one wins - and it stops when cancelled",
                 "[archive]") {
  write({{"f", "first"}, {"f", "second"}, {"l", "f", AE_IFLNK}, {"l", "g", AE_IFLNK}, {"g", "third"}});
  REQUIRE(go().has_value());
  CHECK(read("f") == "second");
  CHECK(read("l") == "third");
  fs::remove_all(into);
  auto r = unpack(file.string(), into.string(), {}, [](const unpacked&, uint64_t) { return false; });
  REQUIRE_FALSE(r.has_value());
  CHECK(r.error().code == msg::ec::cancelled);
}

TEST_CASE_METHOD(in_folder, "unpack: arbitrary bytes do no harm", "[archive][hostile][property]") {
  write({{"index.html", std::string(3'000, 'x')}, {"a/b", "y"}}, false, true);
  std::ifstream in(file, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  REQUIRE(rc::check("damaged archives", [&] {
    auto bytes = good;
    const int hits = *rc::gen::inRange(1, 8);
    for (int n = 0; n < hits; ++n)
      bytes[static_cast<size_t>(*rc::gen::inRange<int>(0, static_cast<int>(bytes.size())))] =
          static_cast<char>(*rc::gen::inRange(0, 256));
    bytes.resize(static_cast<size_t>(*rc::gen::inRange<int>(0, static_cast<int>(bytes.size()) + 1)));
    fs::remove_all(into);
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
    auto r = go();
    if (!r) RC_ASSERT(!r.error().message.empty());
  }));
}

TEST_CASE("pack: the same files give the same bytes, ignored ones are left out, and unpacking restores them",
          "[archive]") {
  test::temp_dir dir;
  const auto from = dir.path() / "site";
  fs::create_directories(from / "assets");
  fs::create_directories(from / ".git");
  fs::create_directories(from / "node_modules/x");
  std::ofstream(from / "index.html") << "hello";
  std::ofstream(from / "assets/a.css") << "body{}";
  std::ofstream(from / "notes.log") << "private";
  std::ofstream(from / ".git/config") << "secret";
  std::ofstream(from / "node_modules/x/y.js") << "x";
  std::ofstream(from / ".gitignore") << "# comment\n*.log\n/node_modules/\n";
  fs::create_symlink("index.html", from / "home.html");
  const auto one = (dir.path() / "1.tgz").string(), two = (dir.path() / "2.tgz").string();
  auto packed = pack(from.string(), one);
  REQUIRE(packed.has_value());
  CHECK(packed->files == 3);  // with .gitignore itself
  fs::last_write_time(from / "index.html", fs::file_time_type::clock::now() + std::chrono::hours(1));
  REQUIRE(pack(from.string(), two).has_value());
  CHECK(*msg::sha256_of_file(one) == *msg::sha256_of_file(two));
  const auto out = dir.path() / "out";
  REQUIRE(unpack(one, out.string(), {}, {}).has_value());
  CHECK(fs::exists(out / "assets/a.css"));
  CHECK(fs::is_symlink(out / "home.html"));
  CHECK_FALSE(fs::exists(out / "notes.log"));
  CHECK_FALSE(fs::exists(out / ".git"));
  CHECK_FALSE(fs::exists(out / "node_modules"));
  CHECK(pack((dir.path() / "nowhere").string(), one).error().code == msg::ec::not_found);
  fs::create_directories(dir.path() / "empty");
  CHECK(pack((dir.path() / "empty").string(), one).error().code == msg::ec::bad_request);
}

TEST_CASE("pack: ignore patterns work as in git", "[archive]") {
  const std::vector<std::string> p = {"*.log", "/build/", "docs/*.md", "**/cache", "tmp/"};
  CHECK(is_ignored(p, "a/b.log", false));
  CHECK(is_ignored(p, "build", true));
  CHECK_FALSE(is_ignored(p, "build", false));
  CHECK_FALSE(is_ignored(p, "a/build", true));
  CHECK(is_ignored(p, "docs/x.md", false));
  CHECK_FALSE(is_ignored(p, "a/docs/x.md", false));
  CHECK(is_ignored(p, "a/tmp", true));
  CHECK(is_ignored(p, "cache", true));
  CHECK_FALSE(is_ignored(p, "index.html", false));
}

TEST_CASE("context: files matching .dockerignore are left out as Docker does it, but never the Dockerfile",
          "[archive]") {
  const std::vector<std::string> p = {"*.env", "/dist/", "**/cache", "docs", "!docs/keep.md", "a/*/c"};
  CHECK(is_out_of_context(p, "x.env"));
  CHECK_FALSE(is_out_of_context(p, "sub/x.env"));  // patterns start at the top folder
  CHECK(is_out_of_context(p, "dist"));
  CHECK(is_out_of_context(p, "dist/deep/file"));
  CHECK(is_out_of_context(p, "cache"));
  CHECK(is_out_of_context(p, "deep/cache/file"));
  CHECK(is_out_of_context(p, "docs/other.md"));
  CHECK_FALSE(is_out_of_context(p, "docs/keep.md"));
  CHECK(is_out_of_context(p, "a/b/c"));
  CHECK_FALSE(is_out_of_context(p, "a/b/d"));
  CHECK_FALSE(is_out_of_context({}, "anything"));

  test::temp_dir dir;
  const auto from = dir.path() / "app";
  fs::create_directories(from / "docs");
  fs::create_directories(from / "docker");
  std::ofstream(from / "docs/keep.md") << "k";
  std::ofstream(from / "docs/other.md") << "o";
  std::ofstream(from / "x.env") << "secret";
  std::ofstream(from / "docker/Dockerfile") << "FROM scratch";
  std::ofstream(from / ".dockerignore") << "*.env\ndocs\n!docs/keep.md\ndocker\n";
  const auto file = (dir.path() / "context.tar").string();
  REQUIRE(pack_context(from.string(), "docker/Dockerfile", file).has_value());
  const auto out = dir.path() / "out";
  REQUIRE(unpack(file, out.string(), {}, {}).has_value());
  CHECK(fs::exists(out / "docs/keep.md"));
  CHECK_FALSE(fs::exists(out / "docs/other.md"));
  CHECK_FALSE(fs::exists(out / "x.env"));
  CHECK(fs::exists(out / "docker/Dockerfile"));
}

namespace {

struct named_folder {
  test::temp_dir dir;
  fs::path from = dir.path() / "site", out = dir.path() / "out";
  std::string file = (dir.path() / "a.tar").string();

  named_folder() {
    fs::create_directories(from / "größe");
    std::ofstream(from / "Dockerfile") << "FROM scratch";
    std::ofstream(from / "größe/ü.txt") << "u";
    std::ofstream(from / "日本.html") << "japan";
    fs::create_symlink("größe/ü.txt", from / "verknüpft");
    std::ofstream(from / "latin-\xfc.txt") << "bytes";  // not UTF-8, but a valid name
  }
  std::string read(const std::string& name) {
    std::ifstream in(out / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void comes_out() {
    auto r = unpack(file, out.string(), {}, {});
    INFO((r ? std::string{} : r.error().message));
    REQUIRE(r.has_value());
    CHECK(read("größe/ü.txt") == "u");
    CHECK(read("日本.html") == "japan");
    CHECK(fs::read_symlink(out / "verknüpft") == "größe/ü.txt");
    CHECK(read("verknüpft") == "u");
    CHECK(read("latin-\xfc.txt") == "bytes");
  }
};

}  // namespace

TEST_CASE_METHOD(named_folder, "pack: names that are not ASCII are restored", "[archive][names]") {
  auto r = pack(from.string(), file);
  INFO((r ? std::string{} : r.error().message));
  REQUIRE(r.has_value());
  CHECK(r->files == 4);
  comes_out();
}

TEST_CASE_METHOD(named_folder, "context: names that are not ASCII are restored", "[archive][names]") {
  auto r = pack_context(from.string(), "Dockerfile", file);
  INFO((r ? std::string{} : r.error().message));
  REQUIRE(r.has_value());
  CHECK(r->files == 4);
  comes_out();
}

TEST_CASE_METHOD(in_folder, "unpack: names in a zip that are not ASCII, marked as UTF-8 or as plain bytes",
                 "[archive][names]") {
  // In a UTF-8 locale names are marked as UTF-8, as all modern packers do it; without one they are bytes.
  for (const bool marked : {true, false}) {
    fs::remove_all(into);
    const auto ours = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    const auto before = marked ? ::uselocale(ours) : ::uselocale(nullptr);
    write({{"ü.txt", "u"}, {"日本.html", "japan"}, {"d/link", "../ü.txt", AE_IFLNK}}, true);
    ::uselocale(before);
    ::freelocale(ours);
    auto r = go();
    INFO((r ? std::string{} : r.error().message));
    REQUIRE(r.has_value());
    CHECK(r->files == 2);
    CHECK(read("ü.txt") == "u");
    CHECK(read("日本.html") == "japan");
    CHECK(read("d/link") == "u");
  }
}
