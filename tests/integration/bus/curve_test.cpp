// Keys on the network: who is admitted, who is told why not, and who is ignored.
#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "bus/agent_link.hpp"
#include "bus/security/key_ring.hpp"
#include "bus/subscriber.hpp"
#include "tests/integration/bus/support.hpp"
#include "tests/support/tcp.hpp"

using namespace bus_test;

namespace {

// A bus with endpoints of both kinds, and a ring of keys in a file.
struct network {
  temp_dir dir;
  recorder seen;
  key_pair manager = new_key_pair();
  std::filesystem::path ring_file = dir.path / "authorized_keys";
  key_ring ring{ring_file};
  std::string clients = "tcp://127.0.0.1:" + std::to_string(zedops::test::free_tcp_port());
  std::string agents = "tcp://127.0.0.1:" + std::to_string(zedops::test::free_tcp_port());
  std::string events = "tcp://127.0.0.1:" + std::to_string(zedops::test::free_tcp_port());
  std::unique_ptr<server_bus> bus;

  network() {
    server_bus_options o;
    o.runtime_dir = dir.path / "run";
    const auto ipc = [&](const char* name) { return "ipc://" + (dir.path / "run" / name).string(); };
    o.clients_uris = {ipc("clients.ipc"), clients};
    o.agents_uris = {ipc("agents.ipc"), agents};
    o.events_uris = {ipc("events.ipc"), events};
    o.key = manager;
    o.admits = [this](door at, std::string_view key) {
      const auto known = ring.look_up(key);
      if (!known) return admission::cannot_tell;
      for (const auto& e : *known)
        if ((e.role == agent_role) == (at == door::agents)) return admission::yes;
      return admission::not_known;
    };
    o.may_watch = [this](std::string_view key, std::string_view topic) {
      for (const auto& e : ring.entries_of(key))
        if (e.role != subscriber_role || topic.starts_with(e.topic)) return true;
      return false;
    };
    auto started = server_bus::start(std::move(o), seen);
    INFO((started ? std::string() : started.error().message));
    REQUIRE(started);
    bus = std::move(*started);
  }
  ~network() { bus->stop(0ms); }

  key_pair member(const std::string& name, const std::string& role, const std::string& topic = {}) {
    auto key = new_key_pair();
    auto all = read_keys(ring_file).value();
    all.push_back({name, role, key.public_key, {}, {}, {}, topic});
    REQUIRE(write_keys(ring_file, all));
    return key;
  }
  msg::result<reply> echo(const key_pair& own, std::chrono::milliseconds deadline = patience) {
    auto c = client::connect({clients, manager.public_key, own});
    REQUIRE(c);
    return c->request("echo", "hello", {{}, deadline, {}});
  }
};

struct quiet final : agent_link_listener {
  std::atomic<int> connected{0}, refused{0}, got{0};
  std::atomic<bool> for_good{false};
  void on_connected() noexcept override { ++connected; }
  void on_disconnected() noexcept override {}
  void on_refused(bool ever) noexcept override { ++refused, for_good = ever; }
  void on_message(link_inbound&&) noexcept override { ++got; }
  void on_bad_message(const msg::error&) noexcept override {}
};

}  // namespace

TEST_CASE("curve: a known key is admitted, and its requests carry it", "[integration][bus]") {
  network n;
  const auto ann = n.member("ann", "viewer");
  auto r = n.echo(ann);
  REQUIRE(r);
  CHECK(r->body == "hello");
  n.seen.locked([&] {
    REQUIRE(n.seen.requests.size() == 1);
    CHECK(n.seen.requests[0].key == ann.public_key);
  });
  auto local = client::connect("ipc://" + (n.dir.path / "run/clients.ipc").string());
  REQUIRE(local);
  REQUIRE(local->request("echo", "x"));
  n.seen.locked([&] { CHECK(n.seen.requests.back().key.empty()); });
}

TEST_CASE("curve: an unknown key, a revoked key and a key of another role are refused with the reason",
          "[integration][bus][fc-26]") {
  network n;
  const auto started = std::chrono::steady_clock::now();
  const auto stranger = new_key_pair();
  auto r = n.echo(stranger);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == msg::ec::unauthorised);
  CHECK(r.error().hint.find(stranger.public_key) != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - started < 5s);  // at once, not after the deadline

  const auto ann = n.member("ann", "viewer");
  REQUIRE(n.echo(ann));
  REQUIRE(write_keys(n.ring_file, {}));
  CHECK(n.echo(ann).error().code == msg::ec::unauthorised);
  CHECK(n.echo(n.member("node-1", "agent")).error().code == msg::ec::unauthorised);
  n.seen.locked([&] { CHECK(n.seen.requests.size() == 1); });
}

TEST_CASE("curve: another manager's key is not taken for the expected one", "[integration][bus]") {
  network n;
  const auto ann = n.member("ann", "viewer");
  auto c = client::connect({n.clients, new_key_pair().public_key, ann});
  REQUIRE(c);
  auto r = c->request("echo", "secret", {{}, 1'500ms, {}});
  REQUIRE_FALSE(r);
  CHECK(r.error().code == msg::ec::forbidden);
  n.seen.locked([&] { CHECK(n.seen.requests.empty()); });
}

TEST_CASE("curve: a peer without keys is ignored and receives nothing", "[integration][bus]") {
  network n;
  zmq::context_t context;
  zmq::socket_t plain(context, zmq::socket_type::dealer);
  plain.set(zmq::sockopt::linger, 0);
  plain.connect(n.clients);
  request q;
  q.id = "1";
  q.verb = "echo";
  for (const auto& f : encode(q)) plain.send(zmq::buffer(f), zmq::send_flags::sndmore);
  plain.send(zmq::str_buffer("x"), zmq::send_flags::none);
  zmq::socket_t ears(context, zmq::socket_type::sub);
  ears.set(zmq::sockopt::linger, 0);
  ears.set(zmq::sockopt::subscribe, "");
  ears.connect(n.events);
  const auto ann = n.member("ann", "viewer");
  for (int i = 0; i < 20; ++i) {  // an admitted client is served meanwhile
    REQUIRE(n.echo(ann));
    REQUIRE(n.bus->publish({"server.a", {1, static_cast<uint64_t>(i + 1)}, "x"}));
  }
  zmq::message_t none;
  CHECK_FALSE(plain.recv(none, zmq::recv_flags::dontwait));
  CHECK_FALSE(ears.recv(none, zmq::recv_flags::dontwait));
  n.seen.locked([&] { CHECK(n.seen.requests.size() == 20); });
}

TEST_CASE("curve: events reach a subscriber whose key may watch them", "[integration][bus]") {
  network n;
  const auto ann = n.member("ann", "viewer");
  auto s = subscriber::connect({n.events, n.manager.public_key, ann});
  REQUIRE(s);
  REQUIRE(s->subscribe("server."));
  REQUIRE(eventually([&] { return n.bus->watched(); }));
  REQUIRE(n.bus->publish({"server.a", {1, 7}, "body"}));
  auto e = s->next(patience);
  REQUIRE(e);
  REQUIRE(*e);
  CHECK((*e)->body == "body");
}

TEST_CASE("curve: a watcher gets the topics that its key may watch, and never an event of others",
          "[integration][bus]") {
  network n;
  const auto bot = n.member("bot", "subscriber", "server.a");
  const auto ann = n.member("ann", "viewer");
  auto narrow = subscriber::connect({n.events, n.manager.public_key, bot});
  auto wide = subscriber::connect({n.events, n.manager.public_key, ann});
  REQUIRE(narrow);
  REQUIRE(wide);
  REQUIRE(wide->subscribe("server."));
  REQUIRE(narrow->subscribe("server.a"));
  REQUIRE(eventually([&] { return n.bus->stats().subscriptions == 2; }));
  REQUIRE(n.bus->publish({"server.b", {1, 1}, "of another"}));
  REQUIRE(n.bus->publish({"server.a", {1, 2}, "mine"}));
  auto e = narrow->next(patience);
  REQUIRE((e && *e));
  CHECK((*e)->body == "mine");
  for (const auto* body : {"of another", "mine"}) {
    auto all = wide->next(patience);
    REQUIRE((all && *all));
    CHECK((*all)->body == body);
  }

  // It subscribes to more than it may: its connection is closed, and it gets no event, however fast they come.
  auto greedy = subscriber::connect({n.events, n.manager.public_key, bot});
  REQUIRE(greedy);
  REQUIRE(greedy->subscribe(""));
  for (uint64_t i = 0; i < 200; ++i) REQUIRE(n.bus->publish({"server.b", {1, 3 + i}, "of another"}));
  REQUIRE(eventually([&] { return n.seen.locked([&] { return !n.seen.bad.empty(); }); }));
  auto nothing = greedy->next(300ms);
  CHECK((nothing && !*nothing));
}

TEST_CASE("curve: a watcher whose key is revoked gets no more events", "[integration][bus]") {
  network n;
  const auto ann = n.member("ann", "viewer");
  auto s = subscriber::connect({n.events, n.manager.public_key, ann});
  REQUIRE(s);
  REQUIRE(s->subscribe(""));
  REQUIRE(eventually([&] { return n.bus->watched(); }));
  REQUIRE(write_keys(n.ring_file, {}));
  REQUIRE(eventually([&] { return !n.bus->watched(); }));
  REQUIRE(n.bus->publish({"server.a", {1, 1}, "secret"}));
  auto e = s->next(300ms);
  CHECK((e && !*e));
}

TEST_CASE("curve: each message of an agent on the network carries its key, and a key of another role is refused",
          "[integration][bus]") {
  network n;
  quiet known, stranger;
  const auto node = n.member("node-1", "agent");
  agent_link_options o;
  o.manager = {n.agents, n.manager.public_key, node};
  auto link = agent_link::start(o, known);
  REQUIRE(link);
  REQUIRE(eventually([&] { return known.connected == 1; }));
  REQUIRE((*link)->send({"report", 1, "x"}));
  REQUIRE(n.seen.wait([&] { return n.seen.messages.size() == 1; }));
  n.seen.locked([&] { CHECK(n.seen.messages[0].key == node.public_key); });
  const auto back = n.seen.locked([&] { return n.seen.messages[0].routing_id; });
  REQUIRE(n.bus->send(door::agents, back, encode(agent_message{"command", 1, "y"})));
  CHECK(eventually([&] { return known.got == 1; }));
  o.manager = {n.agents, n.manager.public_key, n.member("ann", "admin")};
  auto other = agent_link::start(o, stranger);
  REQUIRE(other);
  CHECK(eventually([&] { return stranger.refused > 0; }));
  CHECK(stranger.connected == 0);
  CHECK_FALSE(stranger.for_good);
  o.refused_max = o.redial_max = 50ms;
  quiet patient;
  auto last = agent_link::start(o, patient);
  REQUIRE(last);
  CHECK(eventually([&] { return patient.for_good.load(); }));
  CHECK(patient.refused > 1);
}

TEST_CASE("curve: an agent that knows two keys of its manager finds out which one answers", "[integration][bus]") {
  network n;
  quiet heard;
  agent_link_options o;
  o.manager = {n.agents, new_key_pair().public_key, n.member("node-1", "agent")};
  o.key_patience = 200ms;
  SECTION("from the start") {
    o.other_key = n.manager.public_key;
    auto link = agent_link::start(o, heard);
    REQUIRE(link);
    REQUIRE(eventually([&] { return heard.connected == 1; }));
    CHECK((*link)->answered_with() == n.manager.public_key);
  }
  SECTION("learnt later") {
    auto link = agent_link::start(o, heard);
    REQUIRE(link);
    (*link)->also_expect(n.manager.public_key);
    REQUIRE(eventually([&] { return heard.connected == 1; }));
    CHECK((*link)->answered_with() == n.manager.public_key);
    // The open connection is left alone, and the former key is not tried any more.
    (*link)->also_expect({});
    REQUIRE((*link)->send({"report", 1, "x"}));
    CHECK(n.seen.wait([&] { return n.seen.messages.size() == 1; }));
  }
}

TEST_CASE("curve: a manager that cannot read its keys admits no peer, and tells none that its key is unknown",
          "[integration][bus]") {
  struct quiet final : agent_link_listener {
    std::atomic<int> connected{0}, refused{0};
    std::atomic<bool> for_good{false};
    void on_connected() noexcept override { ++connected; }
    void on_disconnected() noexcept override {}
    void on_refused(bool ever) noexcept override { ++refused, for_good = for_good || ever; }
    void on_message(link_inbound&&) noexcept override {}
    void on_bad_message(const msg::error&) noexcept override {}
  };
  network n;
  const auto node = n.member("node-1", "agent");
  std::filesystem::permissions(n.ring_file, std::filesystem::perms(0666));
  quiet agent;
  agent_link_options o;
  o.manager = {n.agents, n.manager.public_key, node};
  o.refused_max = o.redial_max = 20ms;
  auto link = agent_link::start(o, agent);
  REQUIRE(link);
  REQUIRE(eventually([&] { return agent.refused >= 5; }));
  CHECK_FALSE(agent.for_good);
  std::filesystem::permissions(n.ring_file, std::filesystem::perms(0600));
  CHECK(eventually([&] { return agent.connected == 1; }));
}

TEST_CASE("curve: a peer that chooses the id of another is not mistaken for it", "[integration][bus]") {
  network n;
  zmq::context_t context;
  const auto agent_with = [&](const key_pair& own) {
    zmq::socket_t s(context, zmq::socket_type::dealer);
    s.set(zmq::sockopt::linger, 0);
    s.set(zmq::sockopt::routing_id, "the-same");
    s.set(zmq::sockopt::curve_serverkey, z85_of(n.manager.public_key));
    s.set(zmq::sockopt::curve_publickey, z85_of(own.public_key));
    s.set(zmq::sockopt::curve_secretkey, z85_of(own.secret_key));
    s.connect(n.agents);
    const auto frames = encode(agent_message{"hello", 0, "x"});
    for (size_t i = 0; i < frames.size(); ++i)
      s.send(zmq::buffer(frames[i]), i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    return s;
  };
  auto first = agent_with(n.member("node-1", "agent"));
  REQUIRE(n.seen.wait([&] { return n.seen.messages.size() == 1; }));
  auto second = agent_with(n.member("node-2", "agent"));
  REQUIRE(n.seen.wait([&] { return n.seen.messages.size() == 2; }));
  n.seen.locked([&] { CHECK(n.seen.messages[0].routing_id != n.seen.messages[1].routing_id); });
}

TEST_CASE("curve: a thousand connections with half a handshake delay no other client", "[integration][bus]") {
  network n;
  const auto ann = n.member("ann", "viewer");
  const auto port = static_cast<uint16_t>(std::stoi(n.clients.substr(n.clients.rfind(':') + 1)));
  std::vector<int> held;
  for (int i = 0; i < 1'000; ++i) {
    const int fd = zedops::test::dial(port);
    REQUIRE(fd >= 0);
    REQUIRE(::send(fd, "\xff\0\0\0\0\0\0\0\1\x7f\3", 11, MSG_NOSIGNAL) == 11);
    held.push_back(fd);
  }
  const auto begun = std::chrono::steady_clock::now();
  CHECK(n.echo(ann));
  CHECK(std::chrono::steady_clock::now() - begun < 3s);
  for (int fd : held) ::close(fd);
}

TEST_CASE("curve: tcp without a key is refused at the start, as before", "[integration][bus]") {
  temp_dir dir;
  recorder seen;
  server_bus_options o;
  o.runtime_dir = dir.path / "run";
  o.clients_uris = {"tcp://127.0.0.1:1"};
  auto bus = server_bus::start(std::move(o), seen);
  REQUIRE_FALSE(bus);
  CHECK(bus.error().code == msg::ec::bad_request);
}

TEST_CASE("keys: a key file that others may read is refused, and an existing one is never overwritten",
          "[integration][bus]") {
  temp_dir dir;
  const auto file = dir.path / "deep" / "key";
  auto made = make_key(file);
  REQUIRE(made);
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(load_key(file)->secret_key == made->secret_key);
  CHECK(make_key(file).error().code == msg::ec::already_exists);
  CHECK(load_or_make_key(file)->public_key == made->public_key);
  std::filesystem::permissions(file, std::filesystem::perms(0644));
  CHECK(load_key(file).error().code == msg::ec::forbidden);
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  std::ofstream(file) << made->public_key << "\n" << new_key_pair().secret_key << "\n";
  CHECK(load_key(file).error().code == msg::ec::bad_request);  // halves of two keys
  CHECK(load_key(dir.path / "none").error().code == msg::ec::not_found);
  CHECK(is_public_key(made->public_key));
  CHECK_FALSE(is_public_key(made->public_key.substr(1)));
  CHECK_FALSE(is_public_key(std::string(43, ' ')));
}

TEST_CASE("keys: a key ring with a bad line, or that others may write, admits no key", "[integration][bus]") {
  temp_dir dir;
  const auto file = dir.path / "authorized_keys";
  key_ring ring(file);
  const auto key = new_key_pair().public_key;
  CHECK(ring.entries_of(key).empty());
  REQUIRE(write_keys(file, {{"ann", "operator", key, "host1", {}}, {"ann", "viewer", key, {}, {}}}));
  CHECK(ring.entries_of(key).size() == 2);
  CHECK(read_keys(file)->front().agent == "host1");
  std::ofstream(file, std::ios::app) << "bob emperor " << key << "\n";
  auto bad = read_keys(file);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().message.find(":4:") != std::string::npos);
  CHECK(bad.error().message.find("emperor") != std::string::npos);
  CHECK(ring.entries_of(key).empty());
  REQUIRE(write_keys(file, {{"ann", "viewer", key, {}, {}}}));
  CHECK(ring.entries_of(key).size() == 1);
  std::filesystem::permissions(file, std::filesystem::perms(0622));
  CHECK(ring.entries_of(key).empty());
}

TEST_CASE("keys: a key ring that could not be read for a moment is read again, although its file has not changed",
          "[integration][bus]") {
  temp_dir dir;
  const auto file = dir.path / "authorized_keys";
  key_ring ring(file);
  const auto key = new_key_pair().public_key;
  REQUIRE(write_keys(file, {{"ann", "viewer", key, {}, {}}}));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto unknown = ring.look_up(key);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_FALSE(unknown);
  CHECK(eventually([&] { return ring.entries_of(key).size() == 1; }));
}
