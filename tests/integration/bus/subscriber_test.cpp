#include "bus/subscriber.hpp"

#include <random>

#include "tests/integration/bus/support.hpp"

using namespace bus_test;

namespace {

std::vector<raw_event> history_of(uint64_t count, const std::string& topic = "server.a") {
  std::vector<raw_event> all;
  for (uint64_t i = 1; i <= count; ++i) all.push_back({topic, {1, i}, std::to_string(i)});
  return all;
}

// A subscriber whose subscription works, proven by the synchronisation message.
subscriber must_watch(const fixture& f, const std::string& prefix) {
  auto s = subscriber::connect(f.uri("events"));
  REQUIRE(s);
  REQUIRE(s->subscribe(prefix));
  REQUIRE(s->subscribe("~sync.test"));
  for (;;) {
    auto e = s->next(10s);
    REQUIRE(e);
    REQUIRE(e->has_value());
    if ((*e)->topic == "~sync.test") return std::move(*s);
  }
}

// The manager's history as a test double: the bus does not know stores.
struct store_double {
  std::mutex mutex;
  std::vector<raw_event> events;
  size_t asked = 0, fail_next = 0;

  void add(raw_event e) {
    std::lock_guard guard(mutex);
    events.push_back(std::move(e));
  }
  event_stream::replay_fn replay(std::string prefix = "") {
    return [this, prefix](cursor after) -> msg::result<replay_page> {
      std::lock_guard guard(mutex);
      ++asked;
      if (fail_next > 0) return --fail_next, msg::fail(msg::ec::timeout, "scripted");
      replay_page page{{}, {}, {1, std::min<uint64_t>(after.seq + 100, events.size())}, true};
      page.complete = page.through.seq == events.size();
      for (uint64_t i = after.seq; i < page.through.seq; ++i)
        if (events[i].topic.starts_with(prefix)) page.events.push_back(events[i]);
      return page;
    };
  }
};

event_stream must_open(const fixture& f, store_double& store, std::optional<cursor> since,
                       std::chrono::milliseconds quiet = 10s) {
  event_stream_options o;
  o.events_at = f.uri("events");
  o.since = since;
  o.quiet = quiet;
  auto s = event_stream::open(o, store.replay());
  REQUIRE(s);
  return std::move(*s);
}

uint64_t next_seq(event_stream& s) {
  for (;;) {
    auto item = s.next(10s);
    if (!item) continue;  // a scripted failure
    REQUIRE(item->has_value());
    auto* e = std::get_if<raw_event>(&**item);
    REQUIRE(e);
    return e->at.seq;
  }
}

}  // namespace

TEST_CASE("events: ten subscribers get every event in order", "[integration][bus]") {
  fixture f;
  constexpr uint64_t count = 2'000;
  std::vector<subscriber> watchers;
  for (int i = 0; i < 10; ++i) watchers.push_back(must_watch(f, ""));
  for (auto& e : history_of(count)) REQUIRE(f.bus->publish(e));
  for (auto& w : watchers)
    for (uint64_t expected = 1; expected <= count;) {
      auto e = w.next(10s);
      REQUIRE(e);
      REQUIRE(e->has_value());
      if ((*e)->topic.starts_with(sync_topic_prefix)) continue;
      REQUIRE((*e)->at == cursor{1, expected});
      CHECK((*e)->body == std::to_string(expected));
      ++expected;
    }
}

TEST_CASE("events: a prefix chooses subjects", "[integration][bus]") {
  fixture f;
  auto w = must_watch(f, "server.b");
  for (auto topic : {"server.a", "agent.b", "server.b", "operation.b"}) f.bus->publish({topic, {1, 1}, ""});
  auto e = w.next(10s);
  REQUIRE(e);
  REQUIRE(e->has_value());
  CHECK((*e)->topic == "server.b");
  CHECK_FALSE(w.next(0ms)->has_value());
}

TEST_CASE("events: the synchronisation message carries the newest cursor", "[integration][bus]") {
  fixture f([](server_bus_options& o) { o.head = {7, 41}; });
  for (uint64_t expected : {41, 42}) {
    if (expected == 42) f.bus->publish({"server.a", {7, 42}, ""});
    auto s = subscriber::connect(f.uri("events"));
    REQUIRE(s);
    // What was published a moment ago may still be on its way to the bus's thread: then the one before is the newest.
    const auto until = std::chrono::steady_clock::now() + 10s;
    cursor seen{};
    for (int i = 0; seen != cursor{7, expected} && std::chrono::steady_clock::now() < until; ++i) {
      REQUIRE(s->subscribe("~sync.x" + std::to_string(expected) + "." + std::to_string(i)));
      auto e = s->next(10s);
      REQUIRE(e);
      REQUIRE(e->has_value());
      seen = (*e)->at;
    }
    CHECK(seen == cursor{7, expected});
  }
}

TEST_CASE("events: unwatched events are not built, and the cursor moves on all the same", "[integration][bus]") {
  fixture f;
  std::atomic<int> made{0};
  const auto later = [&](uint64_t seq) {
    return unmade_events{{1, seq}, 100, [&made, seq] {
                           ++made;
                           return std::vector<raw_event>{{"server.a", {1, seq - 1}, "x"}, {"server.b", {1, seq}, "y"}};
                         }};
  };
  CHECK_FALSE(f.bus->watched());
  REQUIRE(f.bus->publish_if_watched(later(2)));
  auto w = subscriber::connect(f.uri("events"));
  REQUIRE(w);
  REQUIRE(w->subscribe("server."));
  REQUIRE(w->subscribe("~sync.late"));
  auto head = w->next(10s);
  REQUIRE(head);
  REQUIRE(head->has_value());
  CHECK((*head)->at == cursor{1, 2});
  CHECK(made == 0);
  CHECK(f.bus->watched());
  // Built although they were handed over as unwatched: a watcher has subscribed meanwhile.
  REQUIRE(f.bus->publish_if_watched(later(4)));
  for (uint64_t expected : {3, 4}) {
    auto e = w->next(10s);
    REQUIRE(e);
    REQUIRE(e->has_value());
    CHECK((*e)->at == cursor{1, expected});
  }
  CHECK(made == 1);
  // The bus counts this after the event has left, which may be after it has arrived.
  CHECK(eventually([&] { return f.bus->stats().outbox_bytes == 0; }));
}

TEST_CASE("events: a subscriber that does not read slows down no other and loses only its own events",
          "[integration][bus]") {
  fixture f([](server_bus_options& o) { o.limits.subscriber_queue_max = 1'000; });
  raw_socket deaf(zmq::socket_type::sub, f.uri("events"));
  deaf.socket.set(zmq::sockopt::rcvhwm, 10);
  deaf.socket.set(zmq::sockopt::subscribe, "");
  REQUIRE(eventually([&] { return f.bus->stats().subscriptions == 1; }));
  auto w = must_watch(f, "server.");
  constexpr uint64_t count = 50'000, step = 500;
  const std::string body(500, 'x');
  for (uint64_t i = 1; i <= count; ++i) {
    REQUIRE(f.bus->publish({"server.a", {1, i}, body}));
    if (i % step != 0) continue;
    for (uint64_t k = i - step + 1; k <= i; ++k) {
      auto e = w.next(10s);
      REQUIRE(e);
      REQUIRE(e->has_value());
      REQUIRE((*e)->at.seq == k);
    }
  }
}

TEST_CASE("stream: replay, live and healing make one complete story", "[integration][bus]") {
  fixture f;
  store_double store;
  for (auto& e : history_of(250)) store.add(e);
  f.bus->publish(store.events.back());
  auto s = must_open(f, store, cursor{1, 0});
  uint64_t expected = 1;
  for (; expected <= 250; ++expected) REQUIRE(next_seq(s) == expected);

  std::mt19937 random(3);
  for (uint64_t i = 251; i <= 3'000; ++i) {
    raw_event e{"server.a", {1, i}, ""};
    store.add(e);
    if (random() % 3) f.bus->publish(e);  // one of three is lost
    if (random() % 200 == 0) {
      std::lock_guard held(store.mutex);
      store.fail_next = 2;
    }
  }
  f.bus->publish({"server.a", {1, 3'000}, ""});
  for (; expected <= 3'000; ++expected) REQUIRE(next_seq(s) == expected);
  CHECK(s.position() == cursor{1, 3'000});
}

TEST_CASE("stream: an event lost at the tail is found when it stays quiet", "[integration][bus]") {
  fixture f;
  store_double store;
  auto s = must_open(f, store, cursor{1, 0}, 100ms);
  CHECK_FALSE(s.next(0ms)->has_value());
  store.add({"server.a", {1, 1}, ""});  // durable, never published
  CHECK(next_seq(s) == 1);
}

TEST_CASE("stream: events from while the manager was away are delivered after it is back", "[integration][bus]") {
  fixture f;
  store_double store;
  auto s = must_open(f, store, std::nullopt, 1h);
  CHECK_FALSE(s.next(0ms)->has_value());
  REQUIRE(eventually([&] { return s.next(0ms) && s.position(); }));
  f.bus.reset();
  for (auto& e : history_of(5)) store.add(e);
  auto o = f.options();
  o.head = {1, 5};
  f.start(o);  // nothing is published: only the synchronisation after the redial can show it
  for (uint64_t expected = 1; expected <= 5; ++expected) REQUIRE(next_seq(s) == expected);
}

TEST_CASE("stream: a filtered stream needs a way to number its subjects", "[integration][bus]") {
  fixture f;
  store_double store;
  event_stream_options o;
  o.events_at = f.uri("events");
  o.topic_prefixes = {"server."};
  CHECK(event_stream::open(o, store.replay()).error().code == msg::ec::bad_request);
  o.subject_seq = [](const raw_event& e) { return std::optional<uint64_t>(std::stoull(e.body)); };
  o.since = cursor{1, 0};
  auto s = event_stream::open(o, store.replay("server."));
  REQUIRE(s);
  const raw_event story[] = {{"server.a", {1, 1}, "1"},
                             {"agent.x", {1, 2}, "1"},
                             {"server.b", {1, 3}, "1"},
                             {"server.a", {1, 4}, "2"},
                             {"server.a", {1, 5}, "3"}};
  CHECK_FALSE(s->next(0ms)->has_value());
  for (const auto& e : story) {
    store.add(e);
    if (e.at.seq != 4) f.bus->publish(e);
  }
  for (uint64_t expected : {1, 3, 4, 5}) CHECK(next_seq(*s) == expected);
}
