// zedops-agent: one per Docker host. Reads settings, takes the state directory, runs, and ends in order.
#include <malloc.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <csignal>
#include <iostream>

#include "config/logging/logging.hpp"
#include "config/settings/settings.hpp"
#include "tools/agent/host_policy.hpp"
#include "tools/agent/join.hpp"
#include "tools/agent/process.hpp"

namespace {

using namespace zedops;
using config::log_event;

int refuse(const msg::error& e) {
  std::cerr << "zedops-agent: " << e.message << '\n';
  if (!e.hint.empty()) std::cerr << "  " << e.hint << '\n';
  // What a restart cannot fix: a supervisor must not try.
  const bool final = e.code == msg::ec::bad_request || e.code == msg::ec::invalid_name ||
                     e.code == msg::ec::forbidden || e.code == msg::ec::wrong_state || e.code == msg::ec::too_large;
  return final ? config::exit_configuration : 1;
}

void reload(config::loaded<config::agent_settings>& current) {
  ::sd_notify(0, "RELOADING=1");
  if (auto next = config::reload(current)) {
    current = std::move(next->now);
    config::set_log_level(current.settings.log_level);
    log_event("settings.reloaded", {{"changed", next->changed.size()}, {"need_restart", next->restart.size()}});
  } else {
    log_event(msg::log_level::error, "settings.not-reloaded",
              {{"error", next.error().message}, {"hint", next.error().hint}});
  }
  ::sd_notify(0, "READY=1");
}

}  // namespace

int main(int argc, char** argv) {
  ::mallopt(M_ARENA_MAX, 2);  // a dozen mostly idle threads need no arena each
  ::umask(0027);
  const bool joins = argc > 1 && std::string_view(argv[1]) == "join";
  const std::string line = joins && argc > 2 ? argv[2] : "";
  auto loaded = joins ? config::load_agent_settings(std::max(argc - 2, 1), argc > 2 ? argv + 2 : argv)
                      : config::load_agent_settings(argc, argv);
  if (!loaded) return refuse(loaded.error());
  if (!loaded->print.empty()) {
    std::cout << loaded->print << std::flush;
    return 0;
  }
  if (joins) {
    auto done = agent::join(line, loaded->settings);
    if (!done) return refuse(done.error());
    std::cout << *done << std::flush;
    return 0;
  }
  if (auto ok = agent::apply_enrolment(*loaded); !ok) return refuse(ok.error());
  auto rules = agent::host_rules_of(*loaded);
  if (!rules) return refuse(rules.error());
  config::log_options logging;
  logging.level = loaded->settings.log_level;
  logging.format = loaded->settings.log_format;
  config::start_logging(logging);
  for (const auto& w : loaded->warnings) log_event(msg::log_level::warn, "settings.warning", {{"text", w}});

  // Signals are taken by this thread alone; every other thread inherits the mask.
  sigset_t signals;
  sigemptyset(&signals);
  for (int s : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, s);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto process = agent::process::start(loaded->settings, std::move(*rules), [] { ::kill(::getpid(), SIGUSR1); });
  if (!process) return refuse(process.error());
  ::sd_notify(0, "READY=1");
  for (;;) {
    int signal = 0;
    if (::sigwait(&signals, &signal) != 0) continue;
    if (signal == SIGHUP) {
      reload(*loaded);
      continue;
    }
    if (signal == SIGUSR1 && !(*process)->refusal()) continue;  // not ours
    break;
  }
  ::sd_notify(0, "STOPPING=1");
  (*process)->stop();
  if (const auto& why = (*process)->refusal()) {
    std::cerr << "zedops-agent: " << why->message << '\n' << "  " << why->hint << '\n';
    return config::exit_configuration;
  }
  return 0;
}
