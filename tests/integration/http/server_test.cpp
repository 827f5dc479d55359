// The server over real sockets: a misbehaving peer must not affect others.
#include "integration/http/transport/server.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/tcp.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::web;
using namespace std::chrono_literals;

namespace {

bool eventually(const std::function<bool()>& so) {
  for (int i = 0; i < 10'000; ++i, std::this_thread::sleep_for(1ms))
    if (so()) return true;
  return false;
}

struct peer {
  int fd;
  explicit peer(uint16_t port) : fd(test::dial(port)) { REQUIRE(fd >= 0); }
  ~peer() { ::close(fd); }
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;
  void say(const std::string& text) const { REQUIRE(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) > 0); }
  std::string hear(size_t bytes) const {  // at least this many bytes, or to the end
    std::string out, some(65'536, '\0');
    while (out.size() < bytes) {
      const auto n = ::recv(fd, some.data(), some.size(), 0);
      if (n <= 0) break;
      out.append(some.data(), static_cast<size_t>(n));
    }
    return out;
  }
};

server_options at(std::string address) {
  server_options o;
  o.addresses = {std::move(address)};
  return o;
}

const std::string get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

}  // namespace

TEST_CASE("http: a reader that does not read is disconnected, and not from inside a write", "[integration][http]") {
  const auto port = test::free_tcp_port();
  std::vector<std::shared_ptr<exchange>> streams;
  std::atomic<size_t> begun{0};
  std::atomic<int> gone{0}, inside{0};
  bool writing = false;
  server_options o;
  o.addresses = {"127.0.0.1:" + std::to_string(port)};
  o.stream_bytes_max = 64 * 1024;
  auto s = server::start(std::move(o), [&](std::shared_ptr<exchange> e) {
    streams.push_back(e);
    e->begin_stream({200, "text/plain", nullptr, {}}, [&] {
      inside += writing;
      ++gone;
    });
    ++begun;
  });
  REQUIRE(s);
  peer deaf(port), reads(port);
  deaf.say(get), reads.say(get);
  REQUIRE(eventually([&] { return begun == 2; }));
  constexpr size_t pieces = 4'000, piece_bytes = 4'096;
  const auto piece = std::make_shared<const std::string>(piece_bytes, 'x');
  std::atomic<size_t> heard{0};
  std::thread reader([&] {
    while (heard < pieces * piece_bytes) {
      const auto n = reads.hear(1).size();
      if (n == 0) break;
      heard += n;
    }
  });
  for (size_t i = 0; i < pieces; ++i) {
    std::atomic<bool> done{false};
    (*s)->post([&] {
      writing = true;
      for (const auto& e : streams) e->write(piece);
      writing = false;
      done = true;
    });
    while (!done) std::this_thread::yield();
    // It reads, if not at once: a reader is not disconnected because the machine is busy.
    constexpr size_t behind_max = 32 * 1024;
    eventually([&] { return heard + behind_max >= (i + 1) * piece_bytes; });
  }
  reader.join();
  CHECK(heard >= pieces * piece_bytes);
  CHECK(eventually([&] { return gone == 1; }));
  CHECK(inside == 0);
  (*s)->stop();
  streams.clear();
}

TEST_CASE("http: an address in use is tried again until it is free", "[integration][http]") {
  const auto port = test::free_tcp_port();
  const auto address = "127.0.0.1:" + std::to_string(port);
  const auto answer = [](std::shared_ptr<exchange> e) { e->respond(text_response(200, "text/plain", "hello")); };
  auto first = server::start(at(address), answer);
  REQUIRE(first);
  std::atomic<int> troubles{0};
  server_options o;
  o.addresses = {address};
  o.listen_again = 20ms;
  o.on_trouble = [&](const std::string&, const std::string&) { ++troubles; };
  auto second = server::start(std::move(o), answer);
  REQUIRE(second);
  CHECK(eventually([&] { return troubles > 1; }));
  (*first)->stop();
  first->reset();
  const auto seen = troubles.load();
  CHECK(eventually([&] {
    const int fd = test::dial(port);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
  }));
  CHECK(troubles >= seen);
}

TEST_CASE("http: a socket file is open to its owner and group only, and identifies the peer", "[integration][http]") {
  test::temp_dir dir;
  const auto file = dir.path() / "http.sock";
  std::mutex mutex;
  std::string from;
  auto s = server::start(at("unix:" + file.string()), [&](std::shared_ptr<exchange> e) {
    std::lock_guard lock(mutex);
    from = e->asked().from;
    e->respond(text_response(200, "text/plain", "hello"));
  });
  REQUIRE(s);
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::others_all) ==
        std::filesystem::perms::none);
  const auto out =
      std::string("curl -s --unix-socket ") + file.string() + " http://anything/ > " + (dir.path() / "out").string();
  REQUIRE(std::system(out.c_str()) == 0);
  std::lock_guard lock(mutex);
  CHECK(from == "unix:" + std::to_string(::getuid()));
  (*s)->stop();
  CHECK(!std::filesystem::exists(file));
}

TEST_CASE("http: at a socket file a proxy speaks for others, under the host's own name only", "[integration][http]") {
  test::temp_dir dir;
  const auto file = dir.path() / "http.sock";
  std::mutex mutex;
  std::string from;
  bool secure = false, forwarded = false;
  auto o = at("unix:" + file.string());
  o.hosts = {"zedops.test"};
  auto s = server::start(std::move(o), [&](std::shared_ptr<exchange> e) {
    std::lock_guard lock(mutex);
    from = e->asked().from, secure = e->asked().secure, forwarded = is_forwarded(e->asked());
    e->respond(text_response(200, "text/plain", "hello"));
  });
  REQUIRE(s);
  const auto asks = [&](const std::string& more) {
    return std::system(("curl -sf -o /dev/null --unix-socket " + file.string() + " " + more).c_str()) == 0;
  };
  CHECK(asks("-H 'X-Forwarded-For: 198.51.100.1, 192.0.2.7' -H 'X-Forwarded-Proto: https' http://zedops.test/"));
  {
    std::lock_guard lock(mutex);
    CHECK(from == "192.0.2.7");
    CHECK((secure && forwarded));
  }
  CHECK_FALSE(asks("-H 'X-Forwarded-For: 192.0.2.7' http://evil.example/"));
  CHECK_FALSE(asks("-H 'Forwarded: for=192.0.2.7' http://evil.example/"));
  (*s)->stop();
}

TEST_CASE("http: a client that hangs up while its answer is pending is noticed, and one that waits is left alone",
          "[integration][http]") {
  const auto port = test::free_tcp_port();
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<exchange>> asked;
  std::set<std::string> gone;
  auto s = server::start(at("127.0.0.1:" + std::to_string(port)), [&](std::shared_ptr<exchange> e) {
    const auto name = e->asked().segments.empty() ? std::string{} : e->asked().segments[0];
    std::lock_guard lock(mutex);
    asked[name] = e;
    e->when_gone([&, name] {
      std::lock_guard inside(mutex);
      gone.insert(name);
      asked.erase(name);
    });
  });
  REQUIRE(s);
  const auto request = [](const std::string& name) { return "GET /" + name + " HTTP/1.1\r\nHost: localhost\r\n\r\n"; };
  const auto is = [&](size_t open, const std::set<std::string>& lost) {
    std::lock_guard lock(mutex);
    return asked.size() == open && gone == lost;
  };
  peer waits(port), talks(port);
  waits.say(request("waits"));
  {
    peer leaves(port), sends_more(port);
    leaves.say(request("leaves"));
    sends_more.say(request("sends_more") + request("never"));  // unread bytes do not hide the end
    REQUIRE(eventually([&] { return is(3, {}); }));
  }
  CHECK(eventually([&] { return is(1, {"leaves", "sends_more"}); }));
  talks.say(request("talks"));
  REQUIRE(eventually([&] { return is(2, {"leaves", "sends_more"}); }));
  {
    std::lock_guard lock(mutex);
    for (const auto* name : {"waits", "talks"})
      std::exchange(asked[name], nullptr)->respond(text_response(200, "text/plain", "hello"));
    asked.clear();
  }
  CHECK(waits.hear(1).starts_with("HTTP/1.1 200"));
  CHECK(talks.hear(1).starts_with("HTTP/1.1 200"));
  ::shutdown(waits.fd, SHUT_RDWR);  // it has its answer: its end is not reported
  std::this_thread::sleep_for(1'500ms);
  CHECK(is(0, {"leaves", "sends_more"}));
  (*s)->stop();
}

TEST_CASE("http: a failure in one request ends no other", "[integration][http]") {
  const auto port = test::free_tcp_port();
  auto s = server::start(at("127.0.0.1:" + std::to_string(port)), [](std::shared_ptr<exchange> e) {
    if (!e->asked().segments.empty()) throw std::runtime_error("a bug");
    e->respond(text_response(200, "text/plain", "hello"));
  });
  REQUIRE(s);
  peer a(port), b(port);
  a.say("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(a.hear(12).starts_with("HTTP/1.1 500"));
  b.say(get);
  CHECK(b.hear(12).starts_with("HTTP/1.1 200"));
}
