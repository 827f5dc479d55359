// A host's disk and the console of its games, as the real agent meets them.
#pragma once
#include "actors/agent/ports.hpp"
#include "tests/sim/support/errand.hpp"
#include "tests/sim/support/sim_engine.hpp"

namespace zedops::sim {

namespace disk = zedops::host;  // `host` is the simulated one here

struct sim_disk final : agent::host_port {
  process_time& time;
  sim::host& on;
  sim_disk(process_time& t, sim::host& h) : time(t), on(h) {}

  void boundary() {
    if (errand::current()) time.boundary();
  }
  tl::unexpected<msg::error> unmounted() const {
    return msg::fail(msg::ec::data_unknown, "the data path is not mounted", "mount it");
  }

  disk::data_report check(const disk::check_request& r) override {
    disk::data_report out;
    out.state = on.data_of(r.name);
    if (out.state == msg::data_state::unknown) out.error = "not mounted";
    if (r.sizes == disk::sizing::measure) out.size = disk::tree_size{1'000, 1, true};
    return out;
  }
  msg::result<disk::root_made> prepare_root(const disk::data_root&) override {
    if (!on.disk_mounted) return unmounted();
    return disk::root_made::existed;
  }
  msg::result<unsigned> make_dirs(const disk::dirs_request& r) override {
    boundary();
    if (!on.disk_mounted) return unmounted();
    on.trees.emplace(r.name, msg::data_state::empty);
    boundary();
    return 1U;
  }
  msg::result<disk::removed_tree> remove_tree(const disk::remove_request& r) override {
    boundary();
    if (errand::current()) time.wait(time.luck().between(msg::duration{1}, msg::duration{200}));
    if (!on.disk_mounted) return unmounted();
    const uint64_t bytes = on.data_of(r.name) == msg::data_state::present ? 1'000 : 0;
    on.remove_data(r.name);
    boundary();
    return disk::removed_tree{bytes, {}};
  }
  disk::view view_of_ports() override { return {disk::host_view::visible, {}}; }
  std::vector<disk::port_report> check_ports(const std::vector<disk::port_query>& all) override {
    std::vector<disk::port_report> out;
    for (const auto& q : all) out.push_back({q.port, q.proto, disk::port_state::free, {}});
    return out;
  }
};

struct sim_console final : agent::console_port {
  process_time& time;
  explicit sim_console(process_time& t) : time(t) {}
  msg::result<std::string> execute(const rcon::target&, const std::vector<std::string>&) override {
    time.wait(time.luck().between(msg::duration{5}, msg::duration{200}));
    if (time.luck().percent(20)) return msg::fail(msg::ec::engine_error, "no connection");
    return std::string{};
  }
};

}  // namespace zedops::sim
