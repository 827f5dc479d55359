#include <cstdio>

#include "config/logging/logging.hpp"
#include "tools/manager/app.hpp"

int main(int argc, char** argv) {
  using namespace zedops;
  auto settings = config::load_manager_settings(argc, argv);
  if (!settings) {
    std::fprintf(stderr, "zedops-manager: %s\n", settings.error().message.c_str());
    if (!settings.error().hint.empty()) std::fprintf(stderr, "  %s\n", settings.error().hint.c_str());
    return config::exit_configuration;
  }
  if (!settings->print.empty()) {
    std::fputs(settings->print.c_str(), stdout);
    return 0;
  }
  config::start_logging({settings->settings.log_level, settings->settings.log_format});
  for (const auto& w : settings->warnings) config::log_event(msg::log_level::warn, "settings.warning", {{"text", w}});
  return app::run_manager(std::move(*settings));
}
