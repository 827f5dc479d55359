// Keys on the network beside the same without them, and beside bare ZeroMQ with keys: what encryption adds to a
// request, how fast connections are made, and how fast events are sent to many.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "bus/client.hpp"
#include "bus/security/keys.hpp"
#include "bus/server_bus.hpp"
#include "bus/subscriber.hpp"

using namespace zedops;
using namespace zedops::bus;
using namespace std::chrono_literals;

namespace {

using clock_type = std::chrono::steady_clock;
const std::string body(200, 'x');

double seconds_since(clock_type::time_point t) { return std::chrono::duration<double>(clock_type::now() - t).count(); }

double p50_us(size_t count, const std::function<void()>& once) {
  for (size_t i = 0; i < count / 10; ++i) once();
  std::vector<double> us(count);
  for (auto& x : us) {
    const auto start = clock_type::now();
    once();
    x = seconds_since(start) * 1e6;
  }
  std::nth_element(us.begin(), us.begin() + static_cast<ptrdiff_t>(count / 2), us.end());
  return us[count / 2];
}

class echo : public server_bus_listener {
 public:
  void on_start(server_bus& b) noexcept override { bus_ = &b; }
  void on_request(client_request&& r) noexcept override {
    bus_->send(door::clients, std::move(r.routing_id),
               encode(reply{reply_kind::result, std::move(r.id), std::move(r.body)}));
  }
  void on_agent_message(agent_inbound&&) noexcept override {}
  void on_bad_message(const bad_message&) noexcept override {}
  void on_unreachable(door, const std::string&) noexcept override {}
  void on_slow(door, const std::string&) noexcept override {}

 private:
  server_bus* bus_ = nullptr;
};

void use_server_key(zmq::socket_t& s, const key_pair& own) {
  s.set(zmq::sockopt::curve_server, true);
  s.set(zmq::sockopt::curve_secretkey, z85_of(own.secret_key));
}
void use_client_keys(zmq::socket_t& s, const std::string& server, const key_pair& own) {
  s.set(zmq::sockopt::curve_serverkey, z85_of(server));
  s.set(zmq::sockopt::curve_publickey, z85_of(own.public_key));
  s.set(zmq::sockopt::curve_secretkey, z85_of(own.secret_key));
}

// A bare ROUTER that echoes, with keys or without, and without a check whose keys they are.
struct bare {
  bare(bool keys, const key_pair& own) : socket(context, zmq::socket_type::router) {
    socket.set(zmq::sockopt::linger, 0);
    if (keys) use_server_key(socket, own);
    socket.bind("tcp://127.0.0.1:*");
    at = socket.get(zmq::sockopt::last_endpoint);
    thread = std::thread([this] {
      while (!stop) {
        zmq_pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
        if (zmq_poll(&item, 1, 50) <= 0) continue;
        zmq::message_t id, m;
        (void)socket.recv(id);
        (void)socket.recv(m);
        socket.send(id, zmq::send_flags::sndmore);
        socket.send(m, zmq::send_flags::none);
      }
    });
  }
  ~bare() {
    stop = true;
    thread.join();
  }
  zmq::context_t context;
  zmq::socket_t socket;
  std::string at;
  std::atomic<bool> stop{false};
  std::thread thread;
};

double bare_round_trip(size_t count, bool keys) {
  const auto server = new_key_pair(), own = new_key_pair();
  bare b(keys, server);
  zmq::context_t context;
  zmq::socket_t s(context, zmq::socket_type::dealer);
  if (keys) use_client_keys(s, server.public_key, own);
  s.connect(b.at);
  return p50_us(count, [&] {
    zmq::message_t m;
    s.send(zmq::buffer(body), zmq::send_flags::none);
    (void)s.recv(m);
  });
}

// Connections that have sent one request and got its answer, each with its own key, a fixed number at a time.
double bare_handshakes(size_t count, size_t together) {
  const auto server = new_key_pair();
  bare b(true, server);
  zmq::context_t context;
  std::vector<key_pair> keys(together);
  for (auto& k : keys) k = new_key_pair();
  const auto start = clock_type::now();
  for (size_t done = 0; done < count; done += together) {
    std::vector<zmq::socket_t> all;
    for (const auto& k : keys) {
      auto& s = all.emplace_back(context, zmq::socket_type::dealer);
      s.set(zmq::sockopt::linger, 0);
      use_client_keys(s, server.public_key, k);
      s.connect(b.at);
      s.send(zmq::buffer(body), zmq::send_flags::none);
    }
    for (auto& s : all) {
      zmq::message_t m;
      (void)s.recv(m);
    }
  }
  return static_cast<double>(count) / seconds_since(start);
}

double bus_handshakes(const std::string& uri, const std::string& manager, size_t count, size_t together) {
  zmq::context_t context;
  std::vector<key_pair> keys(together);
  for (auto& k : keys) k = new_key_pair();
  const auto start = clock_type::now();
  for (size_t done = 0; done < count; done += together) {
    std::vector<zmq::socket_t> all;
    for (const auto& k : keys) {
      auto& s = all.emplace_back(context, zmq::socket_type::dealer);
      s.set(zmq::sockopt::linger, 0);
      use_client_keys(s, manager, k);
      s.connect(uri);
      auto f = encode(request{"1", "echo", "", std::nullopt, "", body});
      for (size_t i = 0; i < f.size(); ++i)
        s.send(zmq::buffer(f[i]), i + 1 < f.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
    for (auto& s : all) {
      zmq::message_t m;
      do (void)s.recv(m);
      while (m.more());
    }
  }
  return static_cast<double>(count) / seconds_since(start);
}

constexpr size_t watchers = 100;

double bare_fan_out(size_t count) {
  const auto server = new_key_pair(), own = new_key_pair();
  zmq::context_t context;
  zmq::socket_t pub(context, zmq::socket_type::xpub);
  pub.set(zmq::sockopt::sndhwm, 100'000);
  pub.set(zmq::sockopt::xpub_verbose, true);
  use_server_key(pub, server);
  pub.bind("tcp://127.0.0.1:*");
  std::vector<zmq::socket_t> subs;
  for (size_t i = 0; i < watchers; ++i) {
    auto& s = subs.emplace_back(context, zmq::socket_type::sub);
    s.set(zmq::sockopt::rcvhwm, 100'000);
    use_client_keys(s, server.public_key, own);
    s.set(zmq::sockopt::subscribe, "");
    s.connect(pub.get(zmq::sockopt::last_endpoint));
  }
  for (size_t i = 0; i < watchers; ++i) {
    zmq::message_t m;
    (void)pub.recv(m);
  }
  const auto start = clock_type::now();
  for (size_t n = 0; n < count; ++n) {
    for (int part = 0; part < 3; ++part) pub.send(zmq::buffer("server.s01234", 13), zmq::send_flags::sndmore);
    pub.send(zmq::buffer(body), zmq::send_flags::none);
  }
  for (auto& s : subs)
    for (size_t n = 0; n < count; ++n) {
      zmq::message_t m;
      do (void)s.recv(m);
      while (m.more());
    }
  return static_cast<double>(count * watchers) / seconds_since(start);
}

double bus_fan_out(server_bus& bus, const address& at, size_t count) {
  std::vector<subscriber> subs;
  for (size_t i = 0; i < watchers; ++i) {
    subs.push_back(*subscriber::connect(at));
    (void)subs.back().subscribe("server.");
    (void)subs.back().subscribe("~sync." + std::to_string(i));
    if (auto e = subs.back().next(10s); !e || !*e) std::abort();
  }
  const auto start = clock_type::now();
  for (size_t n = 1; n <= count; ++n)
    while (!bus.publish({"server.s0123456789abcd", {1, n}, body})) std::this_thread::yield();
  for (auto& s : subs)
    for (size_t n = 0; n < count; ++n)
      if (auto e = s.next(10s); !e || !*e) std::abort();
  return static_cast<double>(count * watchers) / seconds_since(start);
}

}  // namespace

int main() {
  constexpr size_t asked = 20'000, connections = 1'000, together = 50, events = 2'000;
  const std::string dir = "/tmp/zedops-curve-bench-" + std::to_string(::getpid());
  zmq::context_t finder;
  const auto free_uri = [&] {
    zmq::socket_t s(finder, zmq::socket_type::rep);
    s.bind("tcp://127.0.0.1:*");
    return s.get(zmq::sockopt::last_endpoint);
  };
  server_bus_options o;
  o.runtime_dir = dir;
  const auto tcp = free_uri(), tcp_events = free_uri();
  o.clients_uris = {"ipc://" + dir + "/clients", tcp};
  o.events_uris = {"ipc://" + dir + "/events", tcp_events};
  o.head = {1, 0};
  o.key = new_key_pair();
  o.limits.subscriber_queue_max = 100'000;
  o.admits = [](door, std::string_view) { return admission::yes; };
  const auto manager = o.key.public_key;
  echo listener;
  auto bus = server_bus::start(o, listener);
  if (!bus) return std::fprintf(stderr, "%s\n", bus.error().message.c_str()), 1;
  const auto plain = bare_round_trip(asked, false), keyed = bare_round_trip(asked, true);
  std::printf("bare round trip over tcp     plain p50 %6.1f us   with keys p50 %6.1f us   ratio %.2f\n", plain, keyed,
              keyed / plain);
  auto near = *client::connect(o.clients_uris[0]);
  auto far = *client::connect({tcp, manager, new_key_pair()});
  const auto ask = [](client& c) {
    return [&c] {
      if (!c.request("echo", body)) std::abort();
    };
  };
  const auto here = p50_us(asked, ask(near)), there = p50_us(asked, ask(far));
  std::printf("request through the bus      ipc   p50 %6.1f us   tcp, keys  p50 %6.1f us   adds %.1f us\n", here, there,
              there - here);
  const auto floor = bare_handshakes(connections, together), ours = bus_handshakes(tcp, manager, connections, together);
  std::printf("connections with keys        bare  %8.0f /s     bus        %8.0f /s     ratio %.2f (>= 0.5)\n", floor,
              ours, ours / floor);
  const auto bare_events = bare_fan_out(events),
             bus_events = bus_fan_out(**bus, {tcp_events, manager, new_key_pair()}, events);
  std::printf("events to %zu with keys      bare  %8.0f /s     bus        %8.0f /s     ratio %.2f (>= 0.5)\n", watchers,
              bare_events, bus_events, bus_events / bare_events);
  bus->reset();
  std::filesystem::remove_all(dir);
}
