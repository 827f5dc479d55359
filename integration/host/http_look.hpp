// HTTP servers of this host, asked as a browser would ask them. Blocking; for worker threads.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "messages/base/error.hpp"
#include "messages/base/time.hpp"

namespace zedops::host {

inline constexpr size_t http_answer_max = 16 << 20;

struct http_question {
  std::string host = "127.0.0.1";  // an address, or a name
  uint16_t port = 0;
  std::string method = "GET";
  std::string path = "/";
  std::map<std::string, std::string> headers{};
  std::string body{};
  msg::duration timeout{10'000};  // of the whole exchange
  std::string tls_name{};         // not empty: over TLS, with that name; any certificate will do
  bool head_only = false;         // the answer's body is not waited for
};
struct http_answer {
  unsigned status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};
// Redirects are not followed. Errors: engine_error (nothing listens, or not HTTP), busy (a server that listened hung up
// before it had answered; the request may have been carried out), timeout.
msg::result<http_answer> http_ask(const http_question& q);

// The status of GET path at 127.0.0.1:port. Errors: as above.
msg::result<unsigned> http_look(uint16_t port, const std::string& path, msg::duration timeout);

// Whether something listens at 127.0.0.1:port. The Engine's proxy accepts connections to a container's published port
// and hangs up at once when nothing listens inside: that counts as nothing. Errors: engine_error, timeout.
msg::result<void> port_look(uint16_t port, msg::duration timeout);

}  // namespace zedops::host
