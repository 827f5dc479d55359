// What monitoring systems read, beside /metrics.
#pragma once
#include <string>

#include "actors/manager/deps.hpp"
#include "integration/http/transport/message.hpp"

namespace zedops::app {

web::response health(const manager::shared& world);
web::response stats(const manager::shared& world);
// Deployments in progress that have not moved for a minute or more, the longest first.
web::response stuck(const manager::shared& world);
// Whether requests can be served, and if not, why. `since_progress`: for how long the manager has made no progress.
web::response readiness(const manager::shared& world, msg::duration since_progress);

}  // namespace zedops::app
