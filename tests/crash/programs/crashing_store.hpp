// A store each commit of which is a point. It is named after what it makes durable: the types of the facts of servers
// and operations in it, else of the other facts, else the tables that it writes.
#pragma once
#include <memory>

#include "persistence/store.hpp"
#include "tests/crash/programs/crash_plan.hpp"

namespace zedops::crash {

std::unique_ptr<store::store> crashing_store(std::unique_ptr<store::store> real, crash_plan& plan);

}  // namespace zedops::crash
