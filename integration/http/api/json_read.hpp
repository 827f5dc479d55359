// JSON from untrusted clients.
#pragma once
#include <nlohmann/json.hpp>

#include "messages/base/error.hpp"

namespace zedops::web {

// A JSON object that is not too deep and has no field twice: with two, one could be checked and the other one used.
// Errors: bad_request.
msg::result<nlohmann::ordered_json> read_object(const std::string& text);

}  // namespace zedops::web
