// A host's disk and the console of its games, as the real agent meets them.
#pragma once
#include "actors/agent/ports.hpp"
#include "tests/sim/support/agents/sim_job.hpp"
#include "tests/sim/support/hosts/sim_engine.hpp"

namespace zedops::sim {

namespace disk = zedops::host;  // `host` is the simulated one here

struct sim_disk final : agent::machine_port {
  process_time& time;
  sim::host& on;
  sim_disk(process_time& t, sim::host& h) : time(t), on(h) {}

  void boundary() {
    if (sim_job::current()) time.boundary();
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
  std::string owner_of_root(const std::string&) override { return {}; }
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
    if (sim_job::current()) time.wait(time.luck().between(msg::duration{1}, msg::duration{200}));
    if (!on.disk_mounted) return unmounted();
    if (on.moved_away.erase(r.name) > 0) return disk::removed_tree{1'000, {}};
    const uint64_t bytes = on.data_of(r.name) == msg::data_state::present ? 1'000 : 0;
    on.remove_data(r.name);
    boundary();
    return disk::removed_tree{bytes, {}};
  }
  // A host here has one tree per server, whatever the root; a copy is a second name that shows how far it is.
  static std::string key(const disk::copy_request& r) { return "copy/" + r.name + "/" + r.id; }
  msg::result<uint64_t> free_space_at(const std::string&) override { return uint64_t{1} << 40; }
  msg::result<void> check_new_root(const std::string&) override { return {}; }
  msg::result<void> check_bind(const std::string&) override { return {}; }
  msg::result<disk::copy_stage> look_at_copy(const disk::copy_request& r) override {
    if (!on.disk_mounted) return unmounted();
    auto i = on.trees.find(key(r));
    if (i == on.trees.end()) {
      if (!r.parts.empty() && on.data_of(r.name) != msg::data_state::absent)
        return msg::fail(msg::ec::already_exists, r.name + " is there already");
      return disk::copy_stage::none;
    }
    return i->second == msg::data_state::present ? disk::copy_stage::placed : disk::copy_stage::partial;
  }
  msg::result<disk::copy_size> check_copy(const disk::copy_request&) override {
    if (!on.disk_mounted) return unmounted();
    return disk::copy_size{1'000, 1};
  }
  msg::result<disk::copy_size> copy_tree(const disk::copy_request& r, const disk::copy_progress& progress) override {
    boundary();
    if (!on.disk_mounted) return unmounted();
    on.trees[key(r)] = msg::data_state::empty;
    boundary();
    if (!progress(disk::copy_phase::copying, 500)) return msg::fail(msg::ec::cancelled, "the copy was ended");
    if (sim_job::current()) time.wait(time.luck().between(msg::duration{1}, msg::duration{5'000}));
    if (!on.disk_mounted) return unmounted();
    return disk::copy_size{1'000, 1};
  }
  msg::result<void> place_copy(const disk::copy_request& r) override {
    boundary();
    if (!on.disk_mounted) return unmounted();
    on.trees[key(r)] = msg::data_state::present;
    if (!r.parts.empty()) on.trees[r.name] = msg::data_state::present;
    boundary();
    return {};
  }
  msg::result<std::string> drop_copy(const disk::copy_request& r, disk::copy_fate) override {
    boundary();
    if (!on.disk_mounted) return unmounted();
    auto i = on.trees.find(key(r));
    if (i != on.trees.end() && i->second == msg::data_state::present && !r.parts.empty()) on.trees.erase(r.name);
    on.trees.erase(key(r));
    boundary();
    return std::string{};
  }
  msg::result<void> finish_copy(const disk::copy_request& r) override {
    boundary();
    if (!on.disk_mounted) return unmounted();
    on.trees.erase(key(r));
    if (r.parts.empty())
      on.moved_away.insert(r.name);  // the tree of that name is the copy now; the next removal is the original's
    return {};
  }
  disk::port_sight sight_of_ports() override { return {disk::visibility::visible, {}}; }
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
