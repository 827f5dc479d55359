#include <cstdlib>

#include "tests/integration/bus/support.hpp"

using namespace bus_test;

namespace {

class publishing_recorder : public recorder {
 public:
  void on_request(client_request&& r) noexcept override {
    if (r.verb == "publish") {
      bus->publish({"server.a", {1, 1}, r.body});
      bus->send(door::clients, r.routing_id, encode(reply{reply_kind::result, r.id, r.body}));
    }
    recorder::on_request(std::move(r));
  }
};

}  // namespace

TEST_CASE("python: a client made of pyzmq and msgpack can ask and watch", "[integration][bus]") {
  if (std::system("/usr/bin/python3 -c 'import zmq, msgpack' 2>/dev/null") != 0) {
    WARN("python3-zmq and python3-msgpack are not installed: skipped");
    return;
  }
  fixture f;
  publishing_recorder seen;
  f.bus.reset();
  auto bus = server_bus::start(f.options(), seen);
  REQUIRE(bus);
  std::string command =
      "/usr/bin/python3 " BUS_TEST_DIR "/watcher.py " + f.uri("clients") + " " + f.uri("events") + " >&2";
  CHECK(std::system(command.c_str()) == 0);
  CHECK(seen.locked([&] { return seen.requests.at(0).idempotency_key; }) == "once");
}
