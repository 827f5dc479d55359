// A manager's bus in a directory of its own, and a listener that answers or records.
#pragma once
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <zmq.hpp>

#include "bus/client.hpp"
#include "bus/server_bus.hpp"
#include "tests/support/catch.hpp"

namespace bus_test {

using namespace zedops;
using namespace zedops::bus;
using namespace std::chrono_literals;

inline constexpr auto patience = 10s;

// Polls a condition that is not announced.
inline bool eventually(const std::function<bool()>& condition) {
  auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

struct temp_dir {
  std::filesystem::path path;
  temp_dir() {
    std::string name = (std::filesystem::temp_directory_path() / "zedops-bus-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~temp_dir() { std::filesystem::remove_all(path); }
};

// Answers verb "echo" with the body, "steps" with every kind of reply; records the rest.
class recorder : public server_bus_listener {
 public:
  server_bus* bus = nullptr;

  void on_start(server_bus& b) noexcept override { bus = &b; }
  void on_request(client_request&& r) noexcept override {
    if (r.verb == "echo") {
      bus->send(door::clients, r.routing_id, encode(reply{reply_kind::result, r.id, r.body}));
    } else if (r.verb == "steps") {
      for (auto kind : {reply_kind::accepted, reply_kind::progress, reply_kind::chunk, reply_kind::error})
        bus->send(door::clients, r.routing_id, encode(reply{kind, r.id, std::string(name_of(kind))}));
    }
    note([&] { requests.push_back(std::move(r)); });
  }
  void on_agent_message(agent_inbound&& m) noexcept override {
    note([&] { messages.push_back(std::move(m)); });
  }
  void on_bad_message(const bad_message& b) noexcept override {
    note([&] { bad.push_back(b); });
  }
  void on_unreachable(door, const std::string& id) noexcept override {
    note([&] { unreachable.push_back(id); });
  }
  void on_slow(door, const std::string& id) noexcept override {
    note([&] { ++slow[id]; });
  }

  bool wait(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, condition);
  }
  template <class F>
  auto locked(F f) {
    std::lock_guard guard(mutex_);
    return f();
  }

  bool keep = true;  // false: credits go back at once
  std::vector<client_request> requests;
  std::vector<agent_inbound> messages;
  std::vector<bad_message> bad;
  std::vector<std::string> unreachable;
  std::map<std::string, size_t> slow;

 private:
  template <class F>
  void note(F f) noexcept {
    std::lock_guard guard(mutex_);
    f();
    if (!keep) requests.clear(), messages.clear();
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
};

struct fixture {
  temp_dir dir;
  recorder seen;
  std::unique_ptr<server_bus> bus;

  std::string uri(const std::string& name) const { return "ipc://" + (dir.path / "run" / (name + ".ipc")).string(); }
  server_bus_options options() const {
    server_bus_options o;
    o.clients_uris = {uri("clients")};
    o.agents_uris = {uri("agents")};
    o.events_uris = {uri("events")};
    o.runtime_dir = dir.path / "run";
    o.head = {1, 0};
    return o;
  }
  void start(server_bus_options o) {
    auto started = server_bus::start(std::move(o), seen);
    INFO((started ? "" : started.error().message));
    REQUIRE(started);
    bus = std::move(*started);
  }
  fixture() { start(options()); }
  explicit fixture(const std::function<void(server_bus_options&)>& change) {
    auto o = options();
    change(o);
    start(std::move(o));
  }
  // Recorded credits are released before the bus ends: either order is allowed, see the test of it.
  ~fixture() { bus.reset(); }
};

inline client must_connect(const fixture& f) {
  auto c = client::connect(f.uri("clients"));
  REQUIRE(c);
  return std::move(*c);
}

// A bare ZeroMQ socket: the ways to misbehave that our own client does not have.
struct raw_socket {
  zmq::context_t context;
  zmq::socket_t socket;
  raw_socket(zmq::socket_type type, const std::string& uri, const std::string& routing_id = {})
      : socket(context, type) {
    socket.set(zmq::sockopt::linger, 0);
    if (!routing_id.empty()) socket.set(zmq::sockopt::routing_id, routing_id);
    socket.connect(uri);
  }
  void send(const frames& f) {
    for (size_t i = 0; i < f.size(); ++i)
      socket.send(zmq::buffer(f[i]), i + 1 < f.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
};

}  // namespace bus_test
