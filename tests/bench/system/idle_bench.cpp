// The cost of idling, and how long a client waits for a long list.
#include <thread>

#include "tests/bench/system/process.hpp"
#include "tools/loadgen/fill.hpp"
#include "tools/loadgen/fleet.hpp"

using namespace zedops;
using namespace zedops::bench;
using namespace std::chrono_literals;

namespace {

constexpr auto watched = 10s;

void idle() {
  scratch_dir dir;
  load::fill_options fill;
  fill.data_dir = dir / "data";
  fill.servers = 1'000;
  must(load::fill_store(fill));
  manager_process m(dir);
  m.first_read_ms();
  std::atomic<bool> stop{false}, ready{false};
  load::fleet_options o;
  o.manager_uri = m.agents_uri;
  o.agents = fill.agents;
  o.on_ready = [&] { ready = true; };
  std::thread agents([&] { (void)load::run_fleet(o, stop); });
  if (!wait_until([&] { return ready.load(); }, 30s)) die("the agents are not welcome");
  std::this_thread::sleep_for(2s);  // the first syncs
  const auto before = m.self().cpu_seconds();
  std::this_thread::sleep_for(watched);
  const auto percent = (m.self().cpu_seconds() - before) / std::chrono::duration<double>(watched).count() * 100;
  print({"idle manager, 1,000 servers on 10 agents, share of a core", "%", percent, 0, 1});
  print({"  its memory", "MB", m.self().rss_kb() / 1024});
  stop = true;
  agents.join();
}

void list() {
  scratch_dir dir;
  load::fill_options fill;
  fill.data_dir = dir / "data";
  fill.servers = 10'000;
  must(load::fill_store(fill));
  manager_process m(dir);
  m.first_read_ms();
  std::vector<double> all;
  for (int i = 0; i < 5; ++i) {
    process ls({program("zedctl"), "--endpoint", m.clients_uri, "server", "ls"}, dir / "ls.out");
    if (ls.wait() != 0) die("zedctl server ls: " + ls.log());
    all.push_back(ms_since(ls.started()));
  }
  print({"zedctl server ls, 10,000 servers", "ms", median(all), 0, 300});
}

}  // namespace

int main() {
  idle();
  list();
}
