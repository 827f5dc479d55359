#include "integration/host/machine_usage.hpp"

#include "tests/support/catch.hpp"

using namespace zedops::host;

TEST_CASE("machine: the kernel's files are read", "[unit][host]") {
  const auto cpu = parse_cpu("cpu  100 5 50 1000 20 3 2 1 7 0\ncpu0 1 1 1 1\n");
  CHECK(cpu.all == 1181);
  CHECK(cpu.busy == 161);
  const auto [used, all] = parse_memory("MemTotal:  1000 kB\nMemFree: 5 kB\nMemAvailable:     400 kB\n");
  CHECK(used == 600 * 1024);
  CHECK(all == 1000 * 1024);
  CHECK(parse_load("1.25 0.50 0.10 1/100 5") == 1250);
}

TEST_CASE("machine: unreadable values are zero", "[unit][host]") {
  CHECK(parse_cpu("").all == 0);
  CHECK(parse_cpu("cpu x").busy == 0);
  CHECK(parse_memory("nothing").second == 0);
  CHECK(parse_load("nan") == 0);
  CHECK(look_at_machine("/nowhere/at/all").disk_max == 0);
}

TEST_CASE("machine: this machine's own values are plausible", "[unit][host]") {
  const auto m = look_at_machine("/");
  CHECK(m.cores > 0);
  CHECK(m.cpu.all > m.cpu.busy);
  CHECK(m.memory_max > m.memory_bytes);
  CHECK(m.disk_max >= m.disk_bytes);
}
