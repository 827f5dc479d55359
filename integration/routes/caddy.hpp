// Routes of a running Caddy, through its admin API. Of its configuration only the server `server` is touched, and of
// that only routes that carry the id of a service of ours; Caddy refuses each change if another client changed the same
// part before.
//
// A Caddy that loads a new configuration opens its listeners anew, and resets connections that wait at the former ones.
// So a switch changes no configuration: a route leads to the second port while a file named like the service exists,
// which Caddy checks with each request, and else to the first.
#pragma once
#include "integration/routes/route_table.hpp"

namespace zedops::routes {

struct caddy_settings {
  std::string host;  // of the admin API
  uint16_t port = 2019;
  std::string server = "zedops";    // one of its apps.http.servers; made if it is missing
  std::vector<std::string> listen;  // where a server that is made listens: ":80", ":443"
  std::string folder;               // for the files that switch; Caddy's user has to be able to read it
};

// "localhost:2019" or "http://localhost:2019". Errors: bad_request.
msg::result<caddy_settings> parse_caddy(const std::string& admin, const std::string& server, const std::string& listen,
                                        const std::string& folder);
std::unique_ptr<route_table> make_caddy(caddy_settings s);

}  // namespace zedops::routes
