#include <atomic>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "actors/agent/lanes/progress_gate.hpp"
#include "actors/agent/lanes/turns.hpp"
#include "actors/agent/observe/data_layouts.hpp"
#include "actors/agent/observe/layer_summary.hpp"
#include "actors/agent/observe/log_page.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::agent;
using namespace zedops::msg;
using namespace std::chrono_literals;

TEST_CASE("progress: a new step passes at once, percentages four times a second, and none falls", "[unit][agent]") {
  progress_gate gate;
  std::chrono::steady_clock::time_point now{10s};
  uint32_t p = 5;
  CHECK(gate.admit("pulling", p, {}, now));
  p = 6;
  CHECK_FALSE(gate.admit("pulling", p, {}, now + 100ms));
  CHECK(gate.admit("pulling", p, {}, now + 250ms));
  p = 3;
  CHECK_FALSE(gate.admit("pulling", p, {}, now + 600ms));  // nothing new: it never falls
  p = 3;
  CHECK(gate.admit("creating", p, {}, now + 601ms));
  CHECK(p == 6);
  int passed = 0;
  for (int i = 0; i < 1000; ++i) {
    p = 10 + static_cast<uint32_t>(i) / 20;
    passed += gate.admit("creating", p, std::to_string(i), now + 1s + i * 1ms) ? 1 : 0;
  }
  CHECK(passed <= 4);
}

TEST_CASE("data layouts: directories are in the server's own tree or refused", "[unit][agent][fc-45]") {
  data_layout l{
      "/srv/zed", "pz1", {{"bin", "/srv/zed/pz1/bin", true}, {"data", "/srv/zed/pz1/a/b", false}}, "1000:1001"};
  auto check = check_request_of(l, {"a1"}, host::sizing::skip);
  REQUIRE(check);
  CHECK(check->root.owner == "a1");
  CHECK(check->dirs[1].path == "a/b");
  CHECK_FALSE(check->dirs[1].counts_as_data);
  auto dirs = dirs_request_of(l, {"a1"});
  REQUIRE(dirs);
  CHECK(dirs->uid == 1000u);
  CHECK(dirs->gid == 1001u);
  for (auto bad : {"/srv/zed/pz10/bin", "/srv/zed/pz1", "/srv/zed/pz1/", "/etc", "bin"}) {
    l.dirs[0].path = bad;
    CHECK_FALSE(check_request_of(l, {"a1"}, host::sizing::skip));
  }
  l.dirs.clear();
  for (auto bad : {"steam", "1000", "1000:", ":1", "1:2:3"}) {
    l.owner = bad;
    INFO(bad);
    CHECK_FALSE(dirs_request_of(l, {"a1"}));
  }
}

TEST_CASE("layer: the summary lists what would be lost, by folder", "[unit][agent]") {
  docker::container_layer layer{5'000,
                                {"/opt/game/saves/a", "/opt/game/b", "/root/world", "/tmp/x", "/run/pid", "/etc/hosts",
                                 "/etc/game.conf", "/top"}};
  const auto s = summary_of(layer);
  CHECK(s.files == 5);
  CHECK(s.bytes == 5'000);
  REQUIRE(s.folders.size() == 4);
  CHECK(s.folders[0].path == "/opt/game");
  CHECK(s.folders[0].files == 2);
  std::vector<std::string> rest;
  for (size_t i = 1; i < s.folders.size(); ++i) rest.push_back(s.folders[i].path);
  CHECK(rest == std::vector<std::string>{"/", "/etc", "/root"});
}

TEST_CASE("logs: a long line arrives whole, without the time stamps that the Engine put into it", "[unit][agent]") {
  const std::string stamp = "2026-01-01T00:00:00.000000001Z ";
  log_page page(logs_query{1, "c", 10, {}});
  const std::string first(16 * 1024, 'a'), second(16 * 1024, 'b');
  page.add(docker::output::out, stamp + first + stamp + second + stamp + "c");
  page.add(docker::output::err, "a further piece");
  const auto a = page.answer({});
  REQUIRE(a.lines.size() == 2);
  CHECK(a.lines[0].text == first + second + "c");
  CHECK(a.lines[0].at == stamp.substr(0, stamp.size() - 1));
  CHECK(a.lines[1].text == "a further piece");
  CHECK(a.lines[1].at == a.lines[0].at);
  CHECK_FALSE(a.cut);
}

TEST_CASE("logs: only the first line after the last known one is reported as news", "[unit][agent]") {
  log_page page(logs_query{1, "c", 10, "2026-01-01T00:00:00.5Z"});
  CHECK_FALSE(page.add(docker::output::out, "2026-01-01T00:00:00.500000000Z known"));
  CHECK_FALSE(page.add(docker::output::out, "a further piece"));
  CHECK(page.add(docker::output::out, "2026-01-01T00:00:00.500000001Z new"));
  CHECK_FALSE(page.add(docker::output::out, "2026-01-01T00:00:01.000000000Z newer"));
  log_page tail(logs_query{1, "c", 10, {}});
  CHECK_FALSE(tail.add(docker::output::out, "2026-01-01T00:00:00.500000001Z line"));
}

TEST_CASE("turns: never more at once than allowed, and everybody gets one", "[unit][agent]") {
  turns two(2);
  const cancel_token never;
  std::atomic<int> inside{0}, most{0}, taken{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < 5; ++i)
    workers.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        turns::turn turn(two, never);
        const int now = ++inside;
        for (int was = most; now > was && !most.compare_exchange_weak(was, now);) {
        }
        std::this_thread::yield();
        --inside;
        turn.give_way();
        ++taken;
      }
    });
  for (auto& w : workers) w.join();
  CHECK(taken == 250);
  CHECK(most >= 1);
  CHECK(most <= 2);
}

TEST_CASE("turns: who has one lets those go first that wait", "[unit][agent]") {
  turns one(0);  // at least one
  const cancel_token never;
  std::atomic<bool> had_it{false};
  std::thread waits;
  {
    turns::turn turn(one, never);
    turn.give_way();  // nobody waits: it goes on
    waits = std::thread([&] {
      turns::turn mine(one, never);
      had_it = bool(mine);
    });
    for (const auto end = std::chrono::steady_clock::now() + 10s; !had_it && std::chrono::steady_clock::now() < end;)
      turn.give_way();
    CHECK(had_it);
  }
  waits.join();
}

TEST_CASE("turns: who is cancelled waits no longer, and those behind it do not wait for it", "[unit][agent]") {
  turns one(1);
  const cancel_token never;
  cancel_token cancel;
  std::optional<turns::turn> first(std::in_place, one, never);
  auto second = std::async(std::launch::async, [&] { return bool(turns::turn(one, cancel)); });
  auto third = std::async(std::launch::async, [&] { return bool(turns::turn(one, never)); });
  cancel.cancel();
  REQUIRE(second.wait_for(10s) == std::future_status::ready);
  CHECK_FALSE(second.get());
  CHECK(third.wait_for(0s) == std::future_status::timeout);
  first.reset();
  REQUIRE(third.wait_for(10s) == std::future_status::ready);
  CHECK(third.get());
}
