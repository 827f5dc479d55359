#include "tools/agent/process.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <caf/all.hpp>
#include <fstream>
#include <mutex>

#include "actors/agent/engine/engine_watcher.hpp"
#include "actors/agent/lanes/workers.hpp"
#include "actors/agent/session/agent_core.hpp"
#include "actors/agent/session/link_adapter.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "bus/security/key_ring.hpp"
#include "bus/security/keys.hpp"
#include "config/logging/logging.hpp"
#include "integration/host/http_look.hpp"
#include "integration/routes/caddy.hpp"
#include "tools/agent/identity.hpp"
#include "tools/agent/manager_keys.hpp"
#include "tools/agent/outside.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

namespace {

struct system_config : caf::actor_system_config {
  system_config() { rt::configure(*this); }
};

uint64_t random_bits() {
  uint64_t out = 0;
  if (::getrandom(&out, sizeof out, 0) != sizeof out) out = static_cast<uint64_t>(::getpid());
  return out;
}

std::string socket_of(const std::string& docker_host) {
  constexpr std::string_view scheme = "unix://";
  return docker_host.starts_with(scheme) ? docker_host.substr(scheme.size()) : std::string{};
}

result<std::unique_ptr<store::store>> open_state(const std::string& dir) {
  store::lmdb_options o;
  o.dir = dir;
  o.map_bytes = 16u << 20;
  o.map_max_bytes = 64u << 20;
  o.reserve_bytes = 1u << 20;
  o.batch = {1'000, 4u << 20};
  auto s = open_store(std::move(o));
  if (!s && s.error().code == ec::busy)
    return fail(ec::busy, "the state directory " + dir + " is in use by another agent: " + s.error().message,
                "stop that agent, or give this one a state_dir of its own");
  return s;
}

// A new one after each start of the host; empty where the kernel has none.
std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

std::string hostname() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

// The agent's own data path: marked at first use, so that a disk that is not mounted is recognised later.
void prepare_data_path(const std::string& path, agent_state& state, machine_port& host) {
  if (path.empty() || state.used_root(path)) return;
  auto made = host.prepare_root({path, state.id().value});
  auto kept = made ? state.remember_root(path) : result<void>{};
  if (!made || !kept) {
    const auto& why = made ? kept.error() : made.error();
    log_event(log_level::warn, "data-path.unusable", {{"path", path}, {"error", why.message}, {"hint", why.hint}});
  }
}

std::string sites_root(const config::agent_settings& s) {
  if (!s.sites_path.empty()) return s.sites_path;
  return s.data_path.empty() ? std::string{} : s.data_path + "/.sites";
}

constexpr size_t damage_told_max = 20;

void report_damage(const agent_state& state) {
  const auto& all = state.damaged();
  for (size_t i = 0; i < std::min(all.size(), damage_told_max); ++i)
    log_event(log_level::error, "state.record-damaged",
              {{"record", std::string(store::name_of(all[i].where)) + "/" + all[i].key},
               {"error", all[i].reason},
               {"damaged", all.size()},
               {"hint", "the record is skipped; what it had about a server comes again from the manager"}});
}

}  // namespace

// In order of construction; destroyed in reverse, and the actors are gone before anything they refer to.
struct process::parts {
  std::unique_ptr<store::store> store;
  std::unique_ptr<agent_state> state;
  std::unique_ptr<docker::engine> engine;
  std::unique_ptr<machine_port> host;
  std::unique_ptr<console_port> console;
  std::optional<engine_identity> engine_is;
  core::host_rules rules;
  upload_fetcher uploads;
  std::unique_ptr<routes::route_table> routes;
  std::optional<site_world> sites;
  std::optional<step_env> env;
  std::optional<manager_keys> keys;  // of a manager on the network
  link_adapter link;
  system_config caf_config;
  caf::actor_system system{caf_config};
  std::optional<worker_pool> lanes, deploys, keeper;
  std::optional<keyed_workers> disks, slow;
  watcher_actor watcher;
  core_actor core;
  mutable std::mutex mutex;
  std::optional<error> refusal;
  bool stopped = false;
};

process::process(std::unique_ptr<parts> p) : parts_(std::move(p)) {}
process::~process() { stop(); }

std::optional<error> process::refusal() const {
  std::lock_guard guard(parts_->mutex);
  return parts_->refusal;
}

namespace {

// A manager on the network is dialled with keys; the agent makes its own at its first start.
result<bus::address> address_of(const config::agent_settings& settings, std::optional<manager_keys>& keys) {
  if (!bus::is_tcp(settings.manager)) return bus::address(settings.manager);
  if (!bus::is_public_key(settings.manager_key))
    return fail(ec::bad_request, "manager_key is not set: the public key of the manager at " + settings.manager,
                "print it on the manager's machine: zedctl key show --manager");
  auto own = bus::load_or_make_key(std::filesystem::path(settings.state_dir) / bus::agent_key_name);
  if (!own) return fail(std::move(own.error()));
  log_event("agent.key", {{"public_key", own->public_key},
                          {"hint", "on the manager's machine: zedctl key add " + settings.name + " " + own->public_key +
                                       " --role agent"}});
  auto known = manager_keys::open(settings.state_dir, settings.manager_key);
  if (!known) return fail(std::move(known.error()));
  keys = std::move(*known);
  return bus::address(settings.manager, keys->current(), std::move(*own));
}

}  // namespace

result<std::unique_ptr<process>> process::start(const config::agent_settings& settings, core::host_rules rules,
                                                std::function<void()> on_refusal) {
  auto store = open_state(settings.state_dir);
  if (!store) return fail(with_way_back(std::move(store.error()), settings));
  auto state = agent_state::open(**store, random_bits(), random_bits());
  if (!state) return fail(with_way_back(std::move(state.error()), settings));
  report_damage(**state);
  if (auto ok = take_identity(**state, settings); !ok) return fail(std::move(ok.error()));
  (*state)->guards().begin_after(static_cast<uint64_t>(real_clocks().wall().time_since_epoch().count()));
  auto engine = open_engine(settings.docker_host);
  if (!engine) return fail(std::move(engine.error()));
  std::unique_ptr<process> self(new process(std::make_unique<parts>()));
  auto& p = *self->parts_;
  p.store = std::move(*store);
  p.state = std::move(*state);
  p.engine = std::move(*engine);
  p.rules = std::move(rules);
  const auto socket = socket_of(settings.docker_host);
  p.host = open_host(socket, settings.bind_paths);
  p.console = make_console_port();
  p.engine_is.emplace(*p.state, settings.accept_engine);
  if (const auto root = sites_root(settings); !root.empty())
    p.sites.emplace(root, settings.site_image, p.uploads, host::http_look);
  if (p.sites) {
    p.sites->stray_grace = settings.stray_grace;
    p.sites->listens = host::port_look;
    p.sites->git_ssh_key = settings.git_ssh_key;
    p.sites->git_credentials = settings.git_credentials;
  }
  if (p.sites && !settings.caddy_admin.empty()) {
    auto caddy = routes::parse_caddy(settings.caddy_admin, settings.caddy_server, settings.caddy_listen,
                                     p.sites->root + "/.routes");
    if (!caddy) return fail(std::move(caddy.error()));
    p.routes = routes::make_caddy(std::move(*caddy));
    p.sites->routes = p.routes.get();
  }
  p.env.emplace(step_env{*p.engine, *p.host, *p.console, *p.state, real_clocks(), effect_hook(), &p.rules,
                         &*p.engine_is, p.sites ? &*p.sites : nullptr});
  prepare_data_path(settings.data_path, *p.state, *p.host);

  const lane_limits limits{settings.lanes, settings.lanes};
  p.lanes.emplace("lane", limits.slow_max + limits.quick_max + limits.bulk_max);
  p.deploys.emplace("deploy", limits.deploy_max, urgency::background);
  p.disks.emplace("data");
  p.slow.emplace("sizes");
  p.keeper.emplace("keeper", 1);
  auto deps = std::make_shared<core_deps>(
      core_deps{p.link, *p.env, {*p.lanes, *p.deploys, *p.disks, *p.slow, *p.keeper}, {}, {}, {}, {}, {}});
  deps->options = {settings.name,  id_text('i', random_bits(), random_bits()),
                   hostname(),     settings.data_path,
                   ZEDOPS_VERSION, settings.manager_id,
                   limits,         settings.boot_starts,
                   boot_id()};
  deps->engine_listens = [socket] { return engine_listens(socket); };
  deps->machine = [path = settings.data_path] { return host::look_at_machine(path); };
  deps->uploads = &p.uploads;
  deps->on_final = [&p, on_refusal = std::move(on_refusal)](error why) {
    {
      std::lock_guard guard(p.mutex);
      p.refusal = std::move(why);
    }
    on_refusal();
  };
  // Set before the watcher exists: a manager's id that is known earlier is sent when the watcher starts.
  deps->on_manager = [&p](std::string id) {
    std::lock_guard guard(p.mutex);
    if (p.watcher) caf::anon_send(p.watcher, std::move(id));
  };
  bus::agent_link_options link;
  auto manager = address_of(settings, p.keys);
  if (!manager) return fail(std::move(manager.error()));
  link.manager = std::move(*manager);
  if (p.keys) {
    link.other_key = p.keys->next();
    deps->keep_key = [&p](const std::string& next) {
      if (p.keys->learn(next, p.link.answered_with())) p.link.also_expect(p.keys->next());
      return p.keys->next();
    };
  }
  p.core = spawn_core(p.system, deps);
  p.link.attach(p.core);
  {
    std::lock_guard guard(p.mutex);
    watcher_options eyes;
    eyes.identity = &*p.engine_is;
    p.watcher = spawn_watcher(p.system, *p.engine, p.core, eyes);
    if (auto id = p.state->manager_id(); !id.empty()) caf::anon_send(p.watcher, std::move(id));
  }
  if (auto ok = p.link.dial(std::move(link)); !ok) return fail(std::move(ok.error()));
  log_event("agent.started", {{"id", p.state->id()},
                              {"name", settings.name},
                              {"manager", settings.manager},
                              {"engine", settings.docker_host},
                              {"data_path", settings.data_path}});
  return self;
}

void process::stop() {
  auto& p = *parts_;
  if (std::exchange(p.stopped, true)) return;
  caf::scoped_actor self{p.system, true};
  if (p.core) {
    self->send(p.core, stop_atom::value);
    const auto until = std::chrono::steady_clock::now() + commands_finish_max;
    uint64_t running = 1;
    while (running > 0 && std::chrono::steady_clock::now() < until) {
      self->request(p.core, std::chrono::seconds{1}, busy_atom::value)
          .receive([&](uint64_t n) { running = n; }, [&](caf::error&) { running = 0; });
      if (running > 0) self->receive([](stop_atom) {}, caf::after(std::chrono::milliseconds{100}) >> [] {});
    }
    if (running > 0) {
      // A command in mid-pull cannot be waited for: its journal entry says begun, so it is repeated after the start.
      log_event(log_level::warn, "agent.commands-left", {{"running", running}});
      p.link.stop(link_drain_max);
      ::_exit(0);
    }
  }
  p.link.stop(link_drain_max);
  self->send_exit(p.watcher, caf::exit_reason::user_shutdown);
  self->send_exit(p.core, caf::exit_reason::user_shutdown);
  self->wait_for(caf::actor_cast<caf::actor>(p.watcher), caf::actor_cast<caf::actor>(p.core));
  p.watcher = nullptr;
  p.core = nullptr;
  p.engine.reset();  // its late answers find dead actors
  log_event("agent.stopped", {});
  // A disk that hangs releases no thread; nothing is written any more, so the process need not wait for it.
  if (!p.disks->settle(disks_finish_max) || !p.slow->settle(disks_finish_max)) ::_exit(0);
}

}  // namespace zedops::agent
