#include "actors/agent/observe/container_map.hpp"

#include <rapidcheck.h>

#include <algorithm>

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::agent;
using namespace zedops::msg;

namespace {

const labels ours{{"zedops.managed", "true"}, {"zedops.manager", "m1"}};

labels of(const std::string& server) {
  auto l = ours;
  l["zedops.server.id"] = server;
  return l;
}

container_view container(const std::string& id, const std::string& name, labels l,
                         container_state state = container_state::running) {
  container_view v;
  v.id = id;
  v.name = name;
  v.labels = std::move(l);
  v.state = state;
  return v;
}

container_map view(std::vector<known_server> servers = {{{"s1"}, "c1", "box-1", {}}}) {
  container_map v;
  v.set_manager("m1");
  v.replace_servers(std::move(servers));
  return v;
}

}  // namespace

TEST_CASE("host view: a container is found by its recorded id, then label, then name", "[unit][agent][acc-32][fc-6]") {
  auto v = view();
  SECTION("by id, as it should be") {
    v.put(container("c1", "box-1", of("s1")), v.next_ticket());
    CHECK(v.observe({"s1"}).view.id == "c1");
    CHECK(v.observe({"s1"}).drift.empty());
  }
  SECTION("by id, although renamed") {
    v.put(container("c1", "mine", of("s1")), v.next_ticket());
    CHECK(v.observe({"s1"}).drift == "renamed to mine");
  }
  SECTION("by id, although its labels are gone") {
    v.put(container("c1", "box-1", {}), v.next_ticket());
    CHECK(v.observe({"s1"}).container == presence::present);
    CHECK(v.observe({"s1"}).drift == "lost its label zedops.server.id; lost its label zedops.managed");
  }
  SECTION("by label, when the recorded one is gone") {
    v.put(container("c2", "box-1", of("s1")), v.next_ticket());
    CHECK(v.observe({"s1"}).view.id == "c2");
  }
  SECTION("by name, when it is ours but lacks the server's label") {
    v.put(container("c2", "box-1", ours), v.next_ticket());
    CHECK(v.observe({"s1"}).view.id == "c2");
    CHECK(v.observe({"s1"}).drift == "lost its label zedops.server.id");
  }
  SECTION("never by name alone, nor by the label of another manager") {
    v.put(container("c2", "box-1", {}), v.next_ticket());
    auto foreign = of("s1");
    foreign["zedops.manager"] = "m2";
    v.put(container("c3", "box-1", foreign), v.next_ticket());
    CHECK(v.observe({"s1"}).container == presence::absent);
    CHECK(v.unclaimed().empty());
  }
}

TEST_CASE("host view: further containers that claim the server are rivals, the recorded one counts",
          "[unit][agent][acc-33][fc-7]") {
  auto v = view();
  v.put(container("c0", "box-1", of("s1")), v.next_ticket());
  v.put(container("c1", "other", of("s1"), container_state::exited), v.next_ticket());
  auto o = v.observe({"s1"});
  CHECK(o.view.id == "c1");
  CHECK(o.rivals == std::vector<std::string>{"c0"});
  v.bind({"s1"}, "");
  CHECK(v.observe({"s1"}).view.id == "c0");  // the right name, and running
}

TEST_CASE("host view: a container with labels from its image is not one of the server", "[unit][agent][acc-33][fc-7]") {
  auto v = view({{{"s1"}, "c1", "box-1", {}}});
  auto labels = of("s1");
  labels["zedops.image"] = "game:1";
  auto made = [&](const char* id, const char* name, const char* image) {
    auto c = container(id, name, labels);
    c.image = image;
    v.put(c, v.next_ticket());
  };
  made("c1", "box-1", "game:1");
  made("c2", "look", "debug");  // docker commit box-1 debug; docker run --name look debug
  CHECK(v.observe({"s1"}).view.id == "c1");
  CHECK(v.observe({"s1"}).rivals == std::vector<std::string>{"c2"});
  v.drop("c1", v.next_ticket());
  CHECK(v.observe({"s1"}).container == presence::absent);
  CHECK(v.observe({"s1"}).rivals == std::vector<std::string>{"c2"});
  made("c3", "renamed-by-hand", "game:1");  // not recorded yet, but made from the image in its label
  CHECK(v.observe({"s1"}).view.id == "c3");
  // A container from before this label existed is accepted.
  labels.erase("zedops.image");
  v.drop("c3", v.next_ticket());
  made("c4", "old", "game:1");
  CHECK(v.observe({"s1"}).view.id == "c4");
}

TEST_CASE("host view: a container that was set aside ranks below its successor", "[unit][agent]") {
  auto v = view({{{"s1"}, "", "box-1", {}}});
  v.put(container("c1", set_aside_name("box-1", {"op1"}), of("s1"), container_state::exited), v.next_ticket());
  v.put(container("c2", "box-1", of("s1"), container_state::created), v.next_ticket());
  CHECK(v.observe({"s1"}).view.id == "c2");
}

TEST_CASE("host view: a recorded container that was set aside counts until its successor runs",
          "[unit][agent][fc-14]") {
  auto v = view({{{"s1"}, "c1", "box-1", {}}});
  v.put(container("c1", set_aside_name("box-1", {"op1"}), of("s1"), container_state::exited), v.next_ticket());
  v.put(container("c2", "box-1", of("s1"), container_state::created), v.next_ticket());
  CHECK(v.observe({"s1"}).view.id == "c1");
  v.put(container("c2", "box-1", of("s1"), container_state::running), v.next_ticket());
  CHECK(v.observe({"s1"}).view.id == "c2");
}

TEST_CASE("host view: every state is shown as it is, and removing keeps the last one", "[unit][agent][fc-8]") {
  auto v = view();
  for (auto s : {container_state::created, container_state::running, container_state::paused,
                 container_state::restarting, container_state::exited, container_state::dead}) {
    v.put(container("c1", "box-1", of("s1"), s), v.next_ticket());
    CHECK(v.observe({"s1"}).view.state == s);
  }
  v.put(container("c1", "box-1", of("s1"), container_state::removing), v.next_ticket());
  CHECK(v.observe({"s1"}).view.state == container_state::dead);
  v.drop("c1", v.next_ticket());
  CHECK(v.observe({"s1"}).container == presence::absent);
}

TEST_CASE("host view: a list removes what it does not name, except what was seen after it was requested",
          "[unit][agent]") {
  auto v = view();
  v.put(container("c1", "box-1", of("s1")), v.next_ticket());
  auto list = v.next_ticket();
  v.put(container("c2", "box-2", of("s2")), v.next_ticket());
  v.keep_only({}, list);
  CHECK_FALSE(v.container("c1"));
  CHECK(v.container("c2"));
}

TEST_CASE("host view: our containers of no known server are unclaimed", "[unit][agent][acc-21]") {
  auto v = view();
  v.put(container("c7", "x", of("s7")), v.next_ticket());
  v.put(container("c8", "y", ours), v.next_ticket());
  REQUIRE(v.unclaimed().size() == 2);
  v.watch({{"s7"}, "", "x", {}});
  CHECK(v.unclaimed().size() == 1);
  v.forget({"s7"});
  CHECK(v.unclaimed().size() == 2);
}

TEST_CASE("host view: answers may overtake each other, and the look that was requested last wins", "[unit][agent]") {
  REQUIRE(rc::check("any order of arrival ends in the same view", [] {
    auto v = view({{{"s0"}, "", "n0", {}}, {{"s1"}, "", "n1", {}}});
    struct look {
      container_map::ticket ticket;
      std::string id;
      std::optional<container_view> seen;
    };
    std::vector<look> looks;
    std::map<std::string, look> last;
    const auto count = *rc::gen::inRange(1, 30);
    for (int i = 0; i < count; ++i) {
      look l{v.next_ticket(), "c" + std::to_string(*rc::gen::inRange(0, 4)), {}};
      if (*rc::gen::inRange(0, 3) != 0)
        l.seen = container(l.id, "n" + std::to_string(*rc::gen::inRange(0, 3)),
                           of("s" + std::to_string(*rc::gen::inRange(0, 3))),
                           *rc::gen::element(container_state::running, container_state::exited));
      looks.push_back(l);
      last[l.id] = l;
    }
    for (size_t i = looks.size(); i > 1; --i) std::swap(looks[i - 1], looks[*rc::gen::inRange<size_t>(0, i)]);
    for (auto& l : looks) l.seen ? (void)v.put(*l.seen, l.ticket) : (void)v.drop(l.id, l.ticket);
    for (auto& [id, l] : last) {
      auto c = v.container(id);
      RC_ASSERT((c != nullptr) == l.seen.has_value());
      if (c) RC_ASSERT(*c == *l.seen);
    }
    // Each server's claimants are exactly those with its label.
    for (std::string s : {"s0", "s1"}) {
      std::set<std::string> expected, found;
      for (auto& [id, l] : last)
        if (l.seen && l.seen->labels.at("zedops.server.id") == s) expected.insert(id);
      auto o = v.observe({s});
      if (o.container == presence::present) found.insert(o.view.id);
      found.insert(o.rivals.begin(), o.rivals.end());
      RC_ASSERT(found == expected);
    }
  }));
}

TEST_CASE("host view: remembered removals are bounded", "[unit][agent]") {
  auto v = view();
  for (int i = 0; i < 20'000; ++i) v.drop("c" + std::to_string(i), v.next_ticket());
  CHECK(v.container_count() <= graves_max + 1);
}
