// A request and its answer, without sockets: what the rest of the web door is written and tested with.
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
  pairs query;                        // decoded, in the order in which they came
  pairs headers;                      // names in lower case
  std::string body;
  std::string from;     // address of who asks; "unix:UID" through a socket file, unless somebody is spoken for
  bool secure = false;  // he has spoken TLS, as a proxy of ours says

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

// A proxy passes on what somebody else asks, as it says itself, with or without his address.
bool is_forwarded(const request& r);

response text_response(int status, std::string type, std::string body);
// {"error":{…}}, with the status of its code.
response error_response(const msg::error& e);

// Errors: bad_request, when the query has any other parameter.
msg::result<void> takes_only(const request& r, std::initializer_list<std::string_view> parameters);

// Path and query of a target such as "/api/servers?all=1". Errors: bad_request.
msg::result<void> read_target(std::string_view target, request& into);
// Decodes %XX, and + in a query. Nothing: it is no such text.
std::optional<std::string> percent_decoded(std::string_view text, bool query);

std::string_view reason_of(int status);

}  // namespace zedops::web
