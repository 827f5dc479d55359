// A server's logs over HTTP, followed without a hole or a repeat, also over reconnects: the id of each piece is the
// place in the logs.
#pragma once
#include "integration/http/transport/server.hpp"
#include "tools/manager/web/callers.hpp"

namespace zedops::app {

// Until the reader goes, his right ends, or the server is no more. On the server's thread.
void follow_logs(std::shared_ptr<web::exchange> e, caller who, std::string server, const callers& known, calls& to,
                 web::server& on, rt::wall_clock& clock);

}  // namespace zedops::app
