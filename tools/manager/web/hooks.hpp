// POST /api/hooks/{service}: a forge reports a push, and the branch is deployed. The signature is the only right
// needed; what follows is a deployment like any other, requested by "hook:PROJECT/SERVICE".
#pragma once
#include "actors/manager/deps.hpp"
#include "integration/http/transport/server.hpp"
#include "tools/manager/web/calls.hpp"

namespace zedops::app {

bool is_hook(const web::request& r);
void serve_hook(std::shared_ptr<web::exchange> e, const manager::shared& world, calls& to);

}  // namespace zedops::app
