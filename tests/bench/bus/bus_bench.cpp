// The bus beside bare ZeroMQ in the same run: the numbers of one machine mean little, their ratio more.
// The floor sends one frame of 200 bytes where the bus sends 8 (request), 4 (reply) or 4 (event).
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "bus/client.hpp"
#include "bus/server_bus.hpp"
#include "bus/subscriber.hpp"

using namespace zedops;
using namespace zedops::bus;
using namespace std::chrono_literals;

namespace {

using clock_type = std::chrono::steady_clock;
constexpr size_t body_bytes = 200, watchers = 10;
const std::string body(body_bytes, 'x');

double seconds_since(clock_type::time_point t) { return std::chrono::duration<double>(clock_type::now() - t).count(); }

struct percentiles {
  double p50_us, p99_us;
};
percentiles measure(size_t count, const std::function<void()>& once) {
  std::vector<double> us(count);
  for (auto& x : us) {
    auto start = clock_type::now();
    once();
    x = seconds_since(start) * 1e6;
  }
  std::sort(us.begin(), us.end());
  return {us[count / 2], us[count * 99 / 100]};
}

// Echoes on the bus thread: the cost of the bus alone.
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

struct bare_echo {
  explicit bare_echo(const std::string& uri) : socket(context, zmq::socket_type::router) {
    socket.set(zmq::sockopt::linger, 0);
    socket.bind(uri);
    thread = std::thread([this] {
      for (;;) {
        zmq::message_t id, m;
        (void)socket.recv(id);
        (void)socket.recv(m);
        if (m.size() == 0) return;
        socket.send(id, zmq::send_flags::sndmore);
        socket.send(m, zmq::send_flags::none);
      }
    });
  }
  ~bare_echo() {
    zmq::socket_t last(context, zmq::socket_type::dealer);
    last.connect(socket.get(zmq::sockopt::last_endpoint));
    last.send(zmq::message_t(), zmq::send_flags::none);
    thread.join();
  }
  zmq::context_t context;
  zmq::socket_t socket;
  std::thread thread;
};

void round_trips(const std::string& dir, const std::string& uri, size_t count) {
  bare_echo floor("ipc://" + dir + "/bare");
  zmq::context_t context;
  zmq::socket_t bare(context, zmq::socket_type::dealer);
  bare.connect("ipc://" + dir + "/bare");
  auto ask_bare = [&] {
    zmq::message_t m;
    bare.send(zmq::buffer(body), zmq::send_flags::none);
    (void)bare.recv(m);
  };
  auto c = *client::connect(uri);
  auto ask = [&] {
    if (!c.request("echo", body)) std::abort();
  };
  measure(count / 10, ask_bare), measure(count / 10, ask);
  auto f = measure(count, ask_bare), o = measure(count, ask);
  std::printf("round trip           floor p50 %6.1f us p99 %6.1f us   bus p50 %6.1f us p99 %6.1f us   ratio %.2f\n",
              f.p50_us, f.p99_us, o.p50_us, o.p99_us, o.p50_us / f.p50_us);

  constexpr size_t window = 256;
  auto start = clock_type::now();
  for (size_t sent = 0, got = 0; got < count; ++got) {
    for (; sent < count && sent - got < window; ++sent) bare.send(zmq::buffer(body), zmq::send_flags::none);
    zmq::message_t m;
    (void)bare.recv(m);
  }
  double floor_rate = static_cast<double>(count) / seconds_since(start);
  start = clock_type::now();
  for (size_t sent = 0, got = 0; got < count; ++got) {
    for (; sent < count && sent - got < window; ++sent)
      if (!c.post("echo", body)) std::abort();
    auto r = c.receive(10s);
    if (!r || !*r) std::abort();
  }
  double rate = static_cast<double>(count) / seconds_since(start);
  std::printf("256 in flight        floor %8.0f /s                  bus %8.0f /s                  ratio %.2f\n",
              floor_rate, rate, rate / floor_rate);
}

// `read` takes one event off watcher i. Publishes in steps that fit every queue, so that nothing is lost.
double fan_out(size_t count, const std::function<void(size_t)>& publish, const std::function<void(size_t)>& read) {
  constexpr size_t step = 1'000;
  std::atomic<size_t> finished_steps{0};
  auto start = clock_type::now();
  std::vector<std::thread> readers;
  for (size_t half = 0; half < 2; ++half)
    readers.emplace_back([&, half] {
      for (size_t s = 0; s < count / step; ++s) {
        for (size_t i = half; i < watchers; i += 2)
          for (size_t k = 0; k < step; ++k) read(i);
        ++finished_steps;
        finished_steps.notify_one();
      }
    });
  for (size_t s = 0; s < count / step; ++s) {
    for (size_t k = 0; k < step; ++k) publish(s * step + k + 1);
    while (finished_steps < 2 * s) finished_steps.wait(finished_steps);  // at most two steps ahead
  }
  for (auto& t : readers) t.join();
  return static_cast<double>(count * watchers) / seconds_since(start);
}

// `parts`: frames of each message, of which the last is the body.
double bare_fan_out(const std::string& dir, size_t count, size_t parts) {
  zmq::context_t context;
  zmq::socket_t pub(context, zmq::socket_type::xpub);
  pub.set(zmq::sockopt::sndhwm, 10'000);
  pub.bind("ipc://" + dir + "/pub");
  std::vector<zmq::socket_t> subs;
  for (size_t i = 0; i < watchers; ++i) {
    auto& s = subs.emplace_back(context, zmq::socket_type::sub);
    s.set(zmq::sockopt::rcvhwm, 10'000);
    s.set(zmq::sockopt::subscribe, "");
    s.connect("ipc://" + dir + "/pub");
  }
  pub.set(zmq::sockopt::xpub_verbose, true);
  for (size_t i = 0; i < watchers; ++i) {
    zmq::message_t m;
    (void)pub.recv(m);
  }
  return fan_out(
      count,
      [&](size_t) {
        for (size_t k = 1; k < parts; ++k) pub.send(zmq::buffer("server.s01234", 13), zmq::send_flags::sndmore);
        pub.send(zmq::buffer(body), zmq::send_flags::none);
      },
      [&](size_t i) {
        zmq::message_t m;
        do (void)subs[i].recv(m);
        while (m.more());
      });
}

double bus_fan_out(server_bus& bus, const std::string& uri, size_t count) {
  std::vector<subscriber> subs;
  for (size_t i = 0; i < watchers; ++i) {
    subs.push_back(*subscriber::connect(uri));
    std::string sync = "~sync." + std::to_string(i);
    (void)subs.back().subscribe("server.");
    (void)subs.back().subscribe(sync);
    if (auto e = subs.back().next(10s); !e || !*e) std::abort();
  }
  return fan_out(
      count,
      [&](size_t seq) {
        while (!bus.publish({"server.s0123456789abcd", {1, seq}, body})) std::this_thread::yield();
      },
      [&](size_t i) {
        if (auto e = subs[i].next(10s); !e || !*e) std::abort();
      });
}

}  // namespace

int main(int argc, char** argv) {
  const size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 50'000;
  std::string dir = "/tmp/zedops-bus-bench-" + std::to_string(::getpid());
  server_bus_options o;
  o.runtime_dir = dir;
  o.clients_uris = {"ipc://" + dir + "/clients"};
  o.events_uris = {"ipc://" + dir + "/events"};
  o.head = {1, 0};
  echo listener;
  auto bus = server_bus::start(o, listener);
  if (!bus) return std::fprintf(stderr, "%s\n", bus.error().message.c_str()), 1;
  round_trips(dir, o.clients_uris[0], count);
  double floor = bare_fan_out(dir, count, 1), framed = bare_fan_out(dir, count, 4);
  double ours = bus_fan_out(**bus, o.events_uris[0], count);
  std::printf("fan-out to %zu        floor %8.0f /s                  bus %8.0f /s                  ratio %.2f\n",
              watchers, floor, ours, ours / floor);
  std::printf("  beside bare ZeroMQ with the same four frames: %8.0f /s, ratio %.2f\n", framed, ours / framed);
  bus->reset();
  std::filesystem::remove_all(dir);
}
