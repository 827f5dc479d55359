// A server's logs over HTTP, followed without gaps or repeats, also across reconnects: the id of each piece is its
// place in the logs.
#pragma once
#include "integration/http/transport/server.hpp"
#include "tools/manager/web/callers.hpp"

namespace zedops::app {

// Until the reader disconnects, its rights end, or the server no longer exists. On the server's thread.
void follow_logs(std::shared_ptr<web::exchange> e, caller who, std::string server, const callers& known, calls& to,
                 web::server& on, rt::wall_clock& clock);

}  // namespace zedops::app
