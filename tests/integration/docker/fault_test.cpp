#include <unistd.h>

#include <algorithm>

#include "integration/docker/beast_engine.hpp"
#include "integration/docker/http/http_client.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/engine_fixture.hpp"
#include "tools/fake-engine/fake_engine.hpp"

using namespace zedops;
using namespace zedops::test;
using namespace zedops::docker;
using namespace std::chrono_literals;

namespace {

struct faulty {
  fake::engine fake;
  std::unique_ptr<docker::engine> client;
  explicit faulty(const std::string& rules, const std::string& version = "1.41")
      : fake{"/tmp/zedops-fake-" + unique_name("f") + ".sock", fake::parse_rules(rules), version},
        client{std::move(*make_engine(fake.host()))} {}

  msg::result<std::string> ping(call_options o = {}) {
    return wait_for<std::string>([&](auto h) { client->ping(o, h); });
  }
  msg::result<std::vector<container_summary>> list(call_options o = {}) {
    return wait_for<std::vector<container_summary>>([&](auto h) { client->list_containers({}, o, h); });
  }
  msg::result<std::string> pull(pull_options o = {}) {
    awaited<std::string> a;
    auto handle = client->pull_image("x:1", o, {}, a.handler());
    return a.get();
  }
};

const std::string progress = R"({"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"aa"}\n)";

}  // namespace

TEST_CASE("docker faults: a request that hangs ends at its deadline, whichever step hangs", "[integration][docker]") {
  for (auto rules : {"GET /containers/json hang", "* /_ping hang", "GET /containers/json hold 200 [\\n"}) {
    INFO(rules);
    faulty f{rules};
    auto begin = std::chrono::steady_clock::now();
    auto r = f.list({100ms});
    auto took = std::chrono::steady_clock::now() - begin;
    REQUIRE_FALSE(r);
    CHECK(r.error().code == msg::ec::timeout);
    CHECK(r.error().message.find("100ms") != std::string::npos);
    CHECK(took >= 100ms);
    CHECK(took < 2s);
  }
}

TEST_CASE("docker faults: a stop waits for its grace before its deadline counts", "[integration][docker]") {
  faulty f{"POST /stop hang"};
  auto begin = std::chrono::steady_clock::now();
  auto r = wait_for<effect>([&](auto h) { f.client->stop_container("x", 1s, {100ms}, h); });
  CHECK(r.error().code == msg::ec::timeout);
  CHECK(std::chrono::steady_clock::now() - begin >= 1100ms);
  CHECK(f.fake.requests(1).front().target == "/v1.41/containers/x/stop?t=1");
}

TEST_CASE("docker faults: a failing or unreadable list is an error, never an empty list",
          "[integration][docker][fc-1]") {
  for (auto rules : {
           R"(GET /containers/json respond 500 {"message":"boom"})",
           R"(GET /containers/json respond 200 {"message":"boom"})",
           R"(GET /containers/json respond 200 [{"Id":)",
           R"(GET /containers/json respond 200)",
           R"(GET /containers/json cut 200 [\n)",
           R"(GET /containers/json raw 200 HTTP/9.9 what\n\n)",
           R"(GET /containers/json close)",
       }) {
    INFO(rules);
    faulty f{rules};
    auto r = f.list();
    REQUIRE_FALSE(r);
    CHECK(r.error().code == msg::ec::engine_error);
    CHECK_FALSE(r.error().message.empty());
  }
}

TEST_CASE("docker faults: an absent Engine has one message and one remedy, however the connection broke",
          "[integration][docker][fc-61]") {
  const auto nobody = [](const auto& r) {
    REQUIRE_FALSE(r);
    INFO(r.error().message);
    CHECK(r.error().code == msg::ec::engine_error);
    CHECK(r.error().message.find("no Docker Engine at unix:///tmp/zedops-fake-") == 0);
    CHECK(r.error().hint.find("systemctl start docker") != std::string::npos);
  };
  SECTION("the socket does not exist") {
    auto client = std::move(*make_engine("unix:///tmp/zedops-fake-" + unique_name("nobody") + ".sock"));
    nobody(wait_for<std::string>([&](auto h) { client->ping({}, h); }));
  }
  SECTION("it hangs up while a connection is made") {
    nobody(faulty{"* /_ping close"}.list());
    nobody(faulty{R"(* /_ping cut 200 O)"}.list());
  }
  SECTION("a kept connection turns out to be dead: a read is repeated on a new connection") {
    faulty f{"GET /version close"};
    REQUIRE(f.ping());  // leaves its connection for the next request
    auto r = wait_for<engine_info>([&](auto h) { f.client->version({}, h); });
    REQUIRE_FALSE(r);
    const auto seen = f.fake.requests(1);
    CHECK(std::count_if(seen.begin(), seen.end(),
                        [](auto& x) { return x.target.find("/version") != std::string::npos; }) == 2);
  }
}

TEST_CASE("docker faults: after a lost connection the error says that the request may have happened and what to do",
          "[integration][docker][fc-61]") {
  for (auto rules : {"POST /start close", "POST /start cut 200 {"}) {
    INFO(rules);
    faulty f{rules};
    auto r = wait_for<effect>([&](auto h) { f.client->start_container("x", {}, h); });
    REQUIRE_FALSE(r);
    INFO(r.error().message);
    CHECK(r.error().code == msg::ec::engine_error);
    CHECK(r.error().message.find("was lost during POST /containers/x/start: it closed the connection") !=
          std::string::npos);
    CHECK(r.error().hint.find("may or may not have happened") != std::string::npos);
    CHECK(r.error().hint.find("systemctl start docker") != std::string::npos);
    // Never sent twice: only people repeat a request that has an effect.
    const auto seen = f.fake.requests(1);
    CHECK(std::count_if(seen.begin(), seen.end(), [](auto& x) { return x.method == "POST"; }) == 1);
  }
}

TEST_CASE("docker faults: a pull that is cut off, falls silent or sends nonsense has failed",
          "[integration][docker][fc-17]") {
  faulty cut{"POST /images/create cut 200 " + progress};
  auto r = cut.pull();
  CHECK(r.error().code == msg::ec::pull_failed);
  CHECK(r.error().message.find("lost") != std::string::npos);

  faulty silent{"POST /images/create hold 200 " + progress};
  CHECK(silent.pull({.idle = 100ms}).error().code == msg::ec::timeout);
  CHECK(silent.pull({.deadline = 150ms, .idle = 10s}).error().code == msg::ec::timeout);

  faulty error{"POST /images/create chunks 200 " + progress + R"({"errorDetail":{"message":"disk on fire"}}\n)"};
  r = error.pull();
  CHECK(r.error().code == msg::ec::pull_failed);
  CHECK(r.error().message == "cannot pull x:1: disk on fire");

  faulty nonsense{"POST /images/create chunks 200 <html>\\n"};
  CHECK(nonsense.pull().error().code == msg::ec::pull_failed);

  faulty good{"POST /images/create chunks 200 " + progress + R"({"status":"done"}\n)"};
  CHECK(good.pull() == msg::result<std::string>{"done"});
}

TEST_CASE("docker faults: an event stream that ends in any way is reported once", "[integration][docker]") {
  const std::string one = R"({"Type":"container","Action":"die","Actor":{"ID":"a"},"timeNano":5}\n)";
  struct row {
    std::string rule;
    int events;
  };
  for (auto& c : {row{"GET /events cut 200 " + one, 1}, row{"GET /events chunks 200 " + one, 1},
                  row{"GET /events chunks 200 " + one + "nonsense\\n", 1},
                  row{R"(GET /events respond 500 {"message":"boom"})", 0}, row{"GET /events close", 0}}) {
    INFO(c.rule);
    faulty f{c.rule};
    awaited<void> end;
    watched<int> events;
    auto handle = f.client->events(
        {}, [&](const event&) { events.change([](int& n) { ++n; }); }, end.handler());
    auto r = end.get();
    REQUIRE_FALSE(r);
    CHECK(r.error().code == msg::ec::engine_error);
    CHECK(events.value() == c.events);
  }
}

TEST_CASE("docker faults: a cancelled stream and a destroyed client end everything with `cancelled`",
          "[integration][docker]") {
  faulty f{"GET /events hold 200 \nGET /containers/json hang"};
  awaited<void> end;
  auto handle = f.client->events(
      {}, [](const event&) {}, end.handler());
  handle.cancel();
  CHECK(end.get().error().code == msg::ec::cancelled);

  awaited<void> stream_end;
  awaited<std::vector<container_summary>> list_end;
  auto other = f.client->events(
      {}, [](const event&) {}, stream_end.handler());
  f.client->list_containers({}, {}, list_end.handler());
  f.fake.requests(3);
  f.client.reset();
  CHECK(stream_end.get().error().code == msg::ec::cancelled);
  CHECK(list_end.get().error().code == msg::ec::cancelled);
  other.cancel();  // after the client is gone: nothing happens
}

TEST_CASE("docker faults: the version is negotiated again when the Engine was replaced", "[integration][docker]") {
  faulty f{"", "1.41"};
  CHECK(*f.ping() == "1.41");
  f.fake.set_api_version("1.44");
  f.fake.drop_connections();
  CHECK(*f.ping() == "1.44");
  f.fake.set_api_version("1.99");
  f.fake.drop_connections();
  CHECK(*f.ping() == "1.47");
  f.fake.set_api_version("1.24");
  f.fake.drop_connections();
  auto old = f.ping();
  REQUIRE_FALSE(old);
  CHECK(old.error().hint.find("upgrade") != std::string::npos);
}

TEST_CASE("docker faults: a new API gets all networks at create, an old one the rest by connect",
          "[integration][docker]") {
  msg::container_spec s;
  s.name = "x";
  s.networks = {"a", "b"};
  const std::string rules =
      "POST /containers/create respond 201 {\"Id\":\"i\"}\nPOST /connect respond 200\n"
      "DELETE /containers/i respond 204";
  auto create = [&](faulty& f) {
    return wait_for<created_container>([&](auto h) { f.client->create_container(s, {}, h); });
  };
  faulty modern{rules, "1.44"};
  REQUIRE(create(modern));
  auto sent = modern.fake.requests(1);
  CHECK(sent.size() == 1);
  CHECK(sent.front().body.find(R"("EndpointsConfig":{"a":{},"b":{}})") != std::string::npos);
  faulty old{rules, "1.43"};
  REQUIRE(create(old));
  sent = old.fake.requests(2);
  REQUIRE(sent.size() == 2);
  CHECK(sent.back().target == "/v1.43/networks/b/connect");
  // When a network cannot be connected the container is removed: nothing half-made stays behind.
  faulty failing{R"(POST /connect respond 404 {"message":"network b not found"})"
                 "\n" +
                     rules,
                 "1.43"};
  CHECK(create(failing).error().code == msg::ec::not_found);
  CHECK(failing.fake.requests(3).back().method == "DELETE");
}

TEST_CASE("docker faults: an endless answer is cut off at its limit", "[integration][docker]") {
  faulty f{"GET /version respond 200 " + std::string(2 * 1024 * 1024, 'x')};
  auto r = wait_for<engine_info>([&](auto h) { f.client->version({}, h); });
  REQUIRE_FALSE(r);
  CHECK(r.error().message.find("longer than") != std::string::npos);
}

TEST_CASE("docker faults: more requests than allowed are refused as busy, and the rest still end",
          "[integration][docker]") {
  static_assert(fake::engine::connections_max > requests_max, "a connection that the fake closes makes room");
  faulty f{"* * hang"};
  watched<std::pair<int, int>> count;
  constexpr int extra = 3;
  for (std::size_t i = 0; i < requests_max + extra; ++i)
    f.client->ping({60s}, [&](auto r) {
      count.change([&](auto& c) { ++(r.error().code == msg::ec::busy ? c.first : c.second); });
    });
  // None ends by itself meanwhile and makes room, however long it takes to send them all.
  CHECK(count.wait([](auto& c) { return c.first == extra; }));
  f.client.reset();
  CHECK(count.value() == std::pair{extra, static_cast<int>(requests_max)});
}
