// An Engine each call of which is a point, if a command makes it: what the agent reads on its own changes nothing and
// happens at any time, so it cannot be numbered.
#pragma once
#include <memory>

#include "integration/docker/engine.hpp"
#include "tests/crash/programs/crash_plan.hpp"

namespace zedops::crash {

std::unique_ptr<docker::engine> crashing_engine(std::unique_ptr<docker::engine> real, crash_plan& plan);

}  // namespace zedops::crash
