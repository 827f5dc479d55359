// What monitoring systems ask for, beside /metrics.
#pragma once
#include <string>

#include "actors/manager/deps.hpp"
#include "integration/http/transport/message.hpp"

namespace zedops::app {

web::response health(const manager::shared& world);
web::response stats(const manager::shared& world);
// Deployments at work without any progress for a minute and more, the longest first.
web::response stuck(const manager::shared& world);
// Whether requests can be served: what is missing is said. `progress`: since when nothing of the manager has moved.
web::response readiness(const manager::shared& world, msg::duration since_progress);

}  // namespace zedops::app
