#include "tests/integration/agent/rig.hpp"

#include <stdlib.h>

#include <fstream>

#include "actors/agent/engine/labels.hpp"
#include "actors/agent/lanes/lane_run.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "integration/docker/beast_engine.hpp"

namespace zedops::test {

using namespace msg;

temporary_dir::temporary_dir() {
  char name[] = "/tmp/zedops-agent.XXXXXX";
  if (!::mkdtemp(name)) throw std::runtime_error("no temporary directory");
  path = name;
}
temporary_dir::~temporary_dir() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

rig::config::config() { rt::configure(*this); }

bool rig::to_test::send(const from_agent& m, uint64_t) {
  owner->said_.change([&](auto& all) {
    all.push_back(m);
    owner->said_at_.push_back(std::chrono::steady_clock::now());
  });
  return true;
}

rig::rig(const std::string& docker_host) : host_(docker_host) {
  engine_ = std::move(docker::make_engine(host_).value());
  cleanup_.emplace(*engine_, docker::labels{{agent::label::manager, manager_id_}});
  std::filesystem::create_directories(data_root());
  state_ = std::move(agent::agent_state::open(store_, 1, 2).value());
  machine_ = agent::make_machine_port(host_.substr(7));
  console_ = agent::make_console_port();
  env_.emplace(agent::step_env{*engine_, *machine_, *console_, *state_, agent::real_clocks(), {}});
  link_.owner = this;
  auto deps = std::make_shared<agent::core_deps>(
      agent::core_deps{link_, *env_, {lanes_, lanes_, disks_, slow_, keeper_}, {}, {}, {}, {}, {}});
  deps->options.name = "host1";
  deps->options.data_path = data_root();
  deps->engine_listens = [socket = host_.substr(7)] { return agent::engine_listens(socket); };
  deps->on_final = [](error) {};
  deps->on_manager = [this](std::string id) {
    if (watcher_) caf::anon_send(watcher_, std::move(id));
  };
  core_ = agent::spawn_core(system_, deps);
  watcher_ = agent::spawn_watcher(system_, *engine_, core_);
}

rig::~rig() {
  caf::scoped_actor self{system_, true};
  self->send_exit(watcher_, caf::exit_reason::user_shutdown);
  self->send_exit(core_, caf::exit_reason::user_shutdown);
  self->wait_for(caf::actor_cast<caf::actor>(watcher_), caf::actor_cast<caf::actor>(core_));
}

void rig::say(to_agent m) { caf::anon_send(core_, agent::link_input{agent::manager_said{std::move(m), 0, {}}}); }

inventory rig::welcome(std::vector<known_server> servers) {
  caf::anon_send(core_, agent::link_input{agent::link_up{}});
  auto h = heard<hello>([](auto&) { return true; });
  say(msg::welcome{h.id, manager_id_, 1, 7, std::move(servers)});
  return heard<inventory>([](auto& i) { return !i.failure; });
}

std::chrono::steady_clock::time_point rig::observed_at(size_t since) {
  std::chrono::steady_clock::time_point out;
  said_.change([&](auto& all) {
    for (size_t i = all.size(); i > since; --i)
      if (std::holds_alternative<observed>(all[i - 1])) out = said_at_[i - 1];
  });
  return out;
}

size_t rig::mark() { return said_.value().size(); }

command_result rig::run(const run_command& c) {
  auto from = mark();
  say(c);
  return heard<command_result>([&](auto& r) { return r.op == c.op && r.attempt == c.attempt; }, from);
}

namespace {
struct crash {};  // deliberately no std::exception: nothing on the way may catch it
}  // namespace

std::optional<command_result> rig::run_as_lane(const run_command& c, std::function<bool(std::string_view)> dies_at) {
  agent::active_command active;
  active.command = c;
  active.report = std::make_shared<agent::reporter>(c, nullptr, env().clock.steady);
  env().crash_point = [&](std::string_view name) {
    if (dies_at(name)) throw crash{};
  };
  std::optional<command_result> result;
  try {
    result = agent::run_lane(env(), active);
  } catch (const crash&) {
  }
  env().crash_point = {};
  return result;
}

std::optional<std::string> rig::run_until(const run_command& c, int n, std::optional<command_result>& result) {
  std::string where;
  auto r = run_as_lane(c, [&](std::string_view name) {
    if (n-- > 0) return false;
    where = name;
    return true;
  });
  if (r) result = std::move(r);
  return where.empty() ? std::nullopt : std::optional(where);
}

void rig::run_until(const run_command& c, std::string_view effect) {
  auto r = run_as_lane(c, [&](std::string_view name) { return name == effect; });
  INFO(effect);
  REQUIRE_FALSE(r);
}

server_plan rig::zomboid(const std::string& name) {
  server_plan p;
  auto& c = p.container;
  c.name = "steam-zomboid-" + name + "-" + manager_id_;
  c.image = "zedops/zomboid-sim:test";
  c.labels = {{"zedops.managed", "true"},
              {"zedops.server.name", name},
              {"zedops.type", "project-zomboid"},
              {"pz.rcon.enabled", "true"}};
  const auto game = free_port(), udp = free_port();
  c.env = {{"SERVER_NAME", name}, {"SERVER_DEFAULT_PORT", std::to_string(game)}, {"RCON_PASSWORD", "secret"}};
  c.ports = {{game, game, protocol::udp, {}}, {udp, udp, protocol::udp, {}}};
  const auto tree = data_root() + "/" + name;
  c.mounts = {{tree + "/bin", "/home/steam/zomboid-dedicated", false}, {tree + "/data", "/home/steam/Zomboid", false}};
  c.networks = {"servers-" + manager_id_, "backend-" + manager_id_};
  c.restart = restart_rule::unless_stopped;
  p.data = {data_root(), name, {{"bin", tree + "/bin", true}, {"data", tree + "/data", true}}, {}};
  p.stop.grace = 10s;
  return p;
}

server_plan rig::busybox(const std::string& name, std::vector<std::string> cmd) {
  server_plan p;
  p.container.name = "box-" + name + "-" + manager_id_;
  p.container.image = "zedops/busybox:test";
  p.container.command = std::move(cmd);
  const auto tree = data_root() + "/" + name;
  p.container.mounts = {{tree + "/data", "/data", false}};
  p.data = {data_root(), name, {{"data", tree + "/data", true}}, {}};
  p.stop.grace = 1s;
  return p;
}

run_command rig::command(command_kind kind, const std::string& name, server_plan plan) {
  run_command c;
  c.term = 1;
  c.op = {"op" + std::to_string(++operations_)};
  c.server = server(name);
  c.kind = kind;
  c.demand = data_demand::any;
  c.time_max = 60s;
  c.plan = std::move(plan);
  if (kind == command_kind::replace || kind == command_kind::move || kind == command_kind::adopt)
    c.plan.settle = 1500ms;
  return c;
}

known_server rig::known(const std::string& name, const server_plan& plan, const std::string& container) {
  return {server(name), container, plan.container.name, plan.data};
}

docker::container_details rig::inspect(const std::string& id) {
  auto r = wait_for<docker::container_details>([&](auto h) { engine_->inspect_container(id, {}, h); });
  if (!r) FAIL(r.error().message);
  return *r;
}

bool rig::gone(const std::string& id) {
  auto r = wait_for<docker::container_details>([&](auto h) { engine_->inspect_container(id, {}, h); });
  return !r && r.error().code == ec::not_found;
}

std::vector<docker::container_summary> rig::containers(const std::string& name) {
  return wait_for<std::vector<docker::container_summary>>([&](auto h) {
           engine_->list_containers({{agent::label::server, server(name).value}}, {}, h);
         })
      .value();
}

// Without the warnings of the docker client on machines that do not forward packets.
std::string rig::docker(const std::string& command) {
  auto out = shell("DOCKER_HOST=" + host_ + " docker " + command);
  while (out.starts_with("WARNING: ")) out.erase(0, out.find('\n') == out.npos ? out.size() : out.find('\n') + 1);
  return out;
}

}  // namespace zedops::test
