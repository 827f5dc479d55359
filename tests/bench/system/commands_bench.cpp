// Durable commands: how many a second with 128 in flight, and how long one alone takes. Each is an edit: decided,
// committed, published and answered.
#include <cstdio>
#include <thread>
#include <unordered_map>
#include <zmq.hpp>

#include "messages/wire/codec.hpp"
#include "persistence/lmdb_store.hpp"
#include "tests/bench/system/floor.hpp"
#include "tests/bench/system/process.hpp"
#include "tools/loadgen/fill.hpp"
#include "tools/loadgen/pipeline.hpp"

using namespace zedops;
using namespace zedops::bench;
using namespace std::chrono_literals;

namespace {

constexpr size_t in_flight = 128, rounds = 3;
constexpr auto round_time = 2'000ms;

struct numbers {
  std::vector<double> per_second, p50_us, p99_us;
  void add(double rate, double p50, double p99) {
    per_second.push_back(rate);
    p50_us.push_back(p50);
    p99_us.push_back(p99);
  }
};

void run_floor(zmq::socket_t& dealer, const std::string& body, size_t window, numbers& out) {
  std::vector<double> latencies;
  std::vector<steady::time_point> sent_at;
  size_t sent = 0, got = 0;
  const auto start = steady::now();
  while (got < sent || steady::now() - start < round_time) {
    while (sent - got < window && steady::now() - start < round_time) {
      sent_at.push_back(steady::now());
      dealer.send(zmq::buffer(body), zmq::send_flags::none);
      ++sent;
    }
    if (got == sent) break;
    zmq::message_t m;
    if (!dealer.recv(m)) die("the floor does not answer");  // answers come in order
    latencies.push_back(ms_since(sent_at[got++]) * 1e3);
  }
  out.add(static_cast<double>(got) / (ms_since(start) / 1e3), percentile(latencies, 50), percentile(latencies, 99));
}

void run_ours(const std::string& uri, const std::vector<std::string>& ids, size_t window, numbers& out) {
  load::pipeline_options o;
  o.clients_uri = uri;
  o.in_flight = window;
  o.run_for = round_time;
  o.next = [&](size_t, uint64_t n) {
    msg::edit_server e;
    e.server = ids[n % ids.size()];
    e.config["LOAD"] = std::to_string(n);
    return load::posted{"server.edit", msg::pack_map(e), {}};
  };
  auto r = must(load::run_pipeline(o));
  if (r.refused > 0) die("an edit was refused: " + r.first_refusal);
  out.add(r.per_second(), r.percentile_us(50), r.percentile_us(99));
}

// What one edit of ours writes and is answered with.
edit_bytes bytes_of_an_edit(size_t servers) {
  scratch_dir dir;
  load::fill_options fill;
  fill.data_dir = dir / "data";
  fill.servers = servers;
  must(load::fill_store(fill));
  edit_bytes out;
  {
    manager_process manager(dir);
    manager.first_read_ms();
    auto client = must(bus::client::connect(manager.clients_uri));
    const auto ids = must(load::list_server_ids(client));
    numbers unused;
    run_ours(manager.clients_uri, ids, in_flight, unused);
    msg::edit_server e;
    e.server = ids.front();
    e.config["LOAD"] = "last";
    out.answer = static_cast<uint32_t>(must(client.request("server.edit", msg::pack_map(e))).body.size());
  }
  store::lmdb_options o;
  o.dir = dir / "data";
  auto s = must(store::open_lmdb(std::move(o)));
  auto r = must(s->begin_read());
  const auto mean = [&](store::table t) {
    constexpr size_t newest = 1'000;
    uint64_t bytes = 0, n = 0;
    must(r->scan(
        t, {}, store::direction::backward,
        [&](std::string_view, std::string_view value) {
          bytes += value.size();
          return ++n < newest;
        },
        [](const store::corrupt_record&) {}));
    return static_cast<uint32_t>(bytes / std::max<uint64_t>(n, 1));
  };
  out.log = mean(store::table::log);
  out.record = mean(store::table::servers);
  out.operation = mean(store::table::operations);
  out.audit = mean(store::table::audit);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const size_t servers = argc > 1 ? std::stoul(argv[1]) : 1'000;
  scratch_dir dir;
  floor_server floor(dir);
  const auto sizes = bytes_of_an_edit(servers);
  load::fill_options fill;
  fill.data_dir = dir / "data";
  fill.servers = servers;
  must(load::fill_store(fill));
  manager_process manager(dir);
  manager.first_read_ms();
  auto client = must(bus::client::connect(manager.clients_uri));
  const auto ids = must(load::list_server_ids(client));
  zmq::context_t context;
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.set(zmq::sockopt::rcvtimeo, 10'000);
  dealer.connect(floor.requests_uri);

  const std::string bare(floor_message_bytes, floor_reply), fair = floor_edit_message(sizes, floor_message_bytes);
  numbers floor_many, floor_one, fair_many, many, one;
  for (size_t i = 0; i < rounds; ++i) {
    run_floor(dealer, bare, in_flight, floor_many);
    run_floor(dealer, fair, in_flight, fair_many);
    run_ours(manager.clients_uri, ids, in_flight, many);
    run_floor(dealer, bare, 1, floor_one);
    run_ours(manager.clients_uri, ids, 1, one);
  }
  print({"durable commands a second, 128 in flight", "/s", median(many.per_second), median(floor_many.per_second), 0,
         better::higher});
  print({"  beside a loop that writes and answers the same bytes", "/s", median(many.per_second),
         median(fair_many.per_second), 0.5, better::higher});
  std::printf("  bytes of an edit: log %u, record %u, operation %u, audit %u, answer %u\n", sizes.log, sizes.record,
              sizes.operation, sizes.audit, sizes.answer);
  print({"the same, time to an answer p99", "us", median(many.p99_us), median(floor_many.p99_us)});
  print({"one durable command alone, p50", "us", median(one.p50_us), median(floor_one.p50_us), 4});
  print({"one durable command alone, p99", "us", median(one.p99_us), median(floor_one.p99_us), 5});
}
