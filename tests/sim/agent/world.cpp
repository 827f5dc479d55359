#include "tests/sim/agent/world.hpp"

namespace zedops::test {

using namespace msg;

agent_world::agent_world() {
  host.docker = &docker;
  docker.clock = [this] { return wall(); };
  spawn();
}
agent_world::~agent_world() { kill(); }

void agent_world::spawn() {
  state = std::move(agent::agent_state::open(store, 1, 2).value());
  auto now = [this] { return std::chrono::steady_clock::time_point{sys.clock().now().time_since_epoch()}; };
  agent::clocks clock{[this] { return wall(); }, now, [this](auto d) { sched.clock().current_time += d; }};
  engine_is.emplace(*state, accepts_engine);
  env.emplace(agent::step_env{docker, host, console, *state, std::move(clock), {}, &core::no_host_rules, &*engine_is});
  env->sites = serves;
  auto deps = std::make_shared<agent::core_deps>(
      agent::core_deps{link, *env, {lanes, lanes, others, others, others}, {}, {}, {}, {}, {}});
  deps->options.name = "h1";
  deps->options.boot_id = boot_id;
  deps->options.boot_starts_max = boot_starts;
  deps->engine_listens = [this] { return listens; };
  if (machine) deps->machine = [this] { return *machine; };
  deps->on_final = [this](error e) { final = std::move(e); };
  deps->on_manager = [this](std::string id) {
    if (watcher) caf::anon_send(watcher, std::move(id));
  };
  core = agent::spawn_core(sys, deps);
  agent::watcher_options eyes;
  eyes.identity = &*engine_is;
  watcher = agent::spawn_watcher(sys, docker, core, eyes);
  settle();
}

void agent_world::kill() {
  caf::anon_send_exit(watcher, caf::exit_reason::kill);
  caf::anon_send_exit(core, caf::exit_reason::kill);
  settle();
  docker.end_stream();
  watcher = nullptr;
  core = nullptr;
  settle();
}

void agent_world::pass(std::chrono::seconds d) {
  for (; d > 0s; d -= 1s) {
    advance(1s);
    say(ping{1});
  }
}

void agent_world::advance(std::chrono::milliseconds d) {
  for (; d > 0ms; d -= 100ms) {
    sched.advance_time(std::min(d, std::chrono::milliseconds{100}));
    sched.run();
  }
}

void agent_world::link_is(bool up) {
  caf::anon_send(core, up ? agent::link_input{agent::link_up{}} : agent::link_input{agent::link_down{}});
  settle();
}

void agent_world::say(to_agent m, uint64_t session) {
  caf::anon_send(core, agent::link_input{agent::manager_said{std::move(m), session, {}}});
  settle();
}

void agent_world::welcome(std::vector<known_server> servers, uint64_t term) {
  link_is(true);
  say(msg::welcome{state->id(), "m1", term, 7, std::move(servers)});
}

docker::labels agent_world::labels_of(const std::string& server) {
  return {{"zedops.managed", "true"}, {"zedops.manager", "m1"}, {"zedops.server.id", server}};
}

known_server agent_world::known(const std::string& server, const std::string& container) {
  return {{server}, container, "box-" + server, {"/srv", server, {{"data", "/srv/" + server + "/data", true}}, {}}};
}

known_server agent_world::guarded(const std::string& server, const std::string& container, crash_policy policy) {
  auto k = known(server, container);
  k.crash = {policy, 3, 600s, 1s, 3s, 300s, false};
  k.wanted_running = true;
  return k;
}

time_point agent_world::wall() {
  constexpr duration noon{1'714'564'800'000};
  return time_point{noon + std::chrono::duration_cast<duration>(sys.clock().now().time_since_epoch())};
}

run_command agent_world::command(const std::string& op, const std::string& server, command_kind kind) {
  run_command c;
  c.term = 1;
  c.op = {op};
  c.server = {server};
  c.kind = kind;
  c.demand = data_demand::any;
  c.plan.container.name = "box-" + server;
  c.plan.container.image = "game:1";
  c.plan.data = known(server).data;
  return c;
}

}  // namespace zedops::test
