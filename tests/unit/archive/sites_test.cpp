// The layout of static services on a real disk: every way in which links go wrong, and how that is repaired.
#include "integration/host/sites/sites.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::host;
using msg::service_health;
namespace fs = std::filesystem;

namespace {

struct a_site {
  test::temp_dir dir;
  site s{(dir.path() / "sites").string(), "shop", "web"};
  fs::path current = s.folder() + "/current", web = s.root + "/shop/.web/web";

  a_site() { REQUIRE(prepare_site(s).has_value()); }

  void place(uint32_t n) {
    fs::create_directories(s.new_tree(n));
    std::ofstream(fs::path(s.new_tree(n)) / "index.html") << n;
    REQUIRE(place_tree(s, n, {"hash", "tree", 1, 1}).has_value());
  }
  void serve(uint32_t n) {
    place(n);
    REQUIRE(switch_site(s, {"v1"}, n, false).has_value());
  }
  std::string seen() const {
    std::ifstream in(web / "index.html");
    std::string text;
    in >> text;
    return text;
  }
  size_t asides() const {
    size_t n = 0;
    for (const auto& e : fs::directory_iterator(s.folder()))
      n += e.path().filename().string().find(".aside-") != std::string::npos;
    return n;
  }
};

}  // namespace

TEST_CASE_METHOD(a_site, "sites: a switch shows through both links, and repeating it changes nothing",
                 "[host][acc-83]") {
  serve(1);
  CHECK(seen() == "1");
  serve(2);
  CHECK(seen() == "2");
  CHECK(fs::read_symlink(current) == "2");
  CHECK(fs::read_symlink(web) == "../web/current");
  auto again = switch_site(s, {"v1"}, 2, false);
  REQUIRE(again.has_value());
  CHECK(again->previous == "2");
  CHECK(again->repairs.empty());
  CHECK(wanted_of(s)->served == std::vector<uint32_t>{1, 2});
  CHECK(switch_site(s, {"v1"}, 7, false).error().code == msg::ec::no_data);
  CHECK(seen() == "2");
}

TEST_CASE_METHOD(a_site, "sites: going back drops the failed version, and going back to zero removes the links",
                 "[host]") {
  serve(1);
  serve(2);
  REQUIRE(switch_site(s, {"v1"}, 1, true).has_value());
  CHECK(seen() == "1");
  CHECK(wanted_of(s)->served == std::vector<uint32_t>{1});
  REQUIRE(switch_site(s, {"v1"}, 0, true).has_value());
  CHECK_FALSE(fs::exists(fs::symlink_status(current)));
  CHECK_FALSE(fs::exists(fs::symlink_status(web)));
  CHECK(repair_site(s).health == service_health::unknown);
}

TEST_CASE_METHOD(a_site, "sites: a damaged link is repaired whatever is in its place, and that is kept aside",
                 "[host][acc-87]") {
  serve(1);
  serve(2);
  const auto right = [&](size_t repairs) {
    const auto r = repair_site(s);
    CHECK(r.health == service_health::healthy);
    CHECK(r.repairs.size() == repairs);
    CHECK(seen() == "2");
    CHECK(repair_site(s).repairs.empty());
  };
  right(0);
  for (const auto& link : {current, web}) {
    const auto name = link.filename().string();
    INFO(name);
    fs::remove(link);
    right(1);
    fs::remove(link);
    fs::create_symlink("nowhere", link);
    right(1);
    fs::remove(link);
    std::ofstream(link) << "a plain file";
    right(1);
    fs::remove(link);
    fs::create_directories(link / "inside");
    right(1);
  }
  fs::remove(current);
  fs::create_symlink("1", current);
  right(1);
  CHECK(asides() == 2);
}

TEST_CASE_METHOD(a_site, "sites: when files are gone the newest complete version that was served before is used",
                 "[host][acc-88]") {
  serve(1);
  serve(2);
  serve(3);
  place(4);  // never served
  fs::remove_all(s.tree(3));
  auto r = repair_site(s);
  CHECK(r.health == service_health::degraded);
  CHECK(r.reason.find("#3") != std::string::npos);
  CHECK(seen() == "2");
  fs::remove(s.own_folder() + "/2.stamp");  // not complete any more
  repair_site(s);
  CHECK(seen() == "1");
  fs::remove_all(s.tree(1));
  CHECK(repair_site(s).health == service_health::unhealthy);
  place(3);
  CHECK(repair_site(s).health == service_health::healthy);
  CHECK(seen() == "3");
}

TEST_CASE_METHOD(a_site, "sites: pruning removes all but the kept versions, unfinished work included", "[host]") {
  for (uint32_t n = 1; n <= 4; ++n) serve(n);
  fs::create_directories(s.new_tree(9));
  std::ofstream(s.archive(8)) << "x";
  std::ofstream(s.archive(7) + ".part") << "x";
  fs::create_directories(s.tree(6));  // without a stamp
  fs::create_directories(s.own_folder() + "/.trash-5/x");
  fs::create_directories(s.folder() + "/by-hand");
  REQUIRE(prune_site(s, {3, 4}).has_value());
  for (const auto n : {1u, 2u, 6u}) CHECK_FALSE(fs::exists(s.tree(n)));
  CHECK(stamp_of(s, 3));
  CHECK(stamp_of(s, 4));
  CHECK_FALSE(fs::exists(s.new_tree(9)));
  CHECK_FALSE(fs::exists(s.archive(8)));
  CHECK_FALSE(fs::exists(s.archive(7) + ".part"));
  CHECK_FALSE(fs::exists(s.own_folder() + "/.trash-5"));
  CHECK(fs::exists(s.folder() + "/by-hand"));
  CHECK(seen() == "4");
  REQUIRE(prune_site(s, {3, 4}).has_value());
}

TEST_CASE_METHOD(a_site, "sites: a cache above its limit is removed as a whole, read-only folders included", "[host]") {
  const fs::path cache = cache_folder(s.root, "v1");
  CHECK_FALSE(limit_cache(s.root, "v1", 10).value());
  const auto fill = [&] {
    fs::create_directories(cache / "mod");
    std::ofstream(cache / "mod" / "file") << "eleven byte";
    fs::permissions(cache / "mod", fs::perms(0555));
  };
  fill();
  CHECK_FALSE(limit_cache(s.root, "v1", 11).value());
  CHECK(fs::exists(cache / "mod" / "file"));
  CHECK(limit_cache(s.root, "v1", 10).value());
  CHECK(fs::is_empty(cache.parent_path()));
  fill();
  fs::rename(cache, cache.parent_path() / ".trash-v1");  // an interrupted removal
  fill();
  REQUIRE(drop_cache(s.root, "v1").has_value());
  CHECK(fs::is_empty(cache.parent_path()));
}

TEST_CASE_METHOD(a_site, "sites: one that was left is known as such until it is deployed to or switched", "[host]") {
  serve(1);
  CHECK_FALSE(is_left(s));
  REQUIRE(leave_site(s).has_value());
  CHECK(is_left(s));
  CHECK(seen() == "1");
  CHECK(deployments_of(s) == std::vector<uint32_t>{1});
  REQUIRE(prepare_site(s).has_value());
  CHECK_FALSE(is_left(s));
  REQUIRE(leave_site(s).has_value());
  REQUIRE(switch_site(s, {"v1"}, 1, false).has_value());
  CHECK_FALSE(is_left(s));
}

TEST_CASE_METHOD(a_site, "sites: a tree that was renamed but not stamped is stamped, not lost", "[host][acc-83]") {
  fs::create_directories(s.tree(1));
  std::ofstream(fs::path(s.tree(1)) / "index.html") << "1";
  CHECK_FALSE(stamp_of(s, 1));
  REQUIRE(place_tree(s, 1, {"hash", "tree", 1, 1}).has_value());
  CHECK(stamp_of(s, 1)->source == "hash");
  CHECK(fs::exists(fs::path(s.tree(1)) / "index.html"));
}

TEST_CASE_METHOD(a_site, "sites: a service is removed completely, others stay - a project is removed when it is empty",
                 "[host]") {
  serve(1);
  const site other{s.root, "shop", "api"};
  REQUIRE(prepare_site(other).has_value());
  REQUIRE(remember_project(s.root, {{"p1"}, "shop", 8080}).has_value());
  CHECK(sites_below(s.root).size() == 2);
  CHECK(projects_below(s.root).at(0).port == 8080);
  REQUIRE(remove_site(s).has_value());
  CHECK_FALSE(fs::exists(s.folder()));
  CHECK_FALSE(fs::exists(fs::symlink_status(web)));
  CHECK(sites_below(s.root).size() == 1);
  REQUIRE(remove_site(s).has_value());
  REQUIRE(remove_site(other).has_value());
  REQUIRE(forget_project(s.root, "shop").has_value());
  CHECK_FALSE(fs::exists(s.root + "/shop"));
  CHECK(projects_below(s.root).empty());
}
