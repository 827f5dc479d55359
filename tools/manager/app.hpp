// The composition root of zedops-manager.
#pragma once
#include "config/settings/settings.hpp"

namespace zedops::app {

// Runs until a signal or the loss of a core actor. Returns the process's exit status.
int run_manager(config::loaded<config::manager_settings> settings);

}  // namespace zedops::app
