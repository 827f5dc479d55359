#include <algorithm>

#include "tests/integration/docker/docker_test.hpp"

using namespace zedops;
using namespace zedops::test;

namespace {

struct watching {
  struct seen {
    event what;
    int64_t delay_ns = 0;  // from the daemon's time stamp to our callback, on one clock
  };
  watched<std::vector<seen>> got;
  watched<bool> open;
  awaited<void> end;

  subscription begin(engine& engine, event_options o) {
    o.on_open = [this] { open.change([](bool& b) { b = true; }); };
    return engine.events(
        std::move(o),
        [this](const event& e) {
          auto now = std::chrono::system_clock::now().time_since_epoch();
          auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
          got.change([&](auto& v) { v.push_back({e, ns - e.time_ns}); });
        },
        end.handler());
  }
  bool saw(const std::string& id, const std::string& action) {
    return got.wait([&](auto& v) {
      return std::any_of(v.begin(), v.end(), [&](auto& s) { return s.what.id == id && s.what.action == action; });
    });
  }
};

}  // namespace

TEST_CASE_METHOD(docker_fixture, "docker: events of our label arrive at once, with exit code and labels",
                 "[integration][docker][acc-23]") {
  watching w;
  auto handle = w.begin(engine, {.labels = mine, .types = {"container"}});
  REQUIRE(w.open.wait([](bool b) { return b; }));
  auto foreign = spec();
  foreign.labels = {{"zedops.test", tag + "-other"}};
  cleanup other{engine, foreign.labels};
  started(foreign);
  auto id = started(spec());
  CHECK(remove(id));
  for (auto action : {"create", "start", "kill", "die", "destroy"}) CHECK(w.saw(id, action));

  auto all = w.got.value();
  std::vector<int64_t> delays;
  for (auto& s : all) {
    CHECK(s.what.id == id);
    CHECK(s.what.attributes.at("zedops.test") == tag);
    if (s.what.action == "die") CHECK(s.what.attributes.at("exitCode") == "137");
    delays.push_back(s.delay_ns);
  }
  std::sort(delays.begin(), delays.end());
  WARN("event delay: median " << static_cast<double>(delays[delays.size() / 2]) / 1e6 << " ms, max "
                              << static_cast<double>(delays.back()) / 1e6 << " ms");
  CHECK(delays.back() < 1'000'000'000);

  handle.cancel();
  CHECK(w.end.get().error().code == msg::ec::cancelled);
}

TEST_CASE_METHOD(docker_fixture, "docker: events since a time are replayed", "[integration][docker]") {
  watching first;
  auto handle = first.begin(engine, {.labels = mine});
  REQUIRE(first.open.wait([](bool b) { return b; }));
  auto id = created(spec());
  REQUIRE(first.saw(id, "create"));
  auto at = first.got.value().front().what.time_ns;
  CHECK(remove(id));
  watching second;
  auto replay = second.begin(engine, {.labels = mine, .since_ns = at + 1});
  REQUIRE(second.saw(id, "destroy"));
  auto all = second.got.value();
  CHECK(std::none_of(all.begin(), all.end(), [](auto& s) { return s.what.action == "create"; }));
}
