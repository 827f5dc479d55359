#include "tests/integration/bus/support.hpp"

using namespace bus_test;

namespace {
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
using clock_ = std::chrono::steady_clock;
}  // namespace

TEST_CASE("client: a missing manager is reported at once, with the endpoint and the remedy", "[integration][bus]") {
  auto start = clock_::now();
  auto c = client::connect("ipc:///tmp/zedops-no-such-directory/clients.ipc");
  REQUIRE_FALSE(c);
  CHECK(clock_::now() - start < 1s);
  CHECK(c.error().code == msg::ec::agent_unreachable);
  CHECK(msg::info(c.error().code).exit_code == 6);
  CHECK(has(c.error().message, "no manager answers at ipc:///tmp/zedops-no-such-directory/clients.ipc"));
  CHECK(has(c.error().hint, "start zedops-manager"));
}

TEST_CASE("client: interim replies arrive in order before the final one", "[integration][bus]") {
  fixture f;
  auto c = must_connect(f);
  std::string steps;
  auto got = c.request("steps", "", {}, [&](const reply& r) { steps += r.body + " "; });
  REQUIRE(got);
  CHECK(steps == "accepted progress chunk ");
  CHECK(got->kind == reply_kind::error);
}

TEST_CASE("client: an answer that is too late is a timeout, and late answers cause no confusion",
          "[integration][bus]") {
  fixture f;
  auto c = must_connect(f);
  auto late = c.request("keep", "x", {"", 50ms, ""});
  REQUIRE_FALSE(late);
  CHECK(late.error().code == msg::ec::timeout);
  CHECK(has(late.error().message, "did not answer within"));
  f.seen.locked([&] {
    const auto& r = f.seen.requests.at(0);
    f.bus->send(door::clients, r.routing_id, encode(reply{reply_kind::result, r.id, "late"}));
  });
  CHECK(c.request("echo", "next")->body == "next");
}

TEST_CASE("client: a manager that dies during a request is reported at once, and the client works with the next one",
          "[integration][bus]") {
  fixture f;
  auto c = must_connect(f);
  std::thread killer([&] {
    f.seen.wait([&] { return !f.seen.requests.empty(); });
    f.bus.reset();
  });
  auto start = clock_::now();
  auto lost = c.request("keep", "x", {"", 30s, ""});
  killer.join();
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == msg::ec::agent_unreachable);
  CHECK_FALSE(lost.error().hint.empty());
  CHECK(clock_::now() - start < 5s);

  auto nobody = c.request("echo", "x", {"", 30s, ""});
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == msg::ec::agent_unreachable);
  CHECK(clock_::now() - start < 10s);

  f.start(f.options());
  auto again = c.request("echo", "back", {"", 10s, ""});
  REQUIRE(again);
  CHECK(again->body == "back");
}

TEST_CASE("client: a request that the manager would refuse is refused before it is sent", "[integration][bus]") {
  fixture f;
  auto c = must_connect(f);
  CHECK(c.request("Bad Verb", "").error().code == msg::ec::bad_request);
  CHECK(c.request("echo", std::string(body_max + 1, 'x')).error().code == msg::ec::too_large);
  CHECK(f.bus->stats().requests == 0);
  CHECK(f.bus->stats().bad_messages == 0);
}

TEST_CASE("client: many requests in flight are distinguished by their ids", "[integration][bus]") {
  fixture f;
  auto c = must_connect(f);
  std::map<std::string, std::string> open;
  for (int i = 0; i < 1'000; ++i) {
    auto id = c.post("echo", std::to_string(i));
    REQUIRE(id);
    open[*id] = std::to_string(i);
  }
  while (!open.empty()) {
    auto r = c.receive(10s);
    REQUIRE(r);
    REQUIRE(r->has_value());
    CHECK(open.at((*r)->request_id) == (*r)->body);
    open.erase((*r)->request_id);
  }
  CHECK_FALSE(c.receive(0ms)->has_value());
}
