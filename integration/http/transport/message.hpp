// A request and its answer, without sockets: the rest of the web door is written and tested with these.
#pragma once
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/base/error.hpp"

namespace zedops::web {

using pairs = std::vector<std::pair<std::string, std::string>>;

struct request {
  std::string method;                 // "GET"
  std::vector<std::string> segments;  // of the path, decoded: {"api", "servers", "host1/pz1"}
  pairs query;                        // decoded, in the order of the request
  pairs headers;                      // names in lower case
  std::string body;
  std::string from;     // the client's address; "unix:UID" through a socket file, unless a proxy names another
  bool secure = false;  // the client used TLS, to us or to our proxy

  std::string_view header(std::string_view name) const;  // empty: there is none
  std::string_view cookie(std::string_view name) const;
  std::string_view parameter(std::string_view name) const;
};

struct response {
  int status = 200;
  std::string type = "application/json";
  std::shared_ptr<const std::string> body{};
  pairs headers{};
};

// Whether a proxy forwards it for another client, by the proxy's own headers, with or without that client's address.
bool is_forwarded(const request& r);

response text_response(int status, std::string type, std::string body);
// {"error":{…}}, with the status of its code.
response error_response(const msg::error& e);

// Errors: bad_request, when the query has any other parameter.
msg::result<void> takes_only(const request& r, std::initializer_list<std::string_view> parameters);

// Path and query of a target such as "/api/servers?all=1". Errors: bad_request.
msg::result<void> read_target(std::string_view target, request& into);
// Decodes %XX, and + in a query. Nothing: the text is malformed or not printable.
std::optional<std::string> percent_decoded(std::string_view text, bool query);

std::string_view reason_of(int status);

}  // namespace zedops::web
