// What a container needs before it is made: data that permits it, free ports, directories, networks, its image.
#include <fmt/format.h>

#include <algorithm>

#include "actors/agent/jobs/command_job.hpp"
#include "actors/agent/observe/data_layouts.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

bool any_address(const std::string& ip) { return ip.empty() || ip == "0.0.0.0" || ip == "::"; }

bool clash(const port_binding& a, const port_binding& b) {
  return a.host_port == b.host_port && a.proto == b.proto &&
         (any_address(a.host_ip) || any_address(b.host_ip) || a.host_ip == b.host_ip);
}

tl::unexpected<error> taken(const port_binding& p, const std::string& by) {
  return fail(ec::port_conflict, fmt::format("port {}/{} is taken by {}", p.host_port, name_of(p.proto), by),
              "free the port, then repeat");
}

}  // namespace

result<void> command_job::check_data() {
  const auto& layout = cmd_.plan.data;
  auto request = check_request_of(layout, env_.state.id(), host::sizing::skip);
  if (!request) return fail(std::move(request.error()));
  if (!env_.state.used_root(layout.root)) {
    // The only case in which a missing marker means "new" and not "unmounted".
    ZEDOPS_TRY(env_.host.prepare_root(request->root));
    ZEDOPS_TRY(env_.state.remember_root(layout.root));
  }
  const auto report = env_.host.check(*request);
  switch (report.state) {
    case data_state::present: return {};
    case data_state::unknown:
      return fail(ec::data_unknown, "the data of this server cannot be seen: " + report.error,
                  "check that the disk is mounted and readable; nothing is created until the data is known");
    case data_state::absent:
    case data_state::empty: break;
  }
  if (cmd_.demand == data_demand::present)
    return fail(
        ec::no_data, "Cannot start server, no data found",
        "restore it to " + layout.root + "/" + layout.name + ", or begin with empty directories: " + fresh_start());
  result_.fresh_start = true;
  return {};
}

// The command that does the same and needs no data.
std::string command_job::fresh_start() const {
  const auto& name = cmd_.plan.data.name;
  if (cmd_.kind == command_kind::restart)
    return "zedctl server stop " + name + ", then zedctl server start --fresh " + name;
  return std::string("zedctl server ") + (cmd_.kind == command_kind::replace ? "rebuild" : "start") + " --fresh " +
         name;
}

result<void> command_job::check_ports(const std::vector<port_binding>& wanted, const std::vector<std::string>& ignored,
                                      const std::vector<port_binding>& given_up) {
  auto excused = [&](const port_binding& p) {
    return p.host_port == 0 || std::any_of(given_up.begin(), given_up.end(), [&](auto& g) { return clash(g, p); });
  };
  std::vector<host::port_query> queries;
  std::vector<port_binding> asked;
  for (const auto& p : wanted) {
    if (excused(p)) continue;
    asked.push_back(p);
    if (any_address(p.host_ip)) queries.push_back({p.host_port, p.proto});
  }
  if (asked.empty()) return {};
  auto all = calls_.list({});
  if (!all) return fail(std::move(all.error()));
  for (const auto& c : *all) {
    if (std::find(ignored.begin(), ignored.end(), c.id) != ignored.end()) continue;
    for (const auto& held : c.ports)
      for (const auto& p : asked)
        if (clash(held, p)) return taken(p, "container " + c.name);
  }
  for (const auto& r : env_.host.check_ports(queries))
    if (r.state == host::port_state::taken)
      return taken({r.port, 0, r.proto, {}}, r.by.starts_with("pid") ? "process " + r.by : r.by);
  return {};  // unknown (the host is hidden): the Engine has the last word
}

// The host's owner has the last word, whatever the manager asks for; also on what is mounted beyond the server's own
// folders.
result<void> command_job::check_permitted() {
  ZEDOPS_TRY(core::permit(*env_.rules, cmd_.plan));
  const auto& mounts = cmd_.plan.container.mounts;
  for (size_t i = cmd_.plan.data.dirs.size(); i < mounts.size(); ++i)
    ZEDOPS_TRY(env_.host.check_bind(mounts[i].source));
  return {};
}

result<void> command_job::make_networks() {
  for (const auto& name : cmd_.plan.container.networks) {
    auto there = calls_.network(name);
    if (there) continue;  // also one that is not ours: used as it is
    if (there.error().code != ec::not_found) return fail(std::move(there.error()));
    auto network = calls_.create_network(name, {{label::managed, "true"}, {label::manager, manager_}});
    if (!network && network.error().code != ec::already_exists) return fail(std::move(network.error()));
    effect("network_made");
  }
  return {};
}

result<void> command_job::pull(uint32_t from, uint32_t to) {
  const auto& image = cmd_.plan.container.image;
  auto local = calls_.image(image);
  if (!local && local.error().code != ec::not_found) return fail(std::move(local.error()));
  if (local && cmd_.plan.pull == pull_policy::if_missing) {
    use_image(*local);
    return {};
  }
  ZEDOPS_TRY(step("pulling", from, image));
  auto pulled = calls_.pull(image, [report = report_, from, to](const docker::pull_state& p) {
    constexpr double mib = 1024.0 * 1024.0;
    const auto percent = from + static_cast<uint32_t>(p.fraction * (to - from));
    report->within("pulling", percent,
                   fmt::format("{} {:.0f} of {:.0f} MiB", p.status, p.done_bytes / mib, p.total_bytes / mib));
  });
  effect("pulled");
  pulled_ = pulled.has_value();
  if (pulled) local = calls_.image(image);
  if (pulled && !local) return fail(std::move(local.error()));
  if (!pulled && (pulled.error().code == ec::cancelled || !local)) return fail(std::move(pulled.error()));
  if (!pulled) note("registry unreachable, used local image: " + pulled.error().message);
  use_image(*local);
  return {};
}

void command_job::use_image(const docker::image_info& image) {
  // It may run all the same: a host can translate, and a processor runs the programs of its family's smaller one.
  const auto here = env_.engine_is ? env_.engine_is->architecture() : std::string{};
  if (!here.empty() && !image.architecture.empty() && image.architecture != here)
    note("the image is built for " + image.architecture + ", this host is " + here);
  plan_volumes(image);
}

}  // namespace zedops::agent
