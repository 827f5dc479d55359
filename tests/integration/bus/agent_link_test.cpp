#include "bus/agent_link.hpp"

#include "tests/integration/bus/support.hpp"

using namespace bus_test;

namespace {

// Says hello on each connection, as an agent does, when asked to; keeps what arrives.
class greeter : public agent_link_listener {
 public:
  agent_link* link = nullptr;
  bool hello = false;

  void on_start(agent_link& l) noexcept override { link = &l; }
  void on_connected() noexcept override {
    if (hello) link->send({"hello", 0, std::to_string(connected + 1)});
    note([&] { ++connected; });
  }
  void on_disconnected() noexcept override {
    note([&] { ++disconnected; });
  }
  void on_message(link_inbound&& m) noexcept override {
    note([&] { messages.push_back(std::move(m)); });
  }
  void on_bad_message(const msg::error&) noexcept override {
    note([&] { ++bad; });
  }
  bool wait(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, condition);
  }

  int connected = 0, disconnected = 0, bad = 0;
  std::vector<link_inbound> messages;

 private:
  void note(const std::function<void()>& f) {
    std::lock_guard guard(mutex_);
    f();
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
};

std::unique_ptr<agent_link> dial(const fixture& f, greeter& g) {
  agent_link_options o;
  o.manager = f.uri("agents");
  auto link = agent_link::start(o, g);
  REQUIRE(link);
  return std::move(*link);
}

}  // namespace

TEST_CASE("agent link: messages go both ways in order", "[integration][bus]") {
  fixture f;
  greeter g;
  auto link = dial(f, g);
  REQUIRE(g.wait([&] { return g.connected == 1; }));
  constexpr size_t count = 800;  // below the queues and credits on the way: nothing may be lost
  for (size_t i = 0; i < count; ++i) REQUIRE(link->send({"report", 7, std::to_string(i)}));
  REQUIRE(f.seen.wait([&] { return f.seen.messages.size() == count; }));
  f.seen.locked([&] {
    for (size_t i = 0; i < count; ++i) {
      CHECK(f.seen.messages[i].body == std::to_string(i));
      CHECK(f.seen.messages[i].session == 7);
      CHECK(f.seen.messages[i].routing_id == ("l" + link->routing_id()));
    }
  });
  for (size_t i = 0; i < count; ++i)
    REQUIRE(f.bus->send(door::agents, ("l" + link->routing_id()), encode(agent_message{"command", 7, std::to_string(i)})));
  REQUIRE(g.wait([&] { return g.messages.size() == count; }));
  for (size_t i = 0; i < count; ++i) CHECK(g.messages[i].body == std::to_string(i));
}

TEST_CASE("agent link: without a manager it accepts nothing and keeps dialling", "[integration][bus]") {
  fixture f;
  greeter g;
  f.bus.reset();
  auto link = dial(f, g);
  CHECK_FALSE(link->connected());
  CHECK_FALSE(link->send({"report", 0, "x"}));
  f.start(f.options());
  REQUIRE(g.wait([&] { return g.connected == 1; }));
  CHECK(link->send({"hello", 0, "x"}));
  REQUIRE(f.seen.wait([&] { return f.seen.messages.size() == 1; }));
}

TEST_CASE("agent link: a manager that restarts finds the same agent again, hello first", "[integration][bus]") {
  fixture f;
  greeter g;
  g.hello = true;
  auto link = dial(f, g);
  for (int round = 1; round <= 3; ++round) {
    REQUIRE(g.wait([&] { return g.connected == round; }));
    REQUIRE(f.seen.wait([&] { return !f.seen.messages.empty(); }));
    f.seen.locked([&] {
      CHECK(f.seen.messages[0].tag == "hello");
      CHECK(f.seen.messages[0].body == std::to_string(round));
      CHECK(f.seen.messages[0].routing_id == ("l" + link->routing_id()));
      f.seen.messages.clear();
    });
    f.bus.reset();
    REQUIRE(g.wait([&] { return g.disconnected == round; }));
    CHECK_FALSE(link->send({"report", 0, "into the void"}));
    f.start(f.options());
  }
  CHECK(link->stats().connects >= 3);
}

TEST_CASE("agent link: when the manager stops reading, the agent's outbox fills up and reports it",
          "[integration][bus]") {
  fixture f([](server_bus_options& o) { o.limits.inbound_max = 10; });
  greeter g;
  agent_link_options o;
  o.manager = f.uri("agents");
  o.outbox_max = 100;
  o.peer_queue_max = 100;
  auto started = agent_link::start(o, g);
  REQUIRE(started);
  auto& link = *started;
  REQUIRE(g.wait([&] { return g.connected == 1; }));
  const std::string body(10'000, 'x');
  size_t taken = 0;
  // The limits on the way: our outbox and queue, the kernel's socket buffer, the manager's queue and credits.
  REQUIRE(eventually([&] {
    while (link->send({"report", 1, body})) ++taken;
    return f.seen.locked([&] { return f.seen.messages.size(); }) == 10 && link->stats().outbox == 100;
  }));
  CHECK(taken < 5'000);
  // Once the credits are released, everything that was accepted arrives.
  size_t arrived = 0;
  while (arrived < taken) {
    REQUIRE(f.seen.wait([&] { return !f.seen.messages.empty(); }));
    std::vector<agent_inbound> batch;
    f.seen.locked([&] { batch.swap(f.seen.messages); });
    arrived += batch.size();
  }
  CHECK(arrived == taken);
}

TEST_CASE("agent link: frames that form no message are reported", "[integration][bus]") {
  fixture f;
  greeter g;
  auto link = dial(f, g);
  REQUIRE(g.wait([&] { return g.connected == 1; }));
  REQUIRE(link->send({"hello", 0, ""}));
  REQUIRE(f.seen.wait([&] { return f.seen.messages.size() == 1; }));
  f.bus->send(door::agents, ("l" + link->routing_id()), {"what", "is", "this"});
  REQUIRE(g.wait([&] { return g.bad == 1; }));
}

TEST_CASE("agent link: a tcp manager is refused while there are no keys", "[integration][bus]") {
  greeter g;
  agent_link_options o;
  o.manager = "tcp://10.0.0.1:7701";
  auto link = agent_link::start(o, g);
  REQUIRE_FALSE(link);
  CHECK(link.error().code == msg::ec::bad_request);
  CHECK_FALSE(link.error().hint.empty());
}
