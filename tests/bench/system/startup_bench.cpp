// Start-up: from exec to the first answered read, to a manager that is ready, and what each idle server costs in
// memory. The floor of the first read is a program that only scans and decodes the same records.
#include "actors/core/server/server_machine.hpp"
#include "messages/wire/codec.hpp"
#include "persistence/lmdb_store.hpp"
#include "tests/bench/system/process.hpp"
#include "tools/loadgen/fill.hpp"

using namespace zedops;
using namespace zedops::bench;
using namespace std::chrono_literals;

namespace {

constexpr size_t rounds = 5;

struct started {
  double first_read_ms = 0, ready_ms = 0, rss_kb = 0, own_kb = 0;
};

started start_once(const scratch_dir& dir) {
  std::filesystem::remove(dir / "manager.log");
  manager_process m(dir);
  started s;
  s.first_read_ms = m.first_read_ms();
  if (!m.self().wait_for_log("manager.ready", 60s)) die("it is not ready:\n" + m.self().log());
  s.ready_ms = ms_since(m.self().started());
  s.rss_kb = m.self().rss_kb();
  s.own_kb = m.self().own_kb();
  return s;
}

double decode_ms(const scratch_dir& dir) {
  const auto start = steady::now();
  store::lmdb_options o;
  o.dir = dir / "data";
  auto s = must(store::open_lmdb(std::move(o)));
  auto r = must(s->begin_read());
  std::vector<msg::server> all;
  must(r->scan(
      store::table::servers, {}, store::direction::forward,
      [&](std::string_view, std::string_view value) {
        all.push_back(must(msg::unpack<msg::server>(value)));
        return true;
      },
      [](const store::corrupt_record&) {}));
  return ms_since(start);
}

started medians(const scratch_dir& dir) {
  std::vector<double> first, ready, rss, own;
  for (size_t i = 0; i < rounds; ++i) {
    const auto s = start_once(dir);
    first.push_back(s.first_read_ms);
    ready.push_back(s.ready_ms);
    rss.push_back(s.rss_kb);
    own.push_back(s.own_kb);
  }
  return {median(first), median(ready), median(rss), median(own)};
}

}  // namespace

int main() {
  scratch_dir none;
  load::fill_options fill;
  fill.data_dir = none / "data";
  fill.servers = 0;
  must(load::fill_store(fill));
  const auto empty = medians(none);
  print({"start-up without servers: exec to first read", "ms", empty.first_read_ms});
  for (const size_t servers : {10'000u, 100'000u}) {
    scratch_dir dir;
    fill.data_dir = dir / "data";
    fill.servers = servers;
    must(load::fill_store(fill));
    const auto s = medians(dir);
    const auto n = std::to_string(servers);
    print({"start-up, " + n + " servers: exec to first read", "ms", s.first_read_ms, 0,
           servers == 10'000 ? 100.0 : 300.0});
    print({"  beside scanning and decoding alone", "ms", s.first_read_ms, decode_ms(dir)});
    print({"start-up, " + n + " servers: ready", "ms", s.ready_ms, 0, 1'500});
    print({"memory per idle server, " + n + " servers", "KB", (s.rss_kb - empty.rss_kb) / static_cast<double>(servers),
           0, 4});
    print({"  without the mapped store", "KB", (s.own_kb - empty.own_kb) / static_cast<double>(servers)});
  }
}
