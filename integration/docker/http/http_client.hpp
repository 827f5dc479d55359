// HTTP to one Docker Engine: requests with deadlines over a few kept connections, and streams over connections of their
// own, all on one thread. Knows the Engine's transport and version handshake, not its vocabulary. Private.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "integration/docker/http/api_version.hpp"
#include "messages/base/error.hpp"
#include "messages/base/time.hpp"

namespace zedops::docker {

inline constexpr std::size_t requests_max = 256;        // in flight; one more is `busy`
inline constexpr std::size_t streams_max = 1024;        // open at once; one more is `busy`
inline constexpr std::size_t idle_connections_max = 8;  // kept for the next request
inline constexpr std::size_t refusal_body_max = 64 * 1024;

// Where an Engine listens: unix:///path or tcp://host:port (without TLS).
struct endpoint {
  std::string unix_path;  // empty: tcp
  std::string host;
  std::string port;
};
msg::result<endpoint> parse_endpoint(const std::string& docker_host);

struct http_request {
  std::string method;        // GET, POST, DELETE
  std::string target;        // after the version: "/containers/json?all=1"
  std::string body;          // JSON; empty: none
  std::string body_file;     // instead: a tar archive on this host, sent as it is read
  msg::duration deadline{};  // of the whole exchange; for a stream, until its head has arrived
  msg::duration idle{};      // streams only: longest silence; zero: for ever
  msg::duration total{};     // streams only: longest life; zero: for ever
  std::size_t body_max = 1024 * 1024;
};

struct http_response {
  int status = 0;
  std::string body;
  api_version version;  // spoken on that connection
};

struct stream_handlers {
  std::function<void()> on_open;                  // status 200 has arrived
  std::function<bool(std::string_view)> on_data;  // false: end the stream (on_end then gets `engine_error`)
  // Once: a complete body (result without error), a refusal (status ≥ 300 and its body), or an error.
  std::function<void(msg::result<http_response>)> on_end;
};

class http_client {
 public:
  explicit http_client(endpoint where, std::string shown_as);
  ~http_client();  // open exchanges end with `cancelled`; never on the client's own thread

  // `make_target` style bodies that depend on the version: `make_body` is called once the version is known.
  using body_maker = std::function<std::string(api_version)>;
  void request(http_request, std::function<void(msg::result<http_response>)>, body_maker make_body = {});
  // The returned function cancels; it may be called from any thread, at any time, also after the client is gone.
  std::function<void()> stream(http_request, stream_handlers);

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace zedops::docker
