// From what an agent observed to subscribers: durable in between. The floor is two ZeroMQ hops, one commit and PUB.
#include <map>
#include <mutex>
#include <thread>
#include <zmq.hpp>

#include "bus/subscriber.hpp"
#include "messages/wire/codec.hpp"
#include "tests/bench/system/floor.hpp"
#include "tests/bench/system/process.hpp"
#include "tools/loadgen/fill.hpp"
#include "tools/loadgen/fleet.hpp"

using namespace zedops;
using namespace zedops::bench;
using namespace std::chrono_literals;

namespace {

constexpr size_t servers = 1'000;
constexpr auto run_time = 5s;

struct latencies {
  std::vector<double> us;
  double p(double percent) const { return percentile(us, percent); }
};

// Calls `once(n)` at the rate, for the run time.
void at_rate(double per_second, const std::function<void(size_t)>& once) {
  const auto start = steady::now();
  for (size_t n = 0;; ++n) {
    const auto due = start + std::chrono::duration_cast<steady::duration>(
                                 std::chrono::duration<double>(static_cast<double>(n) / per_second));
    if (due - start > run_time) return;
    std::this_thread::sleep_until(due);
    once(n);
  }
}

// Until the last of `watchers` subscribers has it, all read by one thread in turn.
latencies run_floor(const floor_server& floor, double per_second, size_t watchers) {
  zmq::context_t context;
  std::vector<zmq::socket_t> subs;
  for (size_t i = 0; i < watchers; ++i) {
    auto& s = subs.emplace_back(context, zmq::socket_type::sub);
    s.set(zmq::sockopt::subscribe, "");
    s.set(zmq::sockopt::rcvtimeo, 2'000);
    s.connect(floor.events_uri);
  }
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.connect(floor.requests_uri);
  std::string body(floor_message_bytes, floor_publish);
  auto send = [&] {
    const auto now = steady::now();
    std::memcpy(body.data() + 1, &now, sizeof now);
    dealer.send(zmq::buffer(body), zmq::send_flags::none);
  };
  // The subscriptions work when one message has reached each.
  for (auto& s : subs) {
    zmq::message_t m;
    s.set(zmq::sockopt::rcvtimeo, 20);
    do send();
    while (!s.recv(m));
    s.set(zmq::sockopt::rcvtimeo, 500);
  }
  for (auto& s : subs)
    for (zmq::message_t m; s.recv(m);) {
    }
  latencies out;
  std::thread reader([&] {
    for (;;)
      for (size_t i = 0; i < watchers; ++i) {
        zmq::message_t m;
        if (!subs[i].recv(m)) return;
        if (i + 1 < watchers) continue;
        steady::time_point sent;
        std::memcpy(&sent, m.data<char>() + 1, sizeof sent);
        out.us.push_back(ms_since(sent) * 1e3);
      }
  });
  at_rate(per_second, [&](size_t) { send(); });
  reader.join();
  return out;
}

latencies run_ours(const manager_process& m, double per_second, size_t watchers) {
  std::mutex mutex;
  std::map<std::string, steady::time_point> sent;  // by topic, until its event is there
  std::vector<bus::subscriber> subs;
  for (size_t i = 0; i < watchers; ++i) {
    subs.push_back(must(bus::subscriber::connect(m.events_uri)));
    must(subs.back().subscribe("server."));
    const auto sync = std::string(bus::sync_topic_prefix) + std::to_string(i);
    must(subs.back().subscribe(sync));
    if (auto e = subs.back().next(10s); !e || !*e) die("a subscription does not work");
  }
  std::atomic<bool> stop{false};
  load::fleet_options o;
  o.manager_uri = m.agents_uri;
  o.agents = 10;
  o.mishaps_per_second = per_second;
  o.on_mishap = [&](const msg::server_id& id, steady::time_point at) {
    std::lock_guard lock(mutex);
    sent["server." + id.value] = at;
  };
  o.run_for = run_time + 2s;
  std::thread agents([&] {
    if (auto r = load::run_fleet(o, stop); !r) die(r.error().message);
  });
  latencies out;
  for (bool more = true; more;)
    for (size_t i = 0; i < watchers && more; ++i) {
      auto e = subs[i].next(3s);
      if (!e || !*e) more = false;
      if (!more || i + 1 < watchers) continue;
      std::lock_guard lock(mutex);
      // The first event of the observation; the second follows in the same transaction.
      if (auto s = sent.find((*e)->topic); s != sent.end()) {
        out.us.push_back(ms_since(s->second) * 1e3);
        sent.erase(s);
      }
    }
  agents.join();
  if (out.us.size() < 100) die("only " + std::to_string(out.us.size()) + " events came");
  return out;
}

}  // namespace

int main() {
  scratch_dir dir;
  floor_server floor(dir);
  load::fill_options fill;
  fill.data_dir = dir / "data";
  fill.servers = servers;
  must(load::fill_store(fill));
  manager_process manager(dir);
  manager.first_read_ms();
  for (const size_t watchers : {1u, 10u})
    for (const double rate : {200.0, 1'000.0}) {
      const auto f = run_floor(floor, rate, watchers), o = run_ours(manager, rate, watchers);
      const auto what = "observed -> durable -> " + std::to_string(watchers) +
                        (watchers == 1 ? " subscriber" : " subscribers") + ", " +
                        std::to_string(static_cast<int>(rate)) + "/s";
      print({what + ", p50", "us", o.p(50), f.p(50), 4});
      print({what + ", p99", "us", o.p(99), f.p(99)});
      if (watchers == 1 && rate == 200) {
        print({what + ", p50, absolute", "ms", o.p(50) / 1e3, 0, 2});
        print({what + ", p99, absolute", "ms", o.p(99) / 1e3, 0, 20});
      }
    }
}
