// A disk each change of which is a point.
#pragma once
#include <memory>

#include "actors/agent/ports.hpp"
#include "tests/crash/programs/crash_plan.hpp"

namespace zedops::crash {

std::unique_ptr<agent::machine_port> crashing_host(std::unique_ptr<agent::machine_port> real, crash_plan& plan);

}  // namespace zedops::crash
