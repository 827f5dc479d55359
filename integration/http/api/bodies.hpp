// JSON of REST to the MessagePack of verbs, and back: one place for all verbs, by the table's types.
#pragma once
#include <string>

#include "integration/http/api/routes.hpp"
#include "messages/api/requests.hpp"

namespace zedops::web {

struct verb_call {
  std::string body;  // MessagePack map
  msg::request_options options;
};

// The body of a request: its JSON, its query, and the item of its path. Errors: bad_request, too_large.
msg::result<verb_call> call_of(const matched& to, const request& r);

// An answer of this row as JSON. Errors: internal.
msg::result<std::string> json_of(size_t row, const std::string& map);

// Of a piece of a file: the first number of Content-Range ("bytes 0-1048575/2000000"), or the parameter `offset`.
msg::result<uint64_t> first_byte(const request& r);

}  // namespace zedops::web
