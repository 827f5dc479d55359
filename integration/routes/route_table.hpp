// The proxy that routes visitors to the services of a host, as a port: which names lead to which of its ports.
// Blocking; for worker threads.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "messages/base/error.hpp"

namespace zedops::routes {

struct route {
  std::string id;                  // of the service
  std::vector<std::string> hosts;  // names that visitors use
  uint16_t port = 0;               // one of its two ports on this host, at 127.0.0.1
  uint16_t port_beside = 0;
  bool beside = false;   // visitors are led to port_beside, not to port
  std::string folder{};  // put before the path that visitors ask for: "/web"; empty: nothing
  friend bool operator==(const route&, const route&) = default;
};

enum class change { none, made };

class route_table {
 public:
  virtual ~route_table() = default;
  // Makes the route as given: no request is lost if only the port of the two changes. `none`: it was so already.
  // Errors: engine_error (the proxy is away, or refuses), timeout, busy (another client keeps changing it).
  virtual msg::result<change> put(const route& r) = 0;
  virtual msg::result<change> remove(const std::string& id) = 0;
  // The status that a visitor of its first name gets for `path`; over TLS whatever certificate is shown. Nothing: not
  // visible from this host, because visitors connect elsewhere or the name has no certificate yet. Errors: as above.
  virtual msg::result<std::optional<unsigned>> visit(const route& r, const std::string& path) = 0;
};

}  // namespace zedops::routes
