#include <fstream>

#include "bus/subscriber.hpp"
#include "tests/integration/bus/support.hpp"
#include "tests/support/sanitized.hpp"

using namespace bus_test;

namespace {

size_t resident_bytes() {
  size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("overload: a peer that does not read loses only its own replies, memory stays bounded",
          "[integration][bus]") {
  fixture f([](server_bus_options& o) { o.limits.peer_queue_max = 500; });
  raw_socket deaf(zmq::socket_type::dealer, f.uri("clients"));
  deaf.socket.set(zmq::sockopt::rcvhwm, 10);
  deaf.send(encode(request{"1", "keep", "", {}, "", ""}));
  REQUIRE(f.seen.wait([&] { return f.seen.requests.size() == 1; }));
  auto id = f.seen.locked([&] { return f.seen.requests[0].routing_id; });
  f.seen.locked([&] { f.seen.keep = false; });

  auto good = must_connect(f);
  const size_t before = resident_bytes();
  constexpr size_t flood = 100'000, room_for_others = 10'000;
  const std::string body(1'000, 'x');
  size_t peak = 0;
  for (size_t i = 0; i < flood; ++i) {
    while (f.bus->stats().outbox > room_for_others) std::this_thread::yield();
    REQUIRE(f.bus->send(door::clients, id, encode(reply{reply_kind::chunk, "1", body})));
    if (i % 5'000 != 0) continue;
    auto answer = good.request("echo", "in between");
    REQUIRE(answer);
    CHECK(answer->body == "in between");
    peak = std::max(peak, resident_bytes());
  }
  REQUIRE(eventually([&] { return f.bus->stats().outbox == 0; }));
  auto stats = f.bus->stats();
  CHECK(stats.slow > flood / 2);
  CHECK(f.seen.locked([&] { return f.seen.slow.size(); }) == 1);  // no other client was slow
  // 100 MB were sent; what may stay is the outbox (10,000) and the queues on the way.
  if (!test::sanitized) CHECK(peak - std::min(peak, before) < 40u << 20);
  CHECK(good.request("echo", "after")->body == "after");
}

TEST_CASE("overload: a full outbox refuses messages and accepts them again when it has drained", "[integration][bus]") {
  fixture f([](server_bus_options& o) { o.limits.outbox_max = 100; });
  auto watcher = subscriber::connect(f.uri("events"));
  REQUIRE(watcher);
  REQUIRE(watcher->subscribe("server."));
  REQUIRE(eventually([&] { return f.bus->watched(); }));
  std::atomic<bool> go_on{false};  // until then the bus thread is busy making events
  REQUIRE(f.bus->publish_if_watched({{1, 0}, 1, [&] {
                                       eventually([&] { return go_on.load(); });
                                       return std::vector<raw_event>{};
                                     }}));
  size_t taken = 0, refused = 0;
  for (uint64_t i = 1; i <= 1'000; ++i) f.bus->publish({"server.a", {1, i}, "x"}) ? ++taken : ++refused;
  CHECK(refused >= 899);
  CHECK(f.bus->stats().refused == refused);
  go_on = true;
  REQUIRE(eventually([&] { return f.bus->stats().published == taken; }));
  CHECK(f.bus->publish({"server.a", {1, 1'000'000}, "x"}));
  CHECK_FALSE(f.bus->publish({"server.a", {1, 1'000'001}, std::string(257u << 20, 'x')}));  // bytes
}

TEST_CASE("overload: without credits the door is not read, the other door is, and credits open it again",
          "[integration][bus]") {
  constexpr size_t credits = 64, flood = 5'000;
  fixture f([](server_bus_options& o) { o.limits.inbound_max = credits; });
  auto c = must_connect(f);
  for (size_t i = 0; i < flood; ++i) REQUIRE(c.post("keep", "x"));
  REQUIRE(f.seen.wait([&] { return f.seen.requests.size() == credits; }));

  // The agents' door has its own credits. Its answer also shows that the loop had enough turns to read more.
  raw_socket agent(zmq::socket_type::dealer, f.uri("agents"));
  for (int i = 0; i < 10; ++i) agent.send(encode(agent_message{"hello", 0, ""}));
  REQUIRE(f.seen.wait([&] { return f.seen.messages.size() == 10; }));
  CHECK(f.seen.locked([&] { return f.seen.requests.size(); }) == credits);
  CHECK(f.bus->stats().credits_clients == credits);

  size_t handled = 0;
  while (handled < flood) {
    std::vector<client_request> batch;
    REQUIRE(f.seen.wait([&] { return !f.seen.requests.empty(); }));
    f.seen.locked([&] { batch.swap(f.seen.requests); });
    CHECK(batch.size() <= credits);
    handled += batch.size();
  }
  CHECK(handled == flood);
  REQUIRE(eventually([&] { return f.bus->stats().credits_clients == 0; }));
}

TEST_CASE("overload: 100,000 requests in flight from four clients are all answered", "[integration][bus]") {
  fixture f;
  f.seen.locked([&] { f.seen.keep = false; });
  constexpr int clients = 4, each = 25'000, window = 500;
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < clients; ++t)
    threads.emplace_back([&] {
      auto c = client::connect(f.uri("clients"));
      if (!c) return;
      for (int sent = 0, got = 0; got < each;) {
        while (sent < each && sent - got < window) sent += c->post("echo", "x").has_value();
        auto r = c->receive(10s);
        if (!r || !*r) return;
        ++got;
        ++answered;
      }
    });
  for (auto& t : threads) t.join();
  CHECK(answered == clients * each);
}
