#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <random>

#include "tests/integration/bus/support.hpp"

using namespace bus_test;

TEST_CASE("server bus: a request arrives whole and its replies return", "[integration][bus]") {
  fixture f;
  auto c = must_connect(f);
  send_options options{"key-1", 1234ms, "opts"};
  auto got = c.request("echo", std::string("\0body", 5), options);
  REQUIRE(got);
  CHECK(got->kind == reply_kind::result);
  CHECK(got->body == std::string("\0body", 5));
  f.seen.locked([&] {
    REQUIRE(f.seen.requests.size() == 1);
    const auto& r = f.seen.requests[0];
    CHECK(r.verb == "echo");
    CHECK(r.idempotency_key == "key-1");
    CHECK(r.deadline == 1234ms);
    CHECK(r.options == "opts");
  });
}

TEST_CASE("server bus: a body of 16 MiB passes both ways", "[integration][bus]") {
  fixture f;
  auto c = must_connect(f);
  std::string body(body_max, 'x');
  auto got = c.request("echo", body);
  REQUIRE(got);
  CHECK(got->body == body);
}

TEST_CASE("server bus: an idle bus does not wake", "[integration][bus]") {
  fixture f;
  auto c = must_connect(f);
  REQUIRE(c.request("echo", "x"));
  uint64_t before = 0;
  // The answer may still cause a wake-up or two; then nothing does.
  REQUIRE(eventually([&] { return std::exchange(before, f.bus->stats().wakeups) == f.bus->stats().wakeups; }));
  before = f.bus->stats().wakeups;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable nobody;
  nobody.wait_for(lock, 1500ms, [] { return false; });  // the time is what is tested
  CHECK(f.bus->stats().wakeups == before);
}

TEST_CASE("server bus: hostile frames are reported and kill nothing", "[integration][bus]") {
  fixture f;
  auto good = must_connect(f);
  std::mt19937 random(7);
  auto noise = [&](size_t size) {
    std::string s(size, 0);
    for (auto& c : s) c = static_cast<char>(random());
    return s;
  };
  size_t sent = 0;
  raw_socket agent(zmq::socket_type::dealer, f.uri("agents"));
  raw_socket hostile(zmq::socket_type::dealer, f.uri("clients"));
  for (size_t count = 1; count <= 100; ++count, sent += 2) {
    frames junk;
    for (size_t i = 0; i < count; ++i) junk.push_back(noise(random() % 50));
    hostile.send(junk);
    agent.send(junk);
  }
  frames huge_id = encode(request{std::string(1 << 20, 'i'), "echo", "", {}, "", ""});
  frames huge_verb = encode(request{"1", noise(1 << 20), "", {}, "", ""});
  for (const auto& bad : {huge_id, huge_verb, frames{""}, frames{"zedops/1"}, frames(8, "zedops/1")})
    hostile.send(bad), ++sent;
  REQUIRE(f.seen.wait([&] { return f.seen.bad.size() == sent; }));
  f.seen.locked([&] {
    size_t lines = 0, suppressed = 0;
    for (const auto& b : f.seen.bad) {
      CHECK(b.reason.message.size() < 300);
      b.log ? ++lines, suppressed += b.suppressed : 0;
    }
    CHECK(lines >= 2);                 // each door reported something
    CHECK(lines < f.seen.bad.size());  // and the log was spared
    CHECK(f.seen.requests.empty());
  });
  CHECK(f.bus->stats().bad_messages == sent);
  CHECK(good.request("echo", "alive")->body == "alive");
}

// ZeroMQ takes a name that the peer itself gives where nobody checks keys.
TEST_CASE("server bus: a peer of a socket file cannot name a key", "[integration][bus][hostile]") {
  fixture f;
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  f.uri("clients").copy(to.sun_path, sizeof to.sun_path - 1, std::string_view("ipc://").size());
  REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  using namespace std::string_literals;
  const auto sized = [](const std::string& s) { return std::string(1, static_cast<char>(s.size())) + s; };
  const auto property = [&](const std::string& name, const std::string& value) {
    return sized(name) + "\0\0\0"s + sized(value);
  };
  const auto say = [&](const std::string& text, size_t answer) {
    REQUIRE(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
    std::string got(answer, 0);
    REQUIRE(::recv(fd, got.data(), answer, MSG_WAITALL) == static_cast<ssize_t>(answer));
  };
  std::string greeting = "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL"s;
  greeting.resize(64);
  say(greeting, greeting.size());
  constexpr size_t ready_bytes = 43;  // of a ROUTER
  say("\4"s + sized(sized("READY") + property("Socket-Type", "DEALER") + property("User-Id", "alice")), ready_bytes);
  std::string text;
  const auto message = encode(request{"1", "echo", "", {}, "", ""});
  for (size_t i = 0; i < message.size(); ++i) text += (i + 1 < message.size() ? "\1"s : "\0"s) + sized(message[i]);
  say(text, 0);
  REQUIRE(f.seen.wait([&] { return f.seen.requests.size() == 1; }));
  f.seen.locked([&] {
    CHECK(f.seen.requests[0].key.empty());
    CHECK_FALSE(f.seen.requests[0].address.empty());
    CHECK(f.seen.requests[0].routing_id.find("alice") == std::string::npos);
  });
  ::close(fd);
}

TEST_CASE("server bus: a frame beyond the limit costs only its sender the connection", "[integration][bus]") {
  fixture f;
  auto good = must_connect(f);
  raw_socket hostile(zmq::socket_type::dealer, f.uri("clients"));
  hostile.send(encode(request{"1", "echo", "", {}, "", std::string(body_max + 1, 'x')}));
  CHECK(good.request("echo", "alive")->body == "alive");
  CHECK(f.seen.locked([&] { return f.seen.requests.size(); }) == 1);
}

TEST_CASE("server bus: a client of another protocol version can get an answer", "[integration][bus]") {
  fixture f;
  raw_socket old(zmq::socket_type::dealer, f.uri("clients"));
  old.send({"zedops/9", "req", "77", "echo"});
  REQUIRE(f.seen.wait([&] { return f.seen.bad.size() == 1; }));
  auto bad = f.seen.locked([&] { return f.seen.bad[0]; });
  CHECK(bad.request_id == "77");
  CHECK(f.bus->send(door::clients, bad.routing_id, encode(reply{reply_kind::error, bad.request_id, "too new"})));
  zmq::message_t part;
  REQUIRE(old.socket.recv(part));
  CHECK(part.to_string() == "zedops/1");
}

TEST_CASE("server bus: a peer that vanished is reported as unreachable", "[integration][bus]") {
  fixture f;
  {
    auto c = must_connect(f);
    REQUIRE(c.request("echo", "x"));
  }
  auto id = f.seen.locked([&] { return f.seen.requests[0].routing_id; });
  REQUIRE(eventually([&] {
    f.bus->send(door::clients, id, encode(reply{reply_kind::progress, "1", ""}));
    return f.seen.locked([&] { return !f.seen.unreachable.empty(); });
  }));
  CHECK(f.seen.locked([&] { return f.seen.unreachable[0]; }) == id);
  CHECK(f.bus->stats().unreachable > 0);
  CHECK(must_connect(f).request("echo", "x"));
}

TEST_CASE("server bus: an agent that redials takes its id over from its dead connection", "[integration][bus]") {
  fixture f;
  raw_socket first(zmq::socket_type::dealer, f.uri("agents"), "agent-1");
  first.send(encode(agent_message{"hello", 0, "1"}));
  REQUIRE(f.seen.wait([&] { return f.seen.messages.size() == 1; }));
  raw_socket second(zmq::socket_type::dealer, f.uri("agents"), "agent-1");
  second.send(encode(agent_message{"hello", 0, "2"}));
  REQUIRE(f.seen.wait([&] { return f.seen.messages.size() == 2; }));
  CHECK(f.bus->send(door::agents, "lagent-1", encode(agent_message{"welcome", 5, ""})));
  zmq::message_t part;
  second.socket.set(zmq::sockopt::rcvtimeo, 10'000);
  CHECK(second.socket.recv(part));
}

TEST_CASE("server bus: stop delivers what was accepted and then accepts nothing", "[integration][bus]") {
  fixture f;
  auto c = must_connect(f);
  REQUIRE(c.request("echo", "x"));
  auto id = f.seen.locked([&] { return f.seen.requests[0].routing_id; });
  constexpr int last_words = 500;
  for (int i = 0; i < last_words; ++i)
    REQUIRE(f.bus->send(door::clients, id, encode(reply{reply_kind::progress, std::to_string(i), ""})));
  f.bus->stop(5s);
  CHECK_FALSE(f.bus->send(door::clients, id, encode(reply{})));
  CHECK_FALSE(f.bus->publish({"server.a", {1, 1}, ""}));
  int got = 0;
  while (auto r = c.receive(1s)) {
    if (!*r) break;
    ++got;
  }
  CHECK(got == last_words);
  f.bus->stop(1s);  // a second stop does no harm
}

TEST_CASE("server bus: a peer that does not speak ZeroMQ at a socket file is disconnected", "[integration][bus]") {
  fixture f;
  for (const std::string name : {"clients", "agents", "events"}) {
    CAPTURE(name);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    timeval patient{2, 0};  // less than the limit for a handshake
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof patient);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    f.uri(name).copy(to.sun_path, sizeof to.sun_path - 1, std::string_view("ipc://").size());
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    const std::string text = "GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n";
    REQUIRE(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
    char answer[64];
    ssize_t got = 0;
    while ((got = ::recv(fd, answer, sizeof answer, 0)) > 0) continue;
    CHECK((got == 0 || errno == ECONNRESET));
    ::close(fd);
  }
}

TEST_CASE("server bus: a client that reuses the id of an earlier connection is answered", "[integration][bus]") {
  fixture f;
  const auto answered = [&](raw_socket& s) {
    s.socket.set(zmq::sockopt::rcvtimeo, 2'000);
    s.send(encode(request{"1", "echo", "", {}, "", "x"}));
    zmq::message_t part;
    return s.socket.recv(part).has_value();
  };
  raw_socket first(zmq::socket_type::dealer, f.uri("clients"), "same");
  REQUIRE(answered(first));
  raw_socket second(zmq::socket_type::dealer, f.uri("clients"), "same");
  CHECK(answered(second));
}

TEST_CASE("server bus: credits may come back after the bus has gone", "[integration][bus]") {
  auto seen = std::make_unique<recorder>();
  client_request held;
  {
    fixture f;
    auto c = must_connect(f);
    REQUIRE(c.request("echo", "x"));
    held = f.seen.locked([&] { return std::move(f.seen.requests[0]); });
    CHECK(f.bus->stats().credits_clients == 1);
  }
  held.token.release();
  SUCCEED("no crash");
}
