#include "tools/manager/app.hpp"

#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <cstdio>

#include "actors/manager/clock.hpp"
#include "actors/manager/node.hpp"
#include "config/logging/logging.hpp"
#include "config/template_file.hpp"
#include "tools/manager/bus_bridge.hpp"
#include "tools/manager/outside.hpp"
#include "tools/manager/web/web_door.hpp"

namespace zedops::app {
namespace {

using config::exit_configuration;
using config::log_event;
using msg::log_level;

class kernel_randomness final : public rt::randomness {
 public:
  uint64_t bits() override {
    uint64_t n = 0;
    randombytes_buf(&n, sizeof n);
    return n;
  }
};

int refuse(const msg::error& e, int status) {
  log_event(log_level::error, "manager.cannot-start", {{"error", e.message}, {"hint", e.hint}});
  std::fprintf(stderr, "zedops-manager: %s\n", e.message.c_str());
  if (!e.hint.empty()) std::fprintf(stderr, "  %s\n", e.hint.c_str());
  return status;
}

manager::policy policy_of(const config::manager_settings& s) {
  manager::policy p;
  p.retention = s.retention;
  p.sync_interval = s.sync_interval;
  p.usage_interval = s.usage_interval;
  p.history_max = s.history_max;
  p.audit_max = s.audit_max;
  p.hold_recovery_above = s.hold_recovery_above;
  p.liveness.suspect_after = s.agent_suspect_after;
  p.liveness.unreachable_after = s.agent_unreachable_after;
  for (const auto& row : msg::operation_table) p.time_max[static_cast<size_t>(row.kind)] = timeout_of(s, row.kind);
  return p;
}

// It serves only charts: when it is damaged it is created anew.
msg::result<std::unique_ptr<store::store>> open_usage(const std::filesystem::path& dir) {
  store::lmdb_options options;
  options.dir = dir;
  options.map_bytes = uint64_t{64} << 20;
  options.map_max_bytes = uint64_t{8} << 30;  // when it is full, the store's reserve lets old samples be dropped
  auto opened = store::open_lmdb(options);
  if (opened || opened.error().code != msg::ec::internal) return opened;
  log_event(log_level::warn, "usage.begins-anew", {{"error", opened.error().message}});
  std::error_code ignored;
  std::filesystem::remove_all(dir, ignored);
  return store::open_lmdb(std::move(options));
}

// Signals are handled by the main thread alone, which has nothing else to do.
sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, s);
  return set;
}

// Every agent and client is a descriptor; the default soft limit is for desktops.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void reload_settings(config::loaded<config::manager_settings>& current, manager::shared& world) {
  sd_notify(0, "RELOADING=1");
  auto next = config::reload(current);
  if (!next) {
    log_event(log_level::error, "settings.reload-refused", {{"error", next.error().message}});
  } else {
    current = std::move(next->now);
    config::set_log_level(current.settings.log_level);
    world.rules.change([&](manager::policy& p) { p = policy_of(current.settings); });
    for (const auto& key : next->changed) log_event("settings.changed", {{"key", key}});
    for (const auto& key : next->restart) log_event(log_level::warn, "settings.needs-restart", {{"key", key}});
  }
  sd_notify(0, "READY=1");
}

}  // namespace

int run_manager(config::loaded<config::manager_settings> settings) {
  const auto& s = settings.settings;
  // A large store takes long to verify: until it is open, a termination signal may simply end the process.
  auto signals = handled_signals(), at_first = signals;
  sigdelset(&at_first, SIGTERM);
  sigdelset(&at_first, SIGINT);
  pthread_sigmask(SIG_BLOCK, &at_first, nullptr);
  raise_descriptor_limit();
  if (sodium_init() < 0) return refuse({msg::ec::internal, "there is no source of randomness", "", {}}, 1);

  auto files = config::load_templates(s.templates_dir.empty() ? std::vector<std::string>{}
                                                              : std::vector<std::string>{s.templates_dir});
  if (!files) return refuse(files.error(), exit_configuration);

  store::lmdb_options options;
  options.dir = s.data_dir;
  options.ahead_bytes = 2 << 20;
  auto opened = open_store(std::move(options));
  if (!opened) return refuse(opened.error(), opened.error().code == msg::ec::wrong_state ? exit_configuration : 1);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before the first thread
  auto& db = **opened;

  manager::system_wall_clock clock;
  kernel_randomness random;
  auto uploads = store::upload_store::open((std::filesystem::path(s.data_dir) / "uploads").string());
  if (!uploads) return refuse(uploads.error(), 1);
  known_keys keys(std::filesystem::path(s.data_dir) / bus::authorized_keys_name, s.advertise);
  known_accounts accounts(std::filesystem::path(s.data_dir) / bus::accounts_name, page_url(s));
  bus_bridge bridge(db.epoch(), keys);
  manager::usage_book usage([dir = std::filesystem::path(s.data_dir) / "usage"] { return open_usage(dir); });
  manager::shared world{.records = {},
                        .store = db,
                        .history = {db, db.epoch()},
                        .rules = policy_of(s),
                        .templates = {},
                        .manager_id = {},
                        .clock = clock,
                        .random = random,
                        .agents = bridge,
                        .events = bridge,
                        .keys = &keys,
                        .accounts = serves_web(s) ? &accounts : nullptr,
                        .usage = s.usage_interval > msg::duration{} ? &usage : nullptr,
                        .uploads = uploads->get()};
  // The watchdog restarts a manager that hangs; it is fed by the actors' own progress, so that their hangs show, too.
  uint64_t within_us = 0;
  const bool watched = sd_watchdog_enabled(0, &within_us) > 0;
  for (auto& t : *files) {
    auto key = t.name;
    world.templates.emplace(std::move(key), std::move(t));
  }
  auto found = manager::recover(db, world.kinds, world.records, random);
  if (!found) return refuse(found.error(), 1);
  clock.not_before(found->last_time);
  world.manager_id = found->manager_id;
  world.term = found->term;
  world.last_seq.store(found->last_seq);
  world.started_at = clock.now();
  world.data_dir = s.data_dir;

  web_door web(world, accounts);
  world.door_counters = [&bridge, &web] {
    auto all = bridge.counters();
    all.merge(web.counters());
    return all;
  };
  world.progressed = [&web, watched] {
    web.progressed();
    if (watched) sd_notify(0, "WATCHDOG=1");
  };

  std::atomic<int> status = 0;  // several actors may end at once, each on its own thread
  {
    caf::actor_system_config caf_config;
    rt::configure(caf_config);
    caf::actor_system system{caf_config};
    manager::node node(system, world, rt::spawn_mode::own_thread, [&status](const std::string&) {
      status = 1;
      kill(getpid(), SIGTERM);
    });
    bus::server_bus_options doors;
    doors.clients_uris = s.clients;
    doors.agents_uris = s.agents;
    doors.events_uris = s.events;
    doors.runtime_dir = s.runtime_dir;
    doors.head = {db.epoch(), found->last_seq};
    if (auto ok = bridge.let_in(doors); !ok) {
      node.stop();
      return refuse(ok.error(), exit_configuration);
    }
    if (auto ok = bridge.open(std::move(doors), node); !ok) {
      node.stop();
      return refuse(ok.error(), ok.error().code == msg::ec::bad_request ? exit_configuration : 1);
    }
    if (auto ok = web.open(s, node); !ok) {
      node.stop();
      bridge.close(std::chrono::seconds(0));
      return refuse(ok.error(), exit_configuration);
    }
    log_event("manager.ready", {{"manager", world.manager_id},
                                {"servers", found->records["server"]},
                                {"agents", found->records["agent"]},
                                {"damaged", found->damaged},
                                {"term", world.term.load()},
                                {"last_seq", found->last_seq}});
    sd_notify(0, "READY=1");
    for (bool running = true; running;) {
      int signal = 0;
      if (sigwait(&signals, &signal) != 0) continue;
      if (signal != SIGHUP) running = false;
      else {
        web.reload();
        reload_settings(settings, world);
      }
    }
    sd_notify(0, "STOPPING=1");
    log_event("manager.stopping");
    node.stop();
    bridge.close(std::chrono::seconds(2));
    web.close();
  }
  log_event("manager.stopped");
  return status;
}

}  // namespace zedops::app
